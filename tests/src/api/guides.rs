//! The programs of `docs/clients.md` do what the page says, as they stand there, also where something goes wrong.

use std::time::Duration;

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use super::pasted::{HEADINGS, Pasted, Way};
use crate::docs::page;
use crate::harness::{App, Auth, Connection, Launch, Network, Program, Protocol, becomes_so, http_client};
use crate::postgres::{lobby_behind_a_proxy, server};

/// What a program says once its greeting is in the log of a lobby where nothing was said before.
const STORED: &str = "stored as message 1";

/// So many messages that some are under way at the same time.
const MANY: usize = 400;

/// After so long at the latest a program has noticed that nobody is there any more.
const NOTICED: Duration = Duration::from_secs(75);

#[test]
fn there_is_no_program_that_is_not_run() {
    let page = page("docs/clients.md");
    assert_eq!(page.matches("\n```js\n").count() + page.matches("\n```python\n").count(), HEADINGS.len());
    assert_eq!(page.matches("\n## ").count(), HEADINGS.len());
}

#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_talks_and_hears_as_pasted(#[case] heading: &str) {
    let app = App::spawn().await;
    let bob = app.log_in_claimed("Bob").await;
    let (mut bobs, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&bob)).await;
    let mut pasted = Pasted::start(heading, &app.url(""));
    let hello = bobs.event("new_message").await;
    let (name, content) =
        (hello["sender"].as_str().expect("a name"), hello["content"].as_str().expect("a text"));
    assert!(content.starts_with("Hello "), "{hello}");
    let answer = bobs.ask("send_message", &json!({"content": format!("Hi, {name}!")})).await;
    assert_eq!(answer["id"], 2);
    pasted.prints(&format!("Bob: Hi, {name}!")).await;
}

#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_takes_the_name_that_it_is_given(#[case] heading: &str) {
    let app = App::spawn().await;
    let mut pasted = Pasted::start_as("Quentin", heading, &app.url(""));
    pasted.prints(STORED).await;
    assert_eq!((pasted.kept().0, app.online().await), ("Quentin".to_owned(), vec!["Quentin".to_owned()]));
}

/// As fast as they come, which is faster than one event is handled for another to wait for it.
#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_prints_messages_in_the_order_of_their_ids(#[case] heading: &str) {
    let app = App::spawn().await;
    let bob = app.log_in_claimed("Bob").await;
    let (mut bobs, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&bob)).await;
    let mut pasted = Pasted::start(heading, &app.url(""));
    pasted.greets(STORED).await;
    for number in 0..MANY {
        bobs.emit("send_message", &json!({"content": number.to_string()})).await;
    }
    for number in 0..MANY {
        assert_eq!(pasted.message().await, format!("Bob: {number}"));
    }
}

/// What was said while it was cut off comes afterwards, once, and nothing that it had seen comes again.
#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_goes_on_where_it_left_off(#[case] heading: &str) {
    let mut lobby = Program::launch(Launch::default()).await;
    let url = format!("http://{}", *lobby.address().borrow());
    let client = http_client();
    let post = async |path: &str, body: Value| {
        let answer = client.post(format!("{url}{path}")).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    };
    let bob_says =
        async |content: &str| post("/messages", json!({"sender": "Bob", "content": content})).await;
    post("/login", json!({"pseudonym": "Bob"})).await;
    let mut pasted = Pasted::start(heading, &url);
    pasted.greets(STORED).await;
    lobby.kill().await;
    lobby.start_again().await;
    // Both before it is back and afterwards, as it happens.
    for content in ["one", "two", "three"] {
        bob_says(content).await;
    }
    bob_says("That was all.").await;
    for content in ["one", "two", "three", "That was all."] {
        assert_eq!(pasted.message().await, format!("Bob: {content}"));
    }
}

