//! What the API page shows as events is what is sent over sockets.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::{Value, json};

use super::answers::{differences, timeless};
use crate::harness::contract::ASYNCAPI;
use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, Received};

/// What takes a broken database, or a lobby that is very busy, or has limits. Other tests see to that.
const NOT_HERE: [&str; 5] = ["busy", "outcome_unknown", "overloaded", "rate_limited", "unavailable"];

fn examples(message: &str) -> &'static Vec<Value> {
    let examples = ASYNCAPI.value["components"]["messages"][message]["examples"].as_array();
    examples.unwrap_or_else(|| panic!("{message} has no examples"))
}

pub(super) fn shown(message: &str, name: &str) -> &'static Value {
    let example = examples(message).iter().find(|example| example["name"] == name);
    &example.unwrap_or_else(|| panic!("{message} has no example '{name}'"))["payload"]
}

/// What all examples of a message are called.
fn names(message: &str) -> BTreeSet<&'static str> {
    examples(message).iter().map(|example| example["name"].as_str().expect("a name")).collect()
}

#[track_caller]
fn assert_as_shown(message: &str, name: &str, is: &Value) {
    let mut found = Vec::new();
    differences(shown(message, name), is, "", &mut found);
    assert!(found.is_empty(), "{message}: {found:?}");
}

