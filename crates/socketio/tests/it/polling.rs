//! Socket.IO over HTTP long-polling, its requests spread over two workers.

use std::time::Duration;

use actix_socketio::{Config, Cors, Transport};
use actix_web::cookie::Cookie;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::http::{Answer, Poller, answer, send};
use crate::server::Server;

const UNKNOWN_SID: &str = r#"{"code":1,"message":"Session ID unknown"}"#;
const BAD_REQUEST: &str = r#"{"code":3,"message":"Bad request"}"#;

fn is(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (status, body));
}

#[actix_web::test]
async fn a_session_opens_with_what_the_client_has_to_know() {
    let cookie = Cookie::build("io", "").path("/").http_only(true).finish();
    let server = Server::start_on_two(Config { cookie: Some(cookie), ..Config::default() });
    let poller = Poller::open(&server).await;
    assert_eq!(poller.open["upgrades"], serde_json::json!(["websocket"]));
    assert_eq!(poller.open["maxPayload"], 1_000_000);
    assert_eq!(poller.sid.len(), 24);
    assert_eq!(server.io.sessions(), 1);
    let head = Poller { sid: String::new(), ..poller }.get().await.head;
    assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    assert!(head.contains("set-cookie: io="), "{head}");
    assert!(head.contains("; httponly; path=/"), "{head}");
    server.stop().await;
}

