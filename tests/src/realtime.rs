//! Both socket protocols, the same rules over each.

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{App, Auth, Connection, Protocol, Received};

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn the_session_event_comes_first_and_says_how_things_stand(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    app.log_in("Zoë").await;
    app.told_of(2).await;

    let (_, session) = Connection::enter(&app, protocol, Auth::Nothing).await;
    assert_eq!(session.get("user"), None);
    assert_eq!(session["users"], app.get("/users?sort_by=connected_at").await.body);
    assert_eq!((&session["revision"], &session["last_id"]), (&json!(2), &json!(0)));
    assert_eq!((&session["recovered"], &session["users_total"]), (&json!(false), &json!(2)));
    assert!(session["log"].as_str().is_some_and(|log| log.len() == 36), "{session}");

    for auth in [Auth::Token(&john), Auth::Header(&john), Auth::Cookie(&john)] {
        let (_, session) = Connection::enter(&app, protocol, auth).await;
        assert_eq!(session["user"]["session"], json!(john.session), "{auth:?}");
    }
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn a_message_is_acknowledged_and_reaches_everybody_the_sender_too(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let (mut sender, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    let mut listeners = Vec::new();
    for listener in [Protocol::Plain, Protocol::SocketIo, Protocol::Plain, Protocol::SocketIo] {
        listeners.push(Connection::enter(&app, listener, Auth::Nothing).await.0);
    }
    let ack = sender.ask("send_message", &json!({"content": " Hello, 李明! \r\n<b>\"🎉\"</b> "})).await;
    let expected = json!({
        "id": 1,
        "sender": "JohnDoe",
        "sender_id": 1,
        "sender_session": john.session,
        "content": "Hello, 李明! \n<b>\"🎉\"</b>",
        "timestamp": ack["timestamp"],
    });
    assert_eq!(ack, json!({"id": 1, "timestamp": expected["timestamp"]}));
    assert_eq!(sender.event("new_message").await, expected);
    for listener in &mut listeners {
        assert_eq!(listener.receive().await, Received::Event("new_message".to_owned(), expected.clone()));
    }
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn comings_and_goings_are_told_in_the_order_of_their_revisions(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let (mut listener, session) = Connection::enter(&app, protocol, Auth::Nothing).await;
    assert_eq!((&session["users"], &session["revision"]), (&json!([]), &json!(0)));
    let john = app.log_in("JohnDoe").await;
    let users = listener.event("user_joined").await;
    assert_eq!(users["revision"], 1);
    assert_eq!(
        (&users["user"]["pseudonym"], &users["user"]["session"]),
        (&json!("JohnDoe"), &json!(john.session))
    );
    app.log_out("JohnDoe", &[]).await;
    let left = listener.event("user_left").await;
    let expected =
        json!({"id": 1, "pseudonym": "JohnDoe", "session": john.session, "reason": "logout", "revision": 2});
    assert_eq!(left, expected);
}

#[tokio::test]
async fn everybody_sees_the_same_order_whoever_speaks() {
    const SPEAKERS: usize = 8;
    const EACH: usize = 50;

    let app = App::spawn().await;
    let protocol = |n: usize| if n.is_multiple_of(2) { Protocol::Plain } else { Protocol::SocketIo };
    let mut listeners = Vec::new();
    for n in 0..6 {
        listeners.push(Connection::enter(&app, protocol(n), Auth::Nothing).await.0);
    }
    let mut speakers = Vec::new();
    for n in 0..SPEAKERS {
        let user = app.log_in(&format!("speaker-{n}")).await;
        speakers.push(Connection::enter(&app, protocol(n), Auth::Token(&user)).await.0);
    }
    join_all(speakers.iter_mut().enumerate().map(async |(speaker, connection)| {
        // All at once, none waiting for the answer to the one before.
        for n in 0..EACH {
            connection.emit_with_ack("send_message", &json!({"content": format!("{speaker}/{n}")})).await;
        }
    }))
    .await;

    let mut seen = Vec::new();
    for connection in listeners.iter_mut().chain(&mut speakers) {
        seen.push(connection.messages(SPEAKERS * EACH).await);
    }
    let ids: Vec<_> = seen[0].iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, (1..).take(SPEAKERS * EACH).collect::<Vec<_>>());
    assert!(seen.iter().all(|other| *other == seen[0]), "somebody saw another order");
    for speaker in 0..SPEAKERS {
        let of_speaker = seen[0].iter().filter(|(_, content)| content.starts_with(&format!("{speaker}/")));
        let said: Vec<_> = of_speaker.map(|(_, content)| content.clone()).collect();
        assert_eq!(
            said,
            (0..EACH).map(|n| format!("{speaker}/{n}")).collect::<Vec<_>>(),
            "in the order it was said"
        );
    }
}

#[rstest]
#[case::too_long("x".repeat(16 * 1024 + 1), "content_too_long", "16384 bytes")]
#[case::too_many_characters("x".repeat(4_001), "content_too_long", "4000 characters")]
#[case::empty(" \n ".to_owned(), "content_empty", "at least one character")]
#[case::control("a\u{7}b".to_owned(), "content_control_character", "U+0007")]
#[tokio::test]
async fn a_message_that_breaks_a_rule_is_refused_and_the_connection_lives_on(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] content: String,
    #[case] code: &str,
    #[case] sentence: &str,
) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let (mut connection, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    let message = json!({"content": content});
    let ack = connection.ask("send_message", &message).await;
    connection.emit("send_message", &message).await;
    for refusal in [ack, connection.event("error").await] {
        assert_eq!(refusal["code"], code, "{refusal}");
        assert!(refusal["error"].as_str().is_some_and(|error| error.contains(sentence)), "{refusal}");
    }
    assert_eq!(connection.ask("send_message", &json!({"content": "still here"})).await["id"], 1);
}

#[rstest]
#[case::offline("send_message", json!({"content": "x", "sender": "Nobody"}), "not_connected")]
#[case::nobody_in_particular("send_message", json!({"content": "x"}), "token_required")]
#[case::no_content("send_message", json!({"sender": "JohnDoe"}), "invalid_payload")]
#[case::wrong_type("send_message", json!({"sender": "JohnDoe", "content": 7}), "invalid_payload")]
#[case::no_object("send_message", json!("hello"), "invalid_payload")]
#[case::array("send_message", json!(["x", "JohnDoe", null, null]), "invalid_payload")]
#[case::nothing("send_message", Value::Null, "invalid_payload")]
#[case::private("send_message", json!({"sender": "JohnDoe", "content": "x", "to": "Zoë"}), "token_required")]
#[case::repeatable("send_message", json!({"sender": "JohnDoe", "content": "x", "client_id": "1"}), "token_required")]
#[case::unnamed("send_message", json!({"sender": "JohnDoe", "content": "x", "client_id": ""}), "invalid_client_id")]
#[case::nobodys_name("send_message", json!({"sender": "a\u{0}b", "content": "x"}), "not_connected")]
#[case::to_nobodys_name("send_message", json!({"content": "x", "to": "a\u{0}b"}), "unknown_recipient")]
#[case::to_nobody("send_message", json!({"content": "x", "to": "x".repeat(2_000)}), "unknown_recipient")]
#[case::unknown("sing", json!({}), "unknown_event")]
#[case::prototype("__proto__", json!({}), "unknown_event")]
// By which pages find out whether the server is there still (docs/api.md).
#[case::ping("ping", Value::Null, "unknown_event")]
#[tokio::test]
async fn what_makes_no_sense_is_refused_and_the_connection_lives_on(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] event: &str,
    #[case] data: Value,
    #[case] code: &str,
) {
    let app = App::spawn().await;
    app.log_in("JohnDoe").await;
    let (mut connection, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    assert_eq!(connection.ask(event, &data).await["code"], code);
    connection.emit(event, &data).await;
    assert_eq!(connection.event("error").await["code"], code);
    let said = connection.ask("send_message", &json!({"content": "still here", "sender": "JohnDoe"})).await;
    assert_eq!(said["id"], 1, "{said}");
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn logging_out_closes_the_sessions_connections_and_no_others(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let zoe = app.log_in("Zoë").await;
    let (mut by_token, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    let (mut by_header, _) = Connection::enter(&app, protocol, Auth::Header(&john)).await;
    let (mut nobodys, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    let (mut other, _) = Connection::enter(&app, protocol, Auth::Token(&zoe)).await;

    app.log_out("JohnDoe", &[("authorization", &john.bearer())]).await;
    for connection in [&mut by_token, &mut by_header] {
        // Whatever it is told of who comes and goes comes before.
        let mut last = connection.receive().await;
        while matches!(last, Received::Event(..)) {
            last = connection.receive().await;
        }
        match protocol {
            Protocol::Plain => assert_eq!(last, Received::Closed(4401, "session_over".to_owned())),
            Protocol::SocketIo => {
                assert_eq!(last, Received::Disconnect);
                connection.closed().await;
            }
        }
    }
    for connection in [&mut nobodys, &mut other] {
        assert_eq!(connection.event("user_left").await["session"], json!(john.session));
        let said = connection.ask("send_message", &json!({"content": "still here", "sender": "Zoë"})).await;
        let allowed = said.get("id").is_some() || said["code"] == "token_required";
        assert!(allowed, "{said}");
    }
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn a_shutdown_tells_those_who_have_not_said_who_they_are_too(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let mut connection = Connection::open(&app, protocol, &[]).await.expect("a handshake");
    let stopping = tokio::spawn(app.stop());
    assert_eq!(connection.closed().await.0, 1001);
    drop(connection);
    stopping.await.expect("it stops in order");
}

/// However many are online, whoever comes in is told.
#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn the_session_event_lists_as_many_as_the_settings_say_and_how_many_there_are(
    #[case] protocol: Protocol,
) {
    let app = App::spawn_with(&[("presence.snapshot", "3")]).await;
    for n in 0..5 {
        app.log_in(&format!("user-{n}")).await;
    }
    app.told_of(5).await;
    let (_, session) = Connection::enter(&app, protocol, Auth::Nothing).await;
    let listed = session["users"].as_array().expect("an array");
    let names: Vec<_> = listed.iter().map(|user| user["pseudonym"].as_str().expect("a text")).collect();
    assert_eq!((names, &session["users_total"]), (vec!["user-0", "user-1", "user-2"], &json!(5)));
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn a_shutdown_tells_every_connection(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let (mut connection, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    let stopping = tokio::spawn(app.stop());
    let (code, _) = connection.closed().await;
    match protocol {
        Protocol::Plain => assert_eq!(code, 1001),
        Protocol::SocketIo => assert!([1000, 1001, 1005].contains(&code), "{code}"),
    }
    drop(connection);
    stopping.await.expect("it stops in order");
}