#[rstest]
#[tokio::test]
async fn the_lobby_tells_what_the_examples_show(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn().await;
    let john = app.log_in_claimed("JohnDoe").await;
    app.told_of(1).await;
    let (mut watching, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    let (mut in_batches, _) = Connection::enter_with(&app, protocol, &json!({"batch": true})).await;
    let bob = app.log_in_claimed("Bob").await;
    assert_as_shown("user_joined", "Bob", &watching.event("user_joined").await);
    let (mut johns, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    let (mut bobs, session) = Connection::enter(&app, protocol, Auth::Token(&bob)).await;
    assert_as_shown("session", "Bob's", &session);
    let (_, session) = Connection::enter(&app, protocol, Auth::Nothing).await;
    assert_as_shown("session", "nobody's", &session);

    let stored = johns.ask("send_message", shown("send_message", "to everybody")).await;
    assert_as_shown("posted", "stored", &stored);
    assert_as_shown("new_message", "to everybody", &bobs.event("new_message").await);
    johns.ask("send_message", shown("send_message", "to one")).await;
    assert_as_shown("new_message", "to one", &bobs.event("new_message").await);
    johns.emit("typing", shown("start_typing", "to everybody")).await;
    assert_as_shown("typing", "to everybody", &bobs.event("typing").await);
    let refused = johns.ask("send_message", &json!({"content": ""})).await;
    assert_as_shown("posted", "refused", &refused);
    let refused = watching.ask("typing", &Value::Null).await;
    assert_as_shown("refused", "refused", &refused);
    johns.emit("send_message", &json!({"content": ""})).await;
    assert_as_shown("error", "content_empty", &johns.event("error").await);

    app.log_out("JohnDoe", &[("authorization", &john.bearer())]).await;
    assert_as_shown("user_left", "JohnDoe", &watching.event("user_left").await);
    assert_as_shown("users_changed", "both", &changes_until(&mut in_batches, 3).await);
}

/// What came in several batches, as if in one.
async fn changes_until(connection: &mut Connection, revision: u64) -> Value {
    let (mut joined, mut left) = (Vec::new(), Vec::new());
    loop {
        let changed = connection.event("users_changed").await;
        joined.extend(changed["joined"].as_array().expect("an array").clone());
        left.extend(changed["left"].as_array().expect("an array").clone());
        if changed["revision"] == revision {
            return json!({"joined": joined, "left": left, "revision": revision});
        }
    }
}

#[tokio::test]
async fn who_is_turned_away_is_told_why_as_the_example_shows() {
    let open = App::spawn().await;
    let strict = App::spawn_with(&[("auth.mode", "token")]).await;
    let refused = [
        ("invalid_token", &open, json!({"token": "forged"})),
        ("token_required", &strict, json!({})),
        ("invalid_auth", &open, json!({"token": 1})),
    ];
    for (code, app, auth) in &refused {
        let mut turned_away = Connection::connecting_with(app, Protocol::SocketIo, &[], auth).await;
        let Received::ConnectError(error) = turned_away.receive().await else {
            panic!("{code}: it is let in")
        };
        assert_as_shown("connect_error", code, &error);
    }
    let seen = refused.iter().map(|(code, ..)| *code).chain(NOT_HERE).chain(["too_many_connections"]);
    assert_eq!(names("connect_error"), seen.collect());
}

/// What is refused for which reason, where Silent is unclaimed and Gone has gone.
fn bad_events() -> Vec<(&'static str, &'static str, Value)> {
    let say = |code, data| (code, "send_message", data);
    vec![
        ("unknown_event", "shout", json!({})),
        say("invalid_payload", Value::Null),
        say("content_empty", json!({"content": " "})),
        say("content_too_long", json!({"content": "x".repeat(4_001)})),
        say("content_control_character", json!({"content": "a\0b"})),
        say("invalid_client_id", json!({"content": "Hello!", "client_id": ""})),
        say("client_id_conflict", json!({"content": "other", "client_id": "x"})),
        say("not_your_session", json!({"content": "Hello!", "sender": "Silent"})),
        say("unknown_recipient", json!({"content": "Hello!", "to": "Nobody"})),
        say("recipient_offline", json!({"content": "Hello!", "to": "Gone"})),
        say("recipient_unreachable", json!({"content": "Hello!", "to": "Silent"})),
    ]
}

async fn lobby_of_refusals() -> (App, LoggedIn) {
    let app = App::spawn().await;
    let john = app.log_in_claimed("JohnDoe").await;
    app.log_in("Silent").await;
    app.log_in("Gone").await;
    app.log_out("Gone", &[]).await;
    (app, john)
}

#[rstest]
#[tokio::test]
async fn events_are_refused_as_the_examples_show(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let (app, john) = lobby_of_refusals().await;
    let (mut johns, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    johns.ask("send_message", &json!({"content": "one", "client_id": "x"})).await;
    let (mut nobodys, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    let mut refused = Vec::new();
    for (code, event, data) in bad_events() {
        johns.emit(event, &data).await;
        refused.push((code, johns.event("error").await));
    }
    for (code, sender) in [("token_required", Value::Null), ("not_connected", json!("Nobody"))] {
        nobodys.emit("send_message", &json!({"content": "Hello!", "sender": sender})).await;
        refused.push((code, nobodys.event("error").await));
    }
    if protocol == Protocol::Plain {
        johns.send_text("x").await;
        refused.push(("invalid_frame", johns.event("error").await));
    }
    for (code, error) in &refused {
        assert_eq!(error["code"], *code, "{error}");
        let sentence = |error: &Value| {
            let sentence = error["error"].as_str().expect("a sentence");
            // Each example stands for itself: the names in them are not one story.
            timeless(&sentence.replace("'Gone'", "'Bob'").replace("'Silent'", "'Bob'"))
        };
        let shown = match protocol {
            Protocol::Plain => &shown("frame.error", code)["data"],
            Protocol::SocketIo => shown("error", code),
        };
        assert_eq!(sentence(error), sentence(shown));
    }
    let (told, limited) = match protocol {
        Protocol::Plain => (names("frame.error"), Some("too_many_connections")),
        Protocol::SocketIo => (names("error"), None),
    };
    assert_eq!(told, refused.iter().map(|(code, _)| *code).chain(NOT_HERE).chain(limited).collect());
}

/// What a plain client leaves out, and what it may not.
#[test]
fn only_what_makes_no_sense_without_data_owes_it() {
    for (event, owed) in [("connect", false), ("typing", false), ("send_message", true)] {
        let key = if event == "typing" { "frame.start_typing".to_owned() } else { format!("frame.{event}") };
        let payload = &ASYNCAPI.value["components"]["messages"][&key]["payload"];
        let is_wrong = !ASYNCAPI.complaints(payload, &json!({"event": event})).is_empty();
        assert_eq!(is_wrong, owed, "{event}");
    }
}
