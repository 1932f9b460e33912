//! A server that has far more to send to one client than may wait for it, and waits for room in between.

use actix_socketio::Config;

use crate::client::Client;
use crate::http::Poller;
use crate::server::Server;
use crate::upgrade::upgrade;

/// Far more than the outbox, the system's buffers and those of the server hold together.
const EVENTS: usize = 2_000;

fn server() -> Server {
    Server::start_on_two(Config { outbox_bytes: 100_000, ..Config::default() })
}

fn replay(count: usize) -> String {
    format!(r#"42["replay",{count}]"#)
}

/// It is the event that comes next.
fn take(packet: &str, received: &mut usize) {
    let begin = format!(r#"42["n",[{received},"xxx"#);
    assert!(packet.starts_with(&begin), "{}", &packet[..packet.len().min(100)]);
    *received += 1;
}

async fn read_rest(server: &Server, client: &mut Client, mut received: usize) {
    while received < EVENTS {
        take(&client.next().await, &mut received);
    }
    assert_eq!(server.notes.next().await, "all sent");
}

async fn poll(poller: &Poller, received: &mut usize) {
    for packet in poller.packets().await {
        take(&packet, received);
    }
}

#[actix_web::test]
async fn a_slow_websocket_gets_all_of_it() {
    let server = server();
    let mut client = Client::join(&server).await;
    client.send(&replay(EVENTS)).await;
    assert_eq!(server.notes.next().await, "no room");
    read_rest(&server, &mut client, 0).await;
    server.stop().await;
}

#[actix_web::test]
async fn a_slow_websocket_that_has_taken_over_gets_all_of_it() {
    let server = server();
    let poller = Poller::join(&server).await;
    let mut client = upgrade(&server, &poller).await;
    client.send(&replay(EVENTS)).await;
    assert_eq!(server.notes.next().await, "no room");
    read_rest(&server, &mut client, 0).await;
    server.stop().await;
}

#[actix_web::test]
async fn a_slow_poller_gets_all_of_it() {
    let server = server();
    let poller = Poller::join(&server).await;
    assert_eq!(poller.post(&replay(EVENTS)).await.body, "ok");
    assert_eq!(server.notes.next().await, "no room");
    let mut received = 0;
    while received < EVENTS {
        poll(&poller, &mut received).await;
    }
    assert_eq!(server.notes.next().await, "all sent");
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_upgrades_in_the_middle_gets_all_of_it() {
    let server = server();
    let poller = Poller::join(&server).await;
    assert_eq!(poller.post(&replay(EVENTS)).await.body, "ok");
    assert_eq!(server.notes.next().await, "no room");
    let mut received = 0;
    while received < EVENTS / 10 {
        poll(&poller, &mut received).await;
    }
    let mut client = upgrade(&server, &poller).await;
    read_rest(&server, &mut client, received).await;
    server.stop().await;
}

/// The notes come in either order where the WebSocket is on another worker.
async fn both_end(server: &Server, reason: &str) {
    let mut notes = [server.notes.next().await, server.notes.next().await];
    notes.sort();
    assert!(notes[0].starts_with(&format!("disconnected /: {reason}")), "{notes:?}");
    assert_eq!(notes[1], "the socket has ended");
    server.emptied().await;
}

#[actix_web::test]
async fn whoever_waits_for_room_learns_that_the_client_is_gone() {
    let server = server();
    let mut client = Client::join(&server).await;
    client.send(&replay(usize::MAX)).await;
    assert_eq!(server.notes.next().await, "no room");
    drop(client);
    both_end(&server, "transport close").await;

    let poller = Poller::join(&server).await;
    assert_eq!(poller.post(&replay(usize::MAX)).await.body, "ok");
    assert_eq!(server.notes.next().await, "no room");
    assert_eq!(poller.post("1").await.body, "ok");
    both_end(&server, "transport close").await;

    let poller = Poller::join(&server).await;
    let mut client = upgrade(&server, &poller).await;
    client.send(&replay(usize::MAX)).await;
    assert_eq!(server.notes.next().await, "no room");
    drop(client);
    // Either side of the pipe may be the first to notice.
    both_end(&server, "transport ").await;
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_stops_reading_ends_like_any_other_while_somebody_waits_for_room() {
    let server = server();
    let poller = Poller::join(&server).await;
    let mut client = upgrade(&server, &poller).await;
    client.send(&replay(usize::MAX)).await;
    assert_eq!(server.notes.next().await, "no room");
    client.send(r#"42["close"]"#).await;
    both_end(&server, "forced close").await;
    server.stop().await;
}
