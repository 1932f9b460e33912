//! Unmodified socket.io-client and python-socketio programs, written as for the original.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{App, Kind, Participant};

#[rstest]
#[tokio::test]
async fn two_people_of_each_kind_hold_a_conversation_and_see_the_same(
    #[values("websocket", "polling", "polling,websocket")] transports: &str,
) {
    let app = App::spawn().await;
    let people = [(Kind::Node, "Alice"), (Kind::Python, "Bob"), (Kind::Node, "Zoë"), (Kind::Python, "李明")];
    let mut participants = Vec::new();
    for (kind, name) in people {
        let mut participant = Participant::start(&app, kind, transports, "none");
        let answer = participant.log_in(name).await;
        assert_eq!((&answer["status"], &answer["body"]["pseudonym"]), (&json!(200), &json!(name)));
        participant.connect("main").await;
        participants.push((participant, name));
    }
    let mut said = Vec::new();
    for round in 0..3 {
        for (participant, name) in &mut participants {
            let content = format!("{name} says {round}: <b>\"hé\"</b> 🎉");
            let ack = participant.say("main", name, &content).await;
            assert_eq!(ack["id"], said.len() + 1, "{ack}");
            said.push((ack["id"].clone(), name.to_owned(), content));
        }
    }
    for (participant, _) in &mut participants {
        let mut seen = Vec::new();
        for _ in &said {
            let message = participant.event("main", "new_message").await;
            let text = |key: &str| message[key].as_str().expect("a text").to_owned();
            seen.push((message["id"].clone(), text("sender"), text("content")));
        }
        assert_eq!(seen, said);
    }
    for (mut participant, name) in participants {
        let answer = participant.log_out(name).await;
        assert_eq!(answer["status"], 200, "{answer}");
        participant.quit().await;
    }
    assert!(app.online().await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_name_in_use_is_refused_until_its_holder_has_logged_out(
    #[values(Kind::Node, Kind::Python)] kind: Kind,
) {
    let app = App::spawn().await;
    let mut first = Participant::start(&app, kind, "websocket", "none");
    let mut second = Participant::start(&app, kind, "websocket", "none");
    first.log_in("JohnDoe").await;
    for same in ["JohnDoe", "JOHNDOE", "ЈоhnDое"] {
        let refused = second.log_in(same).await;
        assert_eq!(refused["status"], 400, "{refused}");
        assert!(refused["body"]["error"].as_str().is_some_and(|error| error.contains("already connected")));
    }
    assert_eq!(second.online().await, ["JohnDoe"]);
    assert_eq!(first.log_out("JohnDoe").await["status"], 200);
    assert!(second.online().await.is_empty());
    assert_eq!(second.log_out("JohnDoe").await["status"], 400);
    assert_eq!(second.log_in("johndoe").await["status"], 200);
    first.quit().await;
    second.quit().await;
}

/// The page's socket was there before its visitor had a name or a cookie.
#[rstest]
#[tokio::test]
async fn a_page_that_opens_its_socket_first_and_logs_in_afterwards(
    #[values(Kind::Node, Kind::Python)] kind: Kind,
    #[values("websocket", "polling,websocket")] transports: &str,
) {
    let app = App::spawn().await;
    let mut page = Participant::start(&app, kind, transports, "all");
    page.connect("main").await;
    page.log_in("JohnDoe").await;
    page.event("main", "user_joined").await;
    speaks_and_leaves(&mut page, "main", "JohnDoe").await;

    // The second visit: the socket comes with the cookie of the first, which is over by now.
    page.connect("again").await;
    page.log_in("Zoë").await;
    speaks_and_leaves(&mut page, "again", "Zoë").await;
    page.quit().await;
}

/// A socket that came with a living session's cookie, whose visitor logs out and in under another name.
#[rstest]
#[tokio::test]
async fn a_page_that_was_loaded_while_logged_in_goes_on_under_the_next_name(
    #[values(Kind::Node, Kind::Python)] kind: Kind,
    #[values("websocket", "polling,websocket")] transports: &str,
) {
    let app = App::spawn().await;
    let mut page = Participant::start(&app, kind, transports, "all");
    page.log_in("JohnDoe").await;
    page.connect("main").await;
    speaks_and_leaves(&mut page, "main", "JohnDoe").await;
    page.log_in("Zoë").await;
    speaks_and_leaves(&mut page, "main", "Zoë").await;
    page.quit().await;
}

#[rstest]
#[tokio::test]
async fn a_script_that_logs_in_next_to_a_socket_without_cookies(
    #[values(Kind::Node, Kind::Python)] kind: Kind,
    #[values("websocket", "polling,websocket")] transports: &str,
) {
    let app = App::spawn().await;
    let mut script = Participant::start(&app, kind, transports, "http");
    script.log_in("JohnDoe").await;
    script.connect("main").await;
    assert_eq!(script.online().await, ["JohnDoe"]);
    speaks_and_leaves(&mut script, "main", "JohnDoe").await;
    script.quit().await;
}

#[rstest]
#[tokio::test]
async fn two_tabs_of_one_cookie_jar_under_two_names(
    #[values(Kind::Node, Kind::Python)] kind: Kind,
    #[values("websocket", "polling,websocket")] transports: &str,
) {
    let app = App::spawn().await;
    let mut browser = Participant::start(&app, kind, transports, "all");
    browser.log_in("Alice").await;
    browser.connect("first").await;
    browser.log_in("Bob").await;
    browser.connect("second").await;
    assert_eq!(browser.online().await, ["Alice", "Bob"]);
    for (tab, name) in [("first", "Alice"), ("second", "Bob"), ("first", "Bob"), ("second", "Alice")] {
        let ack = browser.say(tab, name, &format!("{name} in {tab}")).await;
        assert!(ack.get("id").is_some(), "{ack}");
        for listening in ["first", "second"] {
            assert_eq!(browser.event(listening, "new_message").await["sender"], name);
        }
    }
    speaks_and_leaves(&mut browser, "first", "Alice").await;
    assert_eq!(browser.online().await, ["Bob"]);
    browser.event("second", "new_message").await;
    speaks_and_leaves(&mut browser, "second", "Bob").await;
    browser.quit().await;
}

#[rstest]
#[tokio::test]
async fn a_stale_cookie_is_no_hindrance(
    #[values(Kind::Node, Kind::Python)] kind: Kind,
    #[values("websocket", "polling,websocket")] transports: &str,
) {
    let app = App::spawn().await;
    let mut page = Participant::start(&app, kind, transports, "all");
    page.log_in("JohnDoe").await;
    app.log_out("JohnDoe", &[]).await;
    // Its jar knows nothing of that.
    assert!(page.online().await.is_empty());
    page.connect("main").await;
    assert_eq!(page.log_out("JohnDoe").await["status"], 400);
    assert_eq!(page.log_in("JohnDoe").await["status"], 200);
    speaks_and_leaves(&mut page, "main", "JohnDoe").await;
    page.quit().await;
}

/// What people came for: to say something, to hear it, to be seen, and to go.
async fn speaks_and_leaves(who: &mut Participant, tab: &str, name: &str) {
    let content = format!("{name} was here");
    let ack = who.say(tab, name, &content).await;
    assert!(ack.get("id").is_some(), "{ack}");
    let message = who.event(tab, "new_message").await;
    let expected = [("sender", json!(name)), ("content", json!(content)), ("id", ack["id"].clone())];
    for (key, value) in expected {
        assert_eq!(message[key], value, "{message}");
    }
    assert!(who.online().await.contains(&name.to_owned()));
    let answer: Value = who.log_out(name).await;
    assert_eq!(answer["status"], 200, "{answer}");
    assert!(!who.online().await.contains(&name.to_owned()));
}
