//! What hostile clients try: each is refused as the protocol says, and nothing of it is held for long.

use std::sync::Arc;
use std::time::Duration;

use actix_socketio::{Admit, Config, Permit, TooMany};
use actix_web::http::StatusCode;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::client::Client;
use crate::http::{Poller, answer, send};
use crate::server::Server;

/// The session is over, and nothing is left of it.
async fn over(server: &Server, reason: &str) {
    assert_eq!(server.notes.next().await, format!("disconnected /: {reason}"));
    server.emptied().await;
}

/// Texts, then binary messages, then a last text; the close code and the reason.
type Case = (&'static [&'static str], &'static [&'static [u8]], &'static str, u16, &'static str);

#[actix_web::test]
async fn binary_packets_that_break_a_bound_close_the_connection() {
    const ANNOUNCE: &str = r#"452-["message",1]"#;
    let server = Server::start(Config { max_attachment_bytes: 10, ..Config::default() });
    let table: [Case; 6] = [
        (&[], &[&[1]], "", 1002, "parse error"),
        (&[r#"4511-["message",1]"#], &[], "", 1002, "parse error"),
        (&[r#"4599999999999999999999-["message",1]"#], &[], "", 1002, "parse error"),
        (&[ANNOUNCE], &[&[0; 6], &[0; 6]], "", 1002, "parse error"),
        (&[ANNOUNCE], &[&[0; 6]], r#"42["message",1]"#, 1002, "parse error"),
        (&[r#"452-/custom,["message",1]"#], &[], "", 1008, "forced server close"),
    ];
    for (texts, binaries, last, code, reason) in table {
        let mut client = Client::join(&server).await;
        client.pipeline(texts.iter().map(|&text| text.to_owned())).await;
        for data in binaries {
            client.send_binary(data).await;
        }
        client.pipeline(Some(last.to_owned()).filter(|last| !last.is_empty())).await;
        assert_eq!(client.closed().await, (code, reason.to_owned()), "{texts:?}");
        over(&server, reason).await;
    }
    server.stop().await;
}

#[actix_web::test]
async fn attachments_that_do_not_come_close_the_connection() {
    let config = Config { attachment_timeout: Duration::from_millis(50), ..Config::default() };
    let server = Server::start(config);
    let mut client = Client::join(&server).await;
    client.send(r#"452-["message",1]"#).await;
    client.send_binary(&[1]).await;
    assert_eq!(client.closed().await, (1002, "parse error".to_owned()));
    over(&server, "parse error").await;
    server.stop().await;
}

#[actix_web::test]
async fn bad_utf8_closes_with_1007_and_a_message_too_large_with_1009() {
    let server = Server::start(Config { max_payload: 1_000, ..Config::default() });
    for (frame, code) in
        [(&[0x81, 0x82, 0, 0, 0, 0, 0xC3, 0x28][..], 1007_u16), (&[0x81, 0xFE, 0x10, 0x00, 0, 0, 0, 0], 1009)]
    {
        let mut client = Client::join(&server).await;
        client.send_raw(frame).await;
        assert_eq!(client.closed().await.0, code);
        over(&server, "transport error").await;
    }
    server.stop().await;
}

#[actix_web::test]
async fn bodies_that_break_a_bound_are_refused_and_end_the_session() {
    let config = Config { max_payload: 100, max_packets_per_payload: 3, ..Config::default() };
    let server = Server::start_on_two(config);
    let event = r#"42["message",1]"#;
    let table = [
        ("x".repeat(101), 413, "transport error"),
        ([event; 4].join("\x1e"), 400, "transport error"),
        (String::new(), 400, "parse error"),
        ("abc".to_owned(), 400, "parse error"),
        ("4abc".to_owned(), 400, "parse error"),
        ("b!!".to_owned(), 400, "parse error"),
        ("bAQID".to_owned(), 400, "parse error"),
        ("42[\"__proto__\"]\x1e5".to_owned(), 400, "parse error"),
        ("2probe".to_owned(), 400, "transport error"),
        (r#"42["disconnect"]"#.to_owned(), 400, "parse error"),
        (r#"4299999999999999999999["message"]"#.to_owned(), 400, "parse error"),
    ];
    for (body, status, reason) in table {
        let poller = Poller::join(&server).await;
        assert_eq!(poller.post(&body).await.status, status, "{body}");
        if body.contains("__proto__") {
            assert_eq!(server.notes.next().await, "event __proto__");
        }
        over(&server, reason).await;
        assert_eq!(poller.get().await.status, 400);
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_body_that_is_no_text_is_refused() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    let mut post = poller.start("POST", 3).await;
    post.write_all(b"4\xC3\x28").await.unwrap();
    assert_eq!(answer(post).await.status, 400);
    over(&server, "parse error").await;
    server.stop().await;
}

#[actix_web::test]
async fn a_chunked_body_is_bounded_as_it_comes() {
    let server = Server::start_on_two(Config { max_payload: 100, ..Config::default() });
    let poller = Poller::join(&server).await;
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", poller.sid);
    let head = format!("POST {target} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut post = send(server.port, head.as_bytes()).await;
    post.write_all(format!("c8\r\n{}\r\n", "x".repeat(200)).as_bytes()).await.unwrap();
    assert_eq!(answer(post).await.status, 413);
    over(&server, "transport error").await;
    server.stop().await;
}

#[actix_web::test]
async fn a_body_that_does_not_come_is_given_up_in_time() {
    let config = Config { payload_timeout: Duration::from_millis(50), ..Config::default() };
    let server = Server::start_on_two(config);
    let poller = Poller::join(&server).await;
    let mut post = poller.start("POST", 100).await;
    post.write_all(b"42").await.unwrap();
    assert_eq!(answer(post).await.status, 408);
    over(&server, "transport error").await;
    server.stop().await;
}

#[actix_web::test]
async fn a_body_is_not_waited_for_when_its_session_has_ended() {
    let short = Duration::from_millis(50);
    let server =
        Server::start_on_two(Config { ping_interval: short, ping_timeout: short, ..Config::default() });
    let poller = Poller::join(&server).await;
    let post = poller.start("POST", 100).await;
    over(&server, "ping timeout").await;
    assert_eq!(answer(post).await.status, 400);
    server.stop().await;
}

#[actix_web::test]
async fn another_post_is_refused_while_one_is_still_arriving() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    let (one, other) = (poller.start("POST", 100).await, poller.start("POST", 100).await);
    for post in [one, other] {
        assert_eq!(answer(post).await.status, 400);
    }
    over(&server, "transport error").await;
    server.stop().await;
}

#[actix_web::test]
async fn a_flood_of_headers_is_refused_before_it_reaches_a_session() {
    let server = Server::start(Config::default());
    let lines = format!("x: {}\r\n", "y".repeat(100)).repeat(5_000);
    let head = format!("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\n{lines}\r\n");
    let refused = answer(send(server.port, head.as_bytes()).await).await;
    assert!((400..500).contains(&refused.status), "{}", refused.status);
    assert_eq!(server.io.sessions(), 0);
    server.stop().await;
}

#[actix_web::test]
async fn no_more_acknowledgements_are_owed_than_allowed() {
    let server = Server::start(Config { max_pending_acks: 2, ..Config::default() });
    let mut client = Client::join(&server).await;
    for n in 0..2 {
        client.send(r#"42["ask"]"#).await;
        assert_eq!(client.next().await, format!(r#"42{n}["question",1]"#));
    }
    client.send(r#"42["ask too much"]"#).await;
    assert_eq!(server.notes.next().await, "too many events wait for their acknowledgements");
    client.send("4399[1]").await;
    client.send(r#"42["message","unknown acknowledgements are dropped"]"#).await;
    assert!(client.next().await.contains("unknown"));
    client.leave().await;
    while server.notes.next().await != "disconnected /: transport close" {}
    server.emptied().await;
    server.stop().await;
}

#[actix_web::test]
async fn sessions_that_never_join_are_given_up() {
    let config = Config { connect_timeout: Duration::from_millis(50), ..Config::default() };
    let server = Server::start_on_two(config);
    let poller = Poller::open(&server).await;
    assert_eq!(poller.packets().await, ["1"]);
    server.emptied().await;
    server.stop().await;
}

#[actix_web::test]
async fn a_thousand_sessions_that_never_poll_leave_nothing() {
    let short = Duration::from_millis(300);
    let server =
        Server::start_on_two(Config { ping_interval: short, ping_timeout: short, ..Config::default() });
    for _ in 0..1_000 {
        Poller::open(&server).await;
    }
    assert!(server.io.sessions() > 0);
    server.emptied().await;
    server.stop().await;
}

/// Room for one: who comes second is told when to come back, and finds it when the first has gone.
#[actix_web::test]
async fn who_finds_no_room_is_told_when_to_come_back() {
    let room = Arc::new(());
    let admit: Admit = Arc::new(move |_| {
        let is_taken = Arc::strong_count(&room) > 1;
        let full = TooMany {
            status: StatusCode::TOO_MANY_REQUESTS,
            message: "it is full".to_owned(),
            retry_after: 7,
        };
        if is_taken { Err(full) } else { Ok(Permit::new(Arc::clone(&room))) }
    });
    let server = Server::start(Config { admit: Some(admit), ..Config::default() });
    let first = Poller::open(&server).await;
    let second = Poller { port: server.port, sid: String::new(), open: Value::Null, header: String::new() };
    let refused = second.get().await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body, r#"{"code":3,"message":"it is full","retry_after":7}"#);
    assert!(refused.head.to_lowercase().contains("retry-after: 7"), "{}", refused.head);
    assert_eq!(first.post("1").await.body, "ok");
    server.emptied().await;
    Poller::open(&server).await;
    server.stop().await;
}
