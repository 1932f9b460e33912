//! The same message sent again, under the same `client_id`.

use std::slice;

use futures_util::future::join_all;
use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Answer, App, Auth, Connection, LoggedIn, Protocol};

/// The key of a request that may be repeated.
const KEY: &str = "idempotency-key";

fn repeatable(content: &str) -> Value {
    json!({"content": content, "client_id": "c-1"})
}

async fn post(app: &App, user: &LoggedIn, message: &Value) -> Answer {
    app.post("/messages", message, &[("authorization", &user.bearer())]).await
}

async fn post_with_key(app: &App, user: &LoggedIn, message: &Value, key: &str) -> Answer {
    app.post("/messages", message, &[("authorization", &user.bearer()), (KEY, key)]).await
}

/// What is stored, as this session sees it.
async fn stored(app: &App, user: &LoggedIn) -> Vec<Value> {
    let answer = app.get_as("/messages", &[("authorization", &user.bearer())]).await;
    answer.body["messages"].as_array().expect("an array").clone()
}

#[rstest]
#[tokio::test]
async fn of_fifty_repeats_at_once_one_becomes_a_message_and_all_get_its_answer(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    const CONNECTIONS: usize = 5;
    const EACH: usize = 10;

    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::enter(&app, protocol, Auth::Token(&john)).await.0);
    }
    let (mut listener, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    let message = repeatable("hello");
    let over_sockets = connections.iter_mut().map(async |connection| {
        for _ in 1..EACH {
            connection.emit_with_ack("send_message", &message).await;
        }
        connection.ask("send_message", &message).await
    });
    let over_rest = (0..EACH).map(|_| post(&app, &john, &message));
    let (acks, answers) = tokio::join!(join_all(over_sockets), join_all(over_rest));
    assert_eq!(acks[0]["id"], 1);
    assert!(acks.iter().all(|ack| *ack == acks[0]), "{acks:?}");
    let message = stored(&app, &john).await.pop().expect("it is stored");
    assert_eq!((&message["client_id"], &message["timestamp"]), (&json!("c-1"), &acks[0]["timestamp"]));
    assert!(answers.iter().all(|answer| answer.status == StatusCode::CREATED && answer.body == message));

    connections[0].ask("send_message", &json!({"content": "the end"})).await;
    for connection in connections.iter_mut().chain([&mut listener]) {
        assert_eq!(connection.messages_until("the end").await, slice::from_ref(&message));
    }
    assert_eq!(app.get("/messages").await.body["last_id"], 2);
}

#[tokio::test]
async fn the_header_and_the_member_are_the_same_thing() {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let hello = json!({"content": "hello"});
    let first = post(&app, &john, &repeatable("hello")).await;
    for (message, key) in [(&hello, "c-1"), (&hello, "\"c-1\""), (&repeatable("hello"), "\"c-1\"")] {
        let again = post_with_key(&app, &john, message, key).await;
        assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body), "{key}");
    }
    let (mut connection, _) = Connection::enter(&app, Protocol::Plain, Auth::Cookie(&john)).await;
    let ack = connection.ask("send_message", &repeatable(" hello\r\n")).await;
    assert_eq!(ack["id"], 1, "it is the same when it is tidied up");
    let other = post_with_key(&app, &john, &hello, "C-1").await;
    assert_eq!((&other.body["id"], &other.body["client_id"]), (&json!(2), &json!("C-1")));
}

#[rstest]
#[case::another_than_the_members(repeatable("hello"), "c-2")]
#[case::empty(json!({"content": "hello"}), "")]
#[case::empty_between_quotes(json!({"content": "hello"}), "\"\"")]
#[case::too_long(json!({"content": "hello"}), &"x".repeat(65))]
#[case::not_ascii(json!({"content": "hello"}), "é")]
#[tokio::test]
async fn a_key_that_is_none_is_refused(#[case] message: Value, #[case] key: &str) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    post_with_key(&app, &john, &message, key).await.assert_problem(400, "invalid_client_id");
    assert!(stored(&app, &john).await.is_empty());
}

#[rstest]
#[case::too_long(&"x".repeat(65))]
#[case::empty("")]
#[case::control("a\nb")]
#[tokio::test]
async fn a_client_id_that_is_none_is_refused(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] client_id: &str,
) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let message = json!({"content": "hello", "client_id": client_id});
    let (mut connection, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    assert_eq!(connection.ask("send_message", &message).await["code"], "invalid_client_id");
    post(&app, &john, &message).await.assert_problem(400, "invalid_client_id");
}

