//! What somebody costs who is merely there.

use rstest::rstest;

use crate::harness::{Launch, Program, RawSocket, becomes_so, resident_kib};

/// Enough that what the program takes for itself makes no difference.
const CONNECTIONS: u64 = 1_000;

/// `most` is in KiB, half as much again as it takes. The buffer that a request is read to has 8 KiB, of which a short one touches 4: kept by the
/// smallest piece of it for as long as the connection lives, it would be too much.
#[rstest]
#[case::plain("/ws", r#"{"event":"connect"}"#, r#""session""#, 7)]
#[case::socketio("/socket.io/?EIO=4&transport=websocket", "40", r#""session""#, 9)]
#[tokio::test]
async fn an_idle_connection_keeps_nothing_of_how_it_came_about(
    #[case] path: &str,
    #[case] hello: &str,
    #[case] welcome: &str,
    #[case] most: u64,
) {
    let settings = [("LOBBY_LIMITS__ENABLED", "false")].map(|(name, value)| (name, value.to_owned()));
    let lobby = Program::launch(Launch { settings: settings.to_vec(), ..Launch::default() }).await;
    let before = resident_kib(lobby.pid());
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = RawSocket::open_at(lobby.socket(), path).await;
        connection.send_text(hello).await;
        connection.read_until(welcome).await;
        connections.push(connection);
    }
    // What was needed only for a moment is given back after some seconds.
    becomes_so("little", async || resident_kib(lobby.pid()) < before + most * CONNECTIONS).await;
    lobby.stop().await;
}
