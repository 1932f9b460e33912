//! What only `/ws` has.

use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{App, Auth, Connection, Protocol, RawSocket, Received, in_time};

#[rstest]
#[case::another_event(r#"{"event": "send_message", "data": {"content": "x"}}"#)]
#[case::no_json("hello")]
#[case::wrong_data(r#"{"event": "connect", "data": 7}"#)]
#[tokio::test]
async fn the_first_frame_has_to_be_connect(#[case] first: &str) {
    let app = App::spawn().await;
    let mut connection = Connection::open(&app, Protocol::Plain, &[]).await.expect("a handshake");
    connection.send_text(first).await;
    assert_eq!(connection.closed().await, (4400, "connect_first".to_owned()));
}

#[rstest]
#[case::without_data(r#"{"event": "connect"}"#)]
#[case::empty(r#"{"event": "connect", "data": {}}"#)]
#[case::null(r#"{"event": "connect", "data": null}"#)]
#[case::with_more(r#"{"event": "connect", "data": {"token": null, "later": 1}, "ack": 1}"#)]
#[tokio::test]
async fn connect_may_be_empty(#[case] connect: &str) {
    let app = App::spawn().await;
    let mut connection = Connection::open(&app, Protocol::Plain, &[]).await.expect("a handshake");
    connection.send_text(connect).await;
    assert!(matches!(connection.receive().await, Received::Event(name, _) if name == "session"));
}

#[tokio::test]
async fn whoever_does_not_say_connect_in_time_is_closed() {
    let app = App::spawn_with(&[("websocket.connect_timeout", "100ms")]).await;
    let mut connection = Connection::open(&app, Protocol::Plain, &[]).await.expect("a handshake");
    assert_eq!(connection.closed().await, (4408, "connect_timeout".to_owned()));
}

#[tokio::test]
async fn a_bad_token_closes_with_4401() {
    let app = App::spawn().await;
    let mut connection = Connection::connecting(&app, Protocol::Plain, Auth::Forged("forged")).await;
    assert_eq!(connection.closed().await, (4401, "invalid_token".to_owned()));
}

#[tokio::test]
async fn a_frame_that_is_no_event_is_refused_and_the_connection_lives_on() {
    let app = App::spawn().await;
    let (mut connection, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    for frame in ["", "{", "[]", r#"{"data": 1}"#, r#"{"event": 1}"#, r#""hello""#] {
        connection.send_text(frame).await;
        assert_eq!(connection.event("error").await["code"], "invalid_frame", "{frame}");
    }
}

#[tokio::test]
async fn an_ack_comes_back_as_it_was_sent() {
    let app = App::spawn().await;
    app.log_in("JohnDoe").await;
    let (mut connection, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    let data = json!({"content": "x", "sender": "JohnDoe"});
    let message = json!({"event": "send_message", "data": data, "ack": u64::MAX});
    connection.send_text(&message.to_string()).await;
    assert!(matches!(connection.receive().await, Received::Event(..)));
    assert!(matches!(connection.receive().await, Received::Ack(u64::MAX, _)));
}

#[tokio::test]
async fn binary_frames_close_with_1003() {
    let app = App::spawn().await;
    let (mut connection, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    connection.send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(connection.closed().await.0, 1003);
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_told_so() {
    let app = App::spawn().await;
    let answer = app.get("/ws").await;
    // RFC 9110 §15.5.22 and §7.8: what to upgrade to, as something between this connection's ends.
    assert_eq!((answer.header("upgrade"), answer.header("connection")), ("websocket", "upgrade"));
    // RFC 6455 §4.4: by which version.
    assert_eq!(answer.header("sec-websocket-version"), "13");
    answer.assert_problem(426, "upgrade_required");
}

/// Clients that keep their connections would find it closed when they ask for something else.
#[tokio::test]
async fn who_is_told_that_it_is_no_handshake_may_go_on_asking_over_the_same_connection() {
    let app = App::spawn().await;
    let mut stream = TcpStream::connect(app.address()).await.expect("it listens");
    stream.write_all(b"GET /ws HTTP/1.1\r\nHost: lobby\r\n\r\n").await.expect("it reads");
    let mut told = Vec::new();
    while !told.ends_with(b"}") {
        let more = in_time("the answer", stream.read_buf(&mut told)).await.expect("it is there");
        assert!(more > 0, "it has ended behind {}", String::from_utf8_lossy(&told));
    }
    let next = b"GET /health/live HTTP/1.1\r\nHost: lobby\r\nConnection: close\r\n\r\n";
    stream.write_all(next).await.expect("it goes on reading");
    in_time("the end", stream.read_to_end(&mut told)).await.expect("it closes in order");
    let told = String::from_utf8(told).expect("text");
    assert!(told.starts_with("HTTP/1.1 426 ") && told.ends_with("{\"status\":\"live\"}"), "{told}");
}

#[tokio::test]
async fn a_handshake_of_another_version_is_told_which_one_is_spoken() {
    let app = App::spawn().await;
    let handshake = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "12"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let answer = app.get_as("/ws", &handshake).await;
    assert_eq!((answer.header("upgrade"), answer.header("sec-websocket-version")), ("websocket", "13"));
    answer.assert_problem(426, "upgrade_required");
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_cut_and_one_that_does_stays() {
    let app =
        App::spawn_with(&[("websocket.ping_interval", "100ms"), ("websocket.ping_timeout", "2s")]).await;
    let (mut answering, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    let mut silent = RawSocket::open(&app).await;
    tokio::select! {
        received = silent.read_to_end() => assert!(received.windows(2).any(|bytes| bytes == [0x89, 0x00]), "no ping"),
        ended = answering.closed() => panic!("{ended:?}"),
    }
    app.log_in("JohnDoe").await;
    answering.event("user_joined").await;
}
