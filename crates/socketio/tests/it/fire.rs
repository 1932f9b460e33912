//! The upgrade under fire: messages in both directions while the session moves from polling to WebSocket.

use std::pin::pin;

use actix_socketio::Config;
use futures_util::future::join;

use crate::client::Client;
use crate::http::Poller;
use crate::server::Server;

const MESSAGES: usize = 1_000;

/// Times that it is tried; `COUNT` in the environment for a longer run.
fn times() -> usize {
    std::env::var("COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(20)
}

/// What a client has got of what the server sends back.
#[derive(Default)]
struct Received(usize);

impl Received {
    fn take(&mut self, packet: &str) {
        match packet {
            "2" | "6" => {}
            _ => {
                assert_eq!(packet, format!(r#"42["message-back",{}]"#, self.0));
                self.0 += 1;
            }
        }
    }
}

fn events(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| format!(r#"42["message",{n}]"#)).collect()
}

/// As socket.io-client does it: posts and polls go on while the WebSocket is probed; then polling pauses, which lets both
/// requests finish; then the session moves. `before` messages are sent by polling, the others over the WebSocket.
async fn move_under_fire(server: &Server, before: usize) {
    let poller = Poller::join(server).await;
    let mut received = Received::default();
    let mut socket = Client::connect(server.port, &format!("&sid={}", poller.sid)).await;
    probe_under_fire(&poller, &mut socket, before, &mut received).await;
    socket.send("5").await;
    socket.pipeline(events(before..MESSAGES)).await;
    while received.0 < MESSAGES {
        received.take(&socket.next().await);
    }
    socket.leave().await;
}

async fn probe_under_fire(poller: &Poller, socket: &mut Client, before: usize, received: &mut Received) {
    let post = async {
        for chunk in events(0..before).chunks(37) {
            assert_eq!(poller.post(&chunk.join("\x1e")).await.body, "ok");
        }
    };
    let probe = async {
        socket.send("2probe").await;
        assert_eq!(socket.next().await, "3probe");
    };
    let mut requests = pin!(join(post, probe));
    let mut paused = false;
    while !paused {
        let mut poll = pin!(poller.packets());
        let packets = tokio::select! {
            packets = &mut poll => packets,
            _ = &mut requests => {
                paused = true;
                poll.await
            }
        };
        for packet in &packets {
            received.take(packet);
        }
    }
}

#[actix_web::test]
async fn nothing_is_lost_doubled_or_out_of_order() {
    let server = Server::start_on_two(Config::default());
    for time in 0..times() {
        move_under_fire(&server, time * 97 % (MESSAGES + 1)).await;
        while !server.notes.next().await.starts_with("disconnected") {}
    }
    server.emptied().await;
    server.stop().await;
}