#[rstest]
#[tokio::test]
async fn a_client_id_is_good_for_one_message_only(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn().await;
    let (john, bob, zoe) =
        (app.log_in("JohnDoe").await, app.log_in_claimed("Bob").await, app.log_in_claimed("Zoë").await);
    let message = |content: &str, client_id: &str, to: Option<&str>| json!({"content": content, "client_id": client_id, "to": to});
    let firsts = [("public", None), ("private", Some("Bob"))];
    for (client_id, to) in firsts {
        assert_eq!(post(&app, &john, &message("hello", client_id, to)).await.status, StatusCode::CREATED);
    }
    let (mut connection, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    for other in [
        message("Hello", "public", None),
        message("hello", "public", Some("Bob")),
        message("Hello", "private", Some("Bob")),
        message("hello", "private", None),
        message("hello", "private", Some("Zoë")),
        message("hello", "private", Some(&zoe.session)),
        message("hello", "private", Some("Nobody")),
    ] {
        assert_eq!(connection.ask("send_message", &other).await["code"], "client_id_conflict", "{other}");
        post(&app, &john, &other).await.assert_problem(422, "client_id_conflict");
    }
    assert_eq!(stored(&app, &john).await.len(), 2);
    // Refused ones use nothing up.
    for (id, (client_id, to)) in (1..).zip(firsts) {
        assert_eq!(post(&app, &john, &message("hello", client_id, to)).await.body["id"], id);
    }
    assert_eq!(stored(&app, &bob).await.len(), 2);
}

#[tokio::test]
async fn another_session_has_client_ids_of_its_own_also_the_next_one_of_the_same_name() {
    let app = App::spawn().await;
    let (john, zoe) = (app.log_in_claimed("JohnDoe").await, app.log_in_claimed("Zoë").await);
    assert_eq!(post(&app, &john, &repeatable("hello")).await.body["id"], 1);
    assert_eq!(post(&app, &zoe, &repeatable("hello")).await.body["id"], 2);
    app.log_out("JohnDoe", &[("authorization", &john.bearer())]).await;
    post(&app, &john, &repeatable("hello")).await.assert_problem(401, "invalid_token");
    let next = app.log_in_claimed("JohnDoe").await;
    assert_eq!(post(&app, &next, &repeatable("something else")).await.body["id"], 3);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_after_a_restart() {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let first = post(&app, &john, &repeatable("hello")).await.body;
    let app = app.restart().await;
    assert_eq!(post(&app, &john, &repeatable("hello")).await.body, first);
    post(&app, &john, &repeatable("hallo")).await.assert_problem(422, "client_id_conflict");
    assert_eq!(stored(&app, &john).await, [first]);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_when_its_message_is_not_kept_any_more() {
    let app = App::spawn_with(&[("messages.keep_at_most", "1")]).await;
    let (john, bob) = (app.log_in("JohnDoe").await, app.log_in_claimed("Bob").await);
    let private = json!({"content": "psst", "client_id": "c-2", "to": bob.session});
    let firsts = [post(&app, &john, &repeatable("hello")).await, post(&app, &john, &private).await]
        .map(|first| first.body);
    post(&app, &john, &json!({"content": "the last"})).await;
    app.pruned_to(3).await;
    for (message, first) in [repeatable("hello"), private].iter().zip(&firsts) {
        let again = post(&app, &john, message).await;
        assert_eq!((again.status, &again.body), (StatusCode::CREATED, first));
    }
    post(&app, &john, &repeatable("hallo")).await.assert_problem(422, "client_id_conflict");
    assert_eq!(app.get("/messages").await.body["last_id"], 3);
}

#[rstest]
#[case::named("bob")]
#[case::by_session("")]
#[tokio::test]
async fn a_repeat_gets_the_first_answer_when_the_recipient_has_gone(#[case] to: &str) {
    let app = App::spawn().await;
    let (john, bob) = (app.log_in("JohnDoe").await, app.log_in_claimed("Bob").await);
    let to = if to.is_empty() { bob.session.as_str() } else { to };
    let message = json!({"content": "psst", "client_id": "c-1", "to": to});
    let first = post(&app, &john, &message).await.body;
    app.log_out("Bob", &[("authorization", &bob.bearer())]).await;
    assert_eq!(post(&app, &john, &message).await.body, first);
    // Nor is it for whoever has the name now.
    let next = app.log_in_claimed("Bob").await;
    let (mut listener, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&next)).await;
    assert_eq!(post(&app, &john, &message).await.body, first);
    post(&app, &john, &json!({"content": "the end"})).await;
    assert!(listener.messages_until("the end").await.is_empty());
    assert_eq!(stored(&app, &next).await.len(), 1);
}
