//! From polling to WebSocket, which lands on either of two workers.

use std::time::Duration;

use actix_socketio::Config;

use crate::client::Client;
use crate::http::{Poller, answer};
use crate::server::Server;

/// Opens a WebSocket that would take over.
pub(crate) async fn candidate(server: &Server, poller: &Poller) -> Client {
    Client::connect(server.port, &format!("&sid={}", poller.sid)).await
}

/// Moves the session to a WebSocket.
pub(crate) async fn upgrade(server: &Server, poller: &Poller) -> Client {
    let mut client = candidate(server, poller).await;
    client.send("2probe").await;
    assert_eq!(client.next().await, "3probe");
    client.send("5").await;
    client
}

/// The WebSocket does not take over: its client is told something before it is closed.
pub(crate) async fn turned_away(mut candidate: Client) {
    assert_eq!(candidate.next().await, "6");
    assert_eq!(candidate.closed().await.0, 1000);
}

/// The session still works by polling.
async fn still_polls(poller: &Poller) {
    assert_eq!(poller.post(r#"42["message",1]"#).await.body, "ok");
    assert_eq!(poller.packets().await, [r#"42["message-back",1]"#]);
}

#[actix_web::test]
async fn a_session_moves_and_polling_is_over() {
    let server = Server::start_on_two(Config::default());
    for _ in 0..4 {
        let poller = Poller::join(&server).await;
        let mut client = upgrade(&server, &poller).await;
        client.send(r#"42["message",1]"#).await;
        assert_eq!(client.next().await, r#"42["message-back",1]"#);
        let refused = r#"{"code":3,"message":"Bad request"}"#;
        assert_eq!((poller.get().await.status, poller.post("3").await.body.as_str()), (400, refused));
        turned_away(candidate(&server, &poller).await).await;
        client.send(r#"42["message",2]"#).await;
        assert_eq!(client.next().await, r#"42["message-back",2]"#);
        client.leave().await;
        assert_eq!(server.notes.next().await, "disconnected /: transport close");
        server.emptied().await;
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_poll_that_waits_is_answered_by_the_probe() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    let waiting = poller.start("GET", 0).await;
    let mut client = candidate(&server, &poller).await;
    client.send("2probe").await;
    assert_eq!(client.next().await, "3probe");
    assert_eq!(answer(waiting).await.body, "6");
    assert_eq!(poller.packets().await, ["6"]);
    client.send("5").await;
    client.send(r#"42["message",1]"#).await;
    assert_eq!(client.next().await, r#"42["message-back",1]"#);
    server.stop().await;
}

/// The WebSocket and the poll are two connections, at two workers: neither may overtake the other.
#[actix_web::test]
async fn a_poll_sent_after_the_last_step_is_refused_even_if_it_comes_first() {
    let server = Server::start_on_two(Config::default());
    for _ in 0..20 {
        let poller = Poller::join(&server).await;
        let mut client = candidate(&server, &poller).await;
        client.pipeline(["2probe".to_owned(), "5".to_owned()]).await;
        assert_eq!(poller.get().await.status, 400);
        assert_eq!(client.next().await, "3probe");
        client.leave().await;
        assert_eq!(server.notes.next().await, "disconnected /: transport close");
    }
    server.stop().await;
}

#[actix_web::test]
async fn what_was_not_fetched_comes_over_the_websocket() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    assert_eq!(poller.post(r#"42["count",50]"#).await.body, "ok");
    let mut client = upgrade(&server, &poller).await;
    for n in 0..50 {
        assert_eq!(client.next().await, format!(r#"42["n",{n}]"#));
    }
    server.stop().await;
}

#[actix_web::test]
async fn after_a_failed_upgrade_polling_goes_on() {
    let config = Config { upgrade_timeout: Duration::from_millis(100), ..Config::default() };
    let server = Server::start_on_two(config);
    let poller = Poller::join(&server).await;
    for wrong in [&["5"][..], &["4hello"], &["2probe", "4hello"], &["2probe"], &[]] {
        let mut client = candidate(&server, &poller).await;
        client.pipeline(wrong.iter().map(|&text| text.to_owned())).await;
        if wrong.first() == Some(&"2probe") {
            assert_eq!(client.next().await, "3probe");
        }
        turned_away(client).await;
        still_polls(&poller).await;
    }
    let gone = candidate(&server, &poller).await;
    drop(gone);
    still_polls(&poller).await;
    let mut client = upgrade(&server, &poller).await;
    client.send(r#"42["message",2]"#).await;
    assert_eq!(client.next().await, r#"42["message-back",2]"#);
    server.stop().await;
}

#[actix_web::test]
async fn only_one_websocket_at_a_time_may_try_and_only_with_the_same_authorization() {
    let server = Server::start_on_two(Config::default());
    let poller = Poller::join(&server).await;
    let mut first = candidate(&server, &poller).await;
    first.send("2probe").await;
    assert_eq!(first.next().await, "3probe");
    turned_away(candidate(&server, &poller).await).await;
    first.send("5").await;
    first.send(r#"42["message",1]"#).await;
    assert_eq!(first.next().await, r#"42["message-back",1]"#);
    let bound = Poller::open_with(&server, "authorization: Bearer x\r\n").await;
    let url =
        format!("ws://127.0.0.1:{}/socket.io/?EIO=4&transport=websocket&sid={}", server.port, bound.sid);
    assert!(tokio_tungstenite::connect_async(url).await.is_err());
    server.stop().await;
}

#[actix_web::test]
async fn an_upgraded_session_ends_like_any_other_and_says_why() {
    let short = Duration::from_millis(50);
    for (event, code, reason) in
        [(r#"42["close"]"#, 1000, "forced close"), ("4x", 1002, "parse error"), ("6", 1008, "ping timeout")]
    {
        let config = Config { ping_interval: short * 4, ping_timeout: short, ..Config::default() };
        let server = Server::start_on_two(config);
        let poller = Poller::join(&server).await;
        let mut client = upgrade(&server, &poller).await;
        client.send(event).await;
        let closed = loop {
            match client.next_or_closed().await {
                Ok(text) => assert_eq!(text, "2"),
                Err(closed) => break closed,
            }
        };
        assert_eq!(closed, (code, reason.to_owned()));
        assert_eq!(server.notes.next().await, format!("disconnected /: {reason}"));
        server.emptied().await;
        server.stop().await;
    }
}

#[actix_web::test]
async fn a_client_that_cannot_keep_up_is_cut_after_an_upgrade_too() {
    let server = Server::start_on_two(Config { outbox_bytes: 10_000, ..Config::default() });
    let poller = Poller::join(&server).await;
    let mut client = upgrade(&server, &poller).await;
    client.send(r#"42["flood"]"#).await;
    assert!(server.notes.next().await.starts_with("the client does not keep up"));
    assert_eq!(server.notes.next().await, "disconnected /: transport error");
    let code = loop {
        if let Err((code, _)) = client.next_or_closed().await {
            break code;
        }
    };
    assert_eq!(code, 1013);
    server.emptied().await;
    server.stop().await;
}

#[actix_web::test]
async fn an_upgraded_client_that_is_gone_is_noticed_even_while_nothing_is_read() {
    let short = Duration::from_millis(30);
    let config =
        Config { ping_interval: short, ping_timeout: short, max_concurrent_events: 1, ..Config::default() };
    let server = Server::start_on_two(config);
    let poller = Poller::join(&server).await;
    let mut client = upgrade(&server, &poller).await;
    client.pipeline([1, 2].map(|n| format!(r#"42{n}["slow",{n}]"#))).await;
    assert_eq!(server.notes.next().await, "slow 1");
    drop(client);
    assert_eq!(server.notes.next().await, "dropped");
    assert!(server.notes.next().await.starts_with("disconnected /: transport"));
    server.emptied().await;
    server.stop().await;
}
