//! Messages for one session, and nobody else.

use std::slice;

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Answer, App, Auth, Connection, LoggedIn, Protocol, in_time};

mod successor;

const THE_END: &str = "the end";

/// Says something over REST.
async fn post(app: &App, user: &LoggedIn, content: &str, to: Option<&str>) -> Answer {
    let message = json!({"content": content, "to": to});
    app.post("/messages", &message, &[("authorization", &user.bearer())]).await
}

fn contents(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["content"].as_str().expect("a text")).collect()
}

/// What somebody with these proofs sees live, up to the end: over both protocols.
async fn tabs(app: &App, proofs: &[Auth<'_>]) -> Vec<Connection> {
    let mut tabs = Vec::new();
    for proof in proofs {
        for protocol in [Protocol::Plain, Protocol::SocketIo] {
            tabs.push(Connection::enter(app, protocol, *proof).await.0);
        }
    }
    tabs
}

/// The whole log, as it is seen by this proof by each way to read it.
async fn readings(app: &App, proof: Auth<'_>) -> Vec<Vec<Value>> {
    let header = match proof {
        Auth::Token(user) | Auth::Header(user) => Some(("authorization", user.bearer())),
        Auth::Cookie(user) => Some(("cookie", user.cookie())),
        Auth::Nothing | Auth::Forged(_) => None,
    };
    let headers: Vec<_> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let history = app.get_as("/messages?after=0&limit=200", &headers).await.body;
    let mut messages = history["messages"].as_array().expect("an array").clone();
    assert_eq!(messages.pop().map(|last| last["content"].clone()), Some(json!(THE_END)));
    let mut readings = vec![messages];
    for protocol in [Protocol::Plain, Protocol::SocketIo] {
        let mut resumed = Connection::connecting_with(app, protocol, &headers, &json!({"after": 0})).await;
        assert_eq!(resumed.event("session").await["recovered"], true);
        readings.push(resumed.messages_until(THE_END).await);
    }
    readings
}

#[rstest]
#[case::by_session(None)]
#[case::by_name(Some("JohnDoe"))]
#[case::in_other_case(Some("johnDOE"))]
#[case::in_cyrillic_letters(Some("ЈоhnDое"))]
#[tokio::test]
async fn all_connections_of_both_sessions_see_it_once_and_nobody_else_does(#[case] to: Option<&str>) {
    let app = App::spawn().await;
    let (alice, john, carol) =
        (app.log_in("Alice").await, app.log_in("JohnDoe").await, app.log_in("Carol").await);
    let proofs = |user| [Auth::Token(user), Auth::Header(user), Auth::Cookie(user)];
    let mut insiders = tabs(&app, &[proofs(&alice), proofs(&john)].concat()).await;
    let mut outsiders = tabs(&app, &proofs(&carol)).await;
    outsiders.extend(tabs(&app, &[Auth::Nothing]).await);

    let to = to.unwrap_or(&john.session);
    let posted = post(&app, &alice, "psst", Some(to)).await.body;
    post(&app, &alice, THE_END, None).await;
    assert_eq!((&posted["id"], &posted["sender"]), (&json!(1), &json!("Alice")));
    assert_eq!((&posted["to"], &posted["to_session"]), (&json!("JohnDoe"), &json!(john.session)));
    for tab in &mut insiders {
        assert_eq!(tab.messages_until(THE_END).await, slice::from_ref(&posted));
    }
    for tab in &mut outsiders {
        assert!(tab.messages_until(THE_END).await.is_empty());
    }
    for user in [&alice, &john] {
        for proof in proofs(user) {
            assert_eq!(readings(&app, proof).await, vec![vec![posted.clone()]; 3], "{proof:?}");
        }
    }
    for proof in proofs(&carol).into_iter().chain([Auth::Nothing]) {
        assert_eq!(readings(&app, proof).await, vec![Vec::<Value>::new(); 3], "{proof:?}");
    }
}

#[rstest]
#[tokio::test]
async fn it_can_be_said_over_each_socket_and_answered(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn().await;
    let (alice, bob) = (app.log_in("Alice").await, app.log_in("Bob").await);
    let (mut from_alice, _) = Connection::enter(&app, protocol, Auth::Token(&alice)).await;
    let (mut from_bob, _) = Connection::enter(&app, protocol, Auth::Cookie(&bob)).await;
    from_alice.ask("send_message", &json!({"content": "are you there?", "to": "bob"})).await;
    let question = from_bob.event("new_message").await;
    from_bob.ask("send_message", &json!({"content": "I am", "to": question["sender_session"]})).await;
    assert_eq!(contents(&[from_alice.event("new_message").await]), ["are you there?"]);
    let answer = from_alice.event("new_message").await;
    assert_eq!((&answer["sender"], &answer["to_session"]), (&json!("Bob"), &json!(alice.session)));
}

/// Whoever has no other connection too: one is always there for oneself.
#[tokio::test]
async fn one_may_write_to_oneself_and_sees_it_once() {
    let app = App::spawn().await;
    let alice = app.log_in("Alice").await;
    let note = json!({"content": "a note", "to": "alice"});
    let note = app.post("/messages", &note, &[("cookie", &alice.cookie())]).await;
    assert_eq!(
        (&note.body["sender_session"], &note.body["to_session"]),
        (&json!(alice.session), &json!(alice.session))
    );
    let mut own = tabs(&app, &[Auth::Token(&alice)]).await;
    let mut others = tabs(&app, &[Auth::Nothing]).await;
    post(&app, &alice, "another", Some(&alice.session)).await;
    post(&app, &alice, THE_END, None).await;
    for tab in &mut own {
        assert_eq!(contents(&tab.messages_until(THE_END).await), ["another"]);
    }
    for tab in &mut others {
        assert!(tab.messages_until(THE_END).await.is_empty());
    }
    for reading in readings(&app, Auth::Token(&alice)).await {
        assert_eq!(contents(&reading), ["a note", "another"]);
    }
}

#[tokio::test]
async fn who_is_not_there_cannot_be_sent_anything_and_nothing_is_stored() {
    let app = App::spawn().await;
    let alice = app.log_in("Alice").await;
    let gone = app.log_in_claimed("Gone").await;
    app.log_out("Gone", &[("authorization", &gone.bearer())]).await;
    let silent = app.log_in("Silent").await;
    let nobody = "01a206df-5406-724c-b09f-dd96244dcd7c";
    for (to, status, code) in [
        ("Gone", 409, "recipient_offline"),
        ("gOnE", 409, "recipient_offline"),
        (gone.session.as_str(), 409, "recipient_offline"),
        ("Silent", 409, "recipient_unreachable"),
        (silent.session.as_str(), 409, "recipient_unreachable"),
        ("Nobody", 404, "unknown_recipient"),
        ("no name at all", 404, "unknown_recipient"),
        ("", 404, "unknown_recipient"),
        (nobody, 404, "unknown_recipient"),
    ] {
        let sentence = post(&app, &alice, "psst", Some(to)).await.assert_problem(status, code);
        // A name tells people more than a session does.
        let shown = [&gone, &silent].iter().any(|user| sentence.contains(&user.session));
        assert!(!shown, "{sentence}");
        for protocol in [Protocol::Plain, Protocol::SocketIo] {
            let (mut connection, _) = Connection::enter(&app, protocol, Auth::Token(&alice)).await;
            let message = json!({"content": "psst", "to": to});
            assert_eq!(connection.ask("send_message", &message).await["code"], code, "{to}");
        }
    }
    assert_eq!(app.get("/messages").await.body["last_id"], 0);
}

/// Whoever has the name could read along, until somebody has shown that it is theirs.
#[rstest]
#[tokio::test]
async fn an_unclaimed_session_is_reached_while_a_connection_has_proved_it(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn().await;
    let (alice, bob) = (app.log_in("Alice").await, app.log_in("Bob").await);
    // It may well be Bob's, and shows nothing.
    let (_unproved, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    post(&app, &alice, "psst", Some("Bob")).await.assert_problem(409, "recipient_unreachable");
    let (mut by_cookie, _) = Connection::enter(&app, protocol, Auth::Cookie(&bob)).await;
    assert_eq!(post(&app, &alice, "psst", Some("Bob")).await.status, 201);
    assert_eq!(contents(&[by_cookie.event("new_message").await]), ["psst"]);
    drop(by_cookie);
    let until_it_is_noticed = async {
        // Nobody is told when that happens.
        while post(&app, &alice, "still there?", Some("Bob")).await.status == 201 {}
    };
    in_time("the connection to be gone", until_it_is_noticed).await;
    post(&app, &alice, "psst", Some("Bob")).await.assert_problem(409, "recipient_unreachable");
    // A token claims, and who is claimed need not be there.
    drop(Connection::enter(&app, protocol, Auth::Token(&bob)).await);
    assert_eq!(post(&app, &alice, "psst", Some("Bob")).await.status, 201);
}

#[rstest]
#[case::nobody_in_particular(Auth::Nothing, json!({}))]
#[case::a_name_only(Auth::Nothing, json!({"sender": "Alice"}))]
#[tokio::test]
async fn it_takes_more_than_a_name_to_write_in_private(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] auth: Auth<'_>,
    #[case] mut message: Value,
) {
    let app = App::spawn().await;
    app.log_in("Alice").await;
    let bob = app.log_in_claimed("Bob").await;
    message["content"] = json!("psst");
    for to in ["Bob", &bob.session, "Alice", "Nobody"] {
        message["to"] = json!(to);
        let (mut connection, _) = Connection::enter(&app, protocol, auth).await;
        assert_eq!(connection.ask("send_message", &message).await["code"], "token_required", "{to}");
        app.post("/messages", &message, &[]).await.assert_problem(401, "token_required");
    }
    assert_eq!(app.get("/messages").await.body["last_id"], 0);
}
