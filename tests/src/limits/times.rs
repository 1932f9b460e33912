use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::polling_handshake;
use crate::harness::{App, in_time};

/// What comes until the lobby hangs up.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut told = Vec::new();
    // A reset is an end too.
    let _reset = in_time("the end", stream.read_to_end(&mut told)).await;
    String::from_utf8_lossy(&told).into_owned()
}

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.address()).await.expect("the lobby listens")
}

/// Time limits are no rates: they hold where those are off.
#[tokio::test]
async fn a_body_that_does_not_come_is_408_with_the_same_words_as_every_refusal() {
    let app = App::spawn_with(&[("limits.body_timeout", "200ms")]).await;
    for path in ["/login", "/logout", "/messages"] {
        let mut slow = connect(&app).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: lobby\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
        );
        slow.write_all(head.as_bytes()).await.expect("it is sent");
        let told = read_to_end(&mut slow).await;
        let (head, body) = told.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{head}");
        assert!(head.to_lowercase().contains("\r\nretry-after: 1"), "{head}");
        assert!(head.contains("application/problem+json"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&body["code"], &body["retry_after"]), (&"body_too_slow".into(), &1.into()));
    }
}

#[tokio::test]
async fn a_polling_request_whose_body_does_not_come_is_408_and_ends_its_session() {
    let app = App::spawn_with(&[("limits.body_timeout", "200ms")]).await;
    let (_, _, body) = polling_handshake(app.address(), &[]).await;
    let open: serde_json::Value = serde_json::from_str(&body[1..]).expect("JSON");
    let sid = open["sid"].as_str().expect("a text");
    let mut slow = connect(&app).await;
    let head = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: lobby\r\nContent-Length: 9\r\n\r\n4"
    );
    slow.write_all(head.as_bytes()).await.expect("it is sent");
    let told = read_to_end(&mut slow).await;
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
}

/// A body may take longer than a head, and a poll longer than both.
#[tokio::test]
async fn a_request_that_is_under_way_is_not_cut_by_the_time_for_heads() {
    let app =
        App::spawn_with(&[("limits.head_timeout", "300ms"), ("socketio.ping_interval", "1500ms")]).await;
    let (_, _, body) = polling_handshake(app.address(), &[]).await;
    let open: serde_json::Value = serde_json::from_str(&body[1..]).expect("JSON");
    let sid = open["sid"].as_str().expect("a text");
    let poll = app.client().get(app.url(&format!("/socket.io/?EIO=4&transport=polling&sid={sid}")));
    let begun = Instant::now();
    let answer = in_time("the poll's answer", poll.send()).await.expect("it is not cut");
    assert_eq!(answer.text().await.expect("a body"), "2", "Engine.IO's ping");
    assert!(begun.elapsed() > Duration::from_secs(1), "it did wait");
}

/// What came with the request before is a part of a head, too.
#[tokio::test]
async fn a_second_head_of_which_a_part_came_with_the_first_is_cut() {
    let app = App::spawn_with(&[("limits.head_timeout", "200ms"), ("limits.keep_alive", "3s")]).await;
    let mut slow = connect(&app).await;
    let both = b"GET /health/live HTTP/1.1\r\nHost: lobby\r\n\r\nGET /health/live HTTP/1.1\r\nHo";
    slow.write_all(both).await.expect("it is sent");
    let told = read_to_end(&mut slow).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.ends_with("{\"status\":\"live\"}"), "{told}");
}

/// One request after the other, each of them in time; all together take longer than one may. A busy machine has seconds to spare.
#[tokio::test]
async fn a_connection_that_asks_in_time_is_kept() {
    let app = App::spawn_with(&[("limits.head_timeout", "4s"), ("limits.keep_alive", "1m")]).await;
    let mut client = connect(&app).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        client.write_all(b"GET /health/live HTTP/1.1\r\nHost: ").await.expect("it is kept");
        tokio::time::sleep(Duration::from_millis(500)).await;
        client.write_all(b"lobby\r\n\r\n").await.expect("it is kept");
        let mut answer = Vec::new();
        while !answer.ends_with(b"{\"status\":\"live\"}") {
            let read = in_time("an answer", client.read_buf(&mut answer)).await.expect("it is kept");
            assert!(read > 0, "it was cut after {:?}", begun.elapsed());
        }
    }
}
