//! The server goes away, and everybody is told.

use actix_socketio::Config;

use crate::client::Client;
use crate::http::Poller;
use crate::server::Server;
use crate::upgrade::{candidate, turned_away};

#[actix_web::test]
async fn a_shutdown_ends_sessions_over_every_transport_whether_they_have_joined_or_not() {
    let server = Server::start_on_two(Config::default());
    let mut joined = Client::join(&server).await;
    let mut opened = Client::open(&server).await;
    let polling = Poller::open(&server).await;
    assert_eq!(server.io.sessions(), 3);
    let upgrading = candidate(&server, &polling).await;

    server.io.shut_down();
    turned_away(upgrading).await;
    for client in [&mut joined, &mut opened] {
        assert_eq!(client.closed().await.0, 1001);
    }
    assert_eq!(polling.packets().await, ["1"]);
    assert_eq!(server.notes.next().await, "disconnected /: server shutting down");
    assert!(server.notes.is_empty());
    server.emptied().await;

    // Whoever comes too late is told at once.
    let mut late = Client::open(&server).await;
    assert_eq!(late.closed().await.0, 1001);
    server.emptied().await;
    server.stop().await;
}