#[actix_web::test]
async fn events_acknowledgements_and_binary_data_come_back() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    let binary = r#"451-1["message-with-ack",{"_placeholder":true,"num":0}]"#;
    let payload = format!("42[\"message\",\"é\"]\x1e427[\"message-with-ack\",[1]]\x1e{binary}\x1ebAQIDBA==");
    is(&poller.post(&payload).await, 200, "ok");
    let mut packets = Vec::new();
    while packets.len() < 4 {
        packets.extend(poller.packets().await);
    }
    let ack = r#"461-1[{"_placeholder":true,"num":0}]"#;
    assert_eq!(packets, [r#"42["message-back","é"]"#, "437[[1]]", ack, "bAQIDBA=="]);
    server.stop().await;
}

#[actix_web::test]
async fn a_burst_goes_in_one_request_and_comes_back_in_answers_of_at_most_16() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    let events: Vec<String> = (0..1_000).map(|n| format!(r#"42["message",{n}]"#)).collect();
    is(&poller.post(&events.join("\x1e")).await, 200, "ok");
    let mut received = Vec::new();
    while received.len() < 1_000 {
        let packets = poller.packets().await;
        assert!(packets.len() <= 16);
        received.extend(packets);
    }
    let expected: Vec<String> = (0..1_000).map(|n| format!(r#"42["message-back",{n}]"#)).collect();
    assert_eq!(received, expected);
    server.stop().await;
}

#[actix_web::test]
async fn what_is_sent_together_leaves_together() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    let waiting = poller.start("GET", 0).await;
    is(&poller.post(r#"42["count",16]"#).await, 200, "ok");
    assert_eq!(answer(waiting).await.body.split('\x1e').count(), 16);
    server.stop().await;
}

#[actix_web::test]
async fn a_request_is_answered_only_when_its_events_have_found_room() {
    let server = Server::start_on_two(Config { max_concurrent_events: 1, ..Config::default() });
    let poller = Poller::join(&server).await;
    let body = [0, 1, 2].map(|n| format!(r#"42{n}["slow",{n}]"#)).join("\x1e");
    let mut post = poller.start("POST", body.len()).await;
    post.write_all(body.as_bytes()).await.unwrap();
    for n in 0..3 {
        assert_eq!(server.notes.next().await, format!("slow {n}"));
        assert!(server.notes.is_empty());
        server.gate.add_permits(1);
        assert_eq!(server.notes.next().await, "done");
    }
    is(&answer(post).await, 200, "ok");
    server.stop().await;
}

#[actix_web::test]
async fn the_server_pings_and_a_client_that_answers_stays() {
    let interval = Duration::from_millis(30);
    let server = Server::start_on_two(Config { ping_interval: interval, ..Config::default() });
    let poller = Poller::join(&server).await;
    for _ in 0..3 {
        assert_eq!(poller.packets().await, ["2"]);
        is(&poller.post("3").await, 200, "ok");
    }
    assert!(server.notes.is_empty());
    server.stop().await;
}

#[actix_web::test]
async fn a_session_that_is_not_polled_ends_by_its_heartbeat() {
    let short = Duration::from_millis(30);
    let server =
        Server::start_on_two(Config { ping_interval: short, ping_timeout: short, ..Config::default() });
    let poller = Poller::open(&server).await;
    is(&poller.post("40").await, 200, "ok");
    assert_eq!(server.notes.next().await, "connected /");
    assert_eq!(server.notes.next().await, "disconnected /: ping timeout");
    server.emptied().await;
    is(&poller.get().await, 400, UNKNOWN_SID);
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_closes_gets_a_noop_and_its_session_is_over() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    let waiting = poller.start("GET", 0).await;
    is(&poller.post("1").await, 200, "ok");
    is(&answer(waiting).await, 200, "6");
    assert_eq!(server.notes.next().await, "disconnected /: transport close");
    server.emptied().await;
    is(&poller.post("3").await, 400, UNKNOWN_SID);
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_is_gone_while_it_polls_is_noticed_at_once() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    drop(poller.start("GET", 0).await);
    assert_eq!(server.notes.next().await, "disconnected /: transport close");
    server.emptied().await;
    server.stop().await;
}

#[actix_web::test]
async fn the_last_words_of_the_server_are_fetched() {
    let server = Server::start_on_two(Config::default());
    for (event, reason, words) in [
        ("kick", "server namespace disconnect", &[r#"42["last","words"]"#, "41"][..]),
        ("close", "forced close", &[]),
    ] {
        let poller = Poller::join(&server).await;
        is(&poller.post(&format!(r#"42["{event}"]"#)).await, 200, "ok");
        while server.notes.next().await != format!("disconnected /: {reason}") {}
        if !words.is_empty() {
            assert_eq!(poller.packets().await, words);
        }
        assert_eq!(poller.packets().await, ["1"]);
        server.emptied().await;
    }
    server.stop().await;
}

#[actix_web::test]
async fn what_a_client_says_across_the_end_is_dropped_and_its_farewell_ends_the_wait_for_a_poll() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    is(&poller.post(r#"42["kick"]"#).await, 200, "ok");
    while server.notes.next().await != "disconnected /: server namespace disconnect" {}
    is(&poller.post(r#"42["unheard"]"#).await, 200, "ok");
    is(&poller.post("41\x1e1").await, 200, "ok");
    // Without the farewell it would be waited for its polls, 5 s long.
    timeout(Duration::from_secs(3), server.emptied()).await.expect("the session is over at once");
    assert!(server.notes.is_empty());
    server.stop().await;
}

#[actix_web::test]
async fn two_polls_at_a_time_end_the_session() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    let (one, other) = (poller.start("GET", 0).await, poller.start("GET", 0).await);
    let (one, other) = (answer(one).await, answer(other).await);
    let (first, second) = if one.status == 200 { (one, other) } else { (other, one) };
    is(&first, 200, "1");
    is(&second, 400, BAD_REQUEST);
    assert_eq!(server.notes.next().await, "disconnected /: transport error");
    server.emptied().await;
    is(&poller.get().await, 400, UNKNOWN_SID);
    server.stop().await;
}

#[actix_web::test]
async fn two_posts_at_a_time_end_the_session() {
    let server = Server::start_on_two(Config { max_concurrent_events: 1, ..Config::default() });
    let poller = Poller::join(&server).await;
    let body = [0, 1].map(|n| format!(r#"42{n}["slow",{n}]"#)).join("\x1e");
    let mut first = poller.start("POST", body.len()).await;
    first.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(server.notes.next().await, "slow 0");
    is(&poller.post("3").await, 400, BAD_REQUEST);
    is(&answer(first).await, 400, BAD_REQUEST);
    assert_eq!(server.notes.next().await, "dropped");
    assert_eq!(server.notes.next().await, "disconnected /: transport error");
    server.emptied().await;
    server.stop().await;
}

/// As a load balancer sends it that has lost the answer.
#[actix_web::test]
async fn a_request_that_comes_again_ends_the_session_and_is_not_taken_twice() {
    let server = Server::start_on_two(Config::default());
    for method in ["GET", "POST"] {
        let mut poller = Poller::join(&server).await;
        let sid = std::mem::take(&mut poller.sid);
        for stamp in ["a", "b", "a"] {
            poller.sid = format!("{sid}&t={stamp}");
            assert_eq!(poller.post(r#"42["message",1]"#).await.body, "ok");
            assert_eq!(poller.packets().await, [r#"42["message-back",1]"#]);
        }
        is(&poller.request(method, r#"42["event"]"#).await, 400, UNKNOWN_SID);
        assert_eq!(server.notes.next().await, "disconnected /: transport error");
        server.emptied().await;
        assert!(server.notes.is_empty());
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_session_of_an_authorized_client_is_closed_to_all_others() {
    let server = Server::start_on_two(Config::default());
    let mut poller = Poller::open_with(&server, "authorization: Bearer x\r\n").await;
    is(&poller.post("40").await, 200, "ok");
    for other in ["", "authorization: Bearer y\r\n", "authorization: Bearer x2\r\n"] {
        poller.header = other.to_owned();
        is(&poller.get().await, 400, UNKNOWN_SID);
        is(&poller.post("1").await, 400, UNKNOWN_SID);
    }
    poller.header = "authorization: Bearer x\r\n".to_owned();
    assert!(poller.packets().await[0].starts_with("40{"));
    server.stop().await;
}

#[actix_web::test]
async fn neither_cookie_nor_a_later_authorization_changes_whose_session_it_is() {
    let server = Server::start_on_two(Config::default());
    let mut poller = Poller::open_with(&server, "cookie: a=1\r\n").await;
    poller.header = "cookie: a=2\r\nauthorization: Bearer x\r\n".to_owned();
    is(&poller.post("40").await, 200, "ok");
    assert!(poller.packets().await[0].starts_with("40{"));
    server.stop().await;
}

#[actix_web::test]
async fn a_transport_that_is_switched_off_is_unknown() {
    let only = |transport| Config { transports: vec![transport], ..Config::default() };
    let server = Server::start(only(Transport::Polling));
    assert_eq!(Poller::open(&server).await.open["upgrades"], serde_json::json!([]));
    server.stop().await;
    let server = Server::start(only(Transport::WebSocket));
    let request = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\n\r\n";
    let refused = answer(send(server.port, request).await).await;
    is(&refused, 400, r#"{"code":0,"message":"Transport unknown"}"#);
    server.stop().await;
}

#[actix_web::test]
async fn pages_of_configured_origins_may_poll_and_others_may_not_read() {
    let cors = Cors { origins: vec!["https://a.example".to_owned()], credentials: true };
    let server = Server::start_on_two(Config { cors: Some(cors), ..Config::default() });
    let allowed = "access-control-allow-origin: https://a.example";
    let mut poller = Poller::open_with(&server, "origin: https://a.example\r\n").await;
    let preflight = poller.request("OPTIONS", "").await;
    assert_eq!(preflight.status, 204);
    assert!(
        preflight.head.contains(allowed)
            && preflight.head.contains("access-control-allow-methods: get, post")
    );
    let posted = poller.post("40").await;
    assert!(posted.head.contains(allowed) && posted.head.contains("access-control-allow-credentials: true"));
    let refused = Poller { sid: "x".to_owned(), ..poller };
    assert!(refused.get().await.head.contains(allowed), "a page can read why it was refused");
    poller = Poller::open_with(&server, "origin: https://b.example\r\n").await;
    for method in ["OPTIONS", "GET"] {
        let sid = String::new();
        let stranger = Poller { sid, ..poller };
        assert!(!stranger.request(method, "").await.head.contains("access-control-allow"));
        poller = stranger;
    }
    server.stop().await;
}