/// Whoever kills a program and starts it again finds its name taken: by itself.
#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_that_is_started_again_is_the_same_session(#[case] heading: &str) {
    let app = App::spawn().await;
    let mut pasted = Pasted::start(heading, &app.url(""));
    pasted.prints(STORED).await;
    let kept = pasted.kept();
    let mut again = pasted.start_again(heading, &app.url("")).await;
    again.prints("stored as message 2").await;
    assert_eq!((again.kept(), app.online().await), (kept.clone(), vec![kept.0.clone()]));
    // Where the session is over, the token is good for nothing, and a new one is opened.
    let (name, token) = kept;
    app.log_out(&name, &[("authorization", &format!("Bearer {token}"))]).await;
    let mut anew = again.start_again(heading, &app.url("")).await;
    anew.prints("stored as message 3").await;
    assert_ne!(anew.kept().1, token);
}

/// Also one that learns of it only when it comes back.
#[rstest]
#[tokio::test]
async fn a_program_from_the_page_ends_with_its_session(
    #[values(HEADINGS[0], HEADINGS[1], HEADINGS[2], HEADINGS[3])] heading: &str,
    #[values(false, true)] is_away: bool,
) {
    let app = App::spawn().await;
    let network = Network::to(app.address()).await;
    let mut pasted = Pasted::start(heading, &network.url());
    pasted.prints(STORED).await;
    if is_away {
        network.cut();
    }
    let (name, token) = pasted.kept();
    let answer = app.log_out(&name, &[("authorization", &format!("Bearer {token}"))]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    network.lead_to(app.address());
    assert_eq!(pasted.ended().await.code(), Some(1));
}

/// It is turned away for now, which is no connection that breaks.
#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_outlasts_a_database_that_is_away(#[case] heading: &str) {
    let server = server().await;
    let (app, proxy) = Box::pin(lobby_behind_a_proxy(&server, &[])).await;
    let network = Network::to(app.address()).await;
    let mut pasted = Pasted::start(heading, &network.url());
    pasted.prints(STORED).await;
    app.log_in("Bob").await;
    proxy.refuse();
    proxy.cut();
    let is_away = async || app.get("/health/ready").await.status == StatusCode::SERVICE_UNAVAILABLE;
    becomes_so("the database to be away", is_away).await;
    network.cut();
    network.lead_to(app.address());
    pasted.tells_of("unavailable").await;
    proxy.pass();
    let says = json!({"sender": "Bob", "content": "There you are."});
    let is_said = async || app.post("/messages", &says, &[]).await.status == StatusCode::CREATED;
    becomes_so("the database to be back", is_said).await;
    pasted.prints("Bob: There you are.").await;
}

/// Neither that it is stored nor the message itself comes to it.
#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_says_again_what_was_not_acknowledged(#[case] heading: &str) {
    let app = App::spawn().await;
    let mut way = Way::to(app.address(), "\"timestamp\"", true).await;
    let mut pasted = Pasted::start(heading, &way.url);
    way.heard().await;
    pasted.prints(STORED).await;
    let said = app.get("/messages").await.body;
    assert_eq!(said["messages"].as_array().map(Vec::len), Some(1), "{said}");
}

#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_says_again_what_was_refused_for_now(#[case] heading: &str) {
    let app = App::spawn().await;
    app.alter_database(
        "CREATE TRIGGER no_room BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no room'); END",
    )
    .await;
    let mut way = Way::to(app.address(), "\"retry_after\"", false).await;
    let mut pasted = Pasted::start(heading, &way.url);
    way.heard().await;
    app.alter_database("DROP TRIGGER no_room").await;
    pasted.prints(STORED).await;
}

/// Nothing comes any more, and nobody says that it is over.
#[rstest]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_notices_that_nobody_is_there_any_more(#[case] heading: &str) {
    let app = App::spawn().await;
    app.log_in("Bob").await;
    let network = Network::to(app.address()).await;
    let mut pasted = Pasted::start(heading, &network.url());
    pasted.prints(STORED).await;
    network.swallow();
    pasted.tells_within(NOTICED, "closed: ").await;
    network.lead_to(app.address());
    app.post("/messages", &json!({"sender": "Bob", "content": "Still there?"}), &[]).await;
    pasted.prints("Bob: Still there?").await;
}
