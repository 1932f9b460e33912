//! That more can connect than the usual limit of open files lets.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Launch, Program, in_time};

/// Enough for the lobby to start with.
const SOFT_LIMIT: usize = 64;

#[tokio::test]
async fn more_clients_are_served_than_the_soft_limit_of_open_files() {
    let limited = format!("ulimit -Sn {SOFT_LIMIT} && exec \"$@\"");
    let through = ["bash", "-c", &limited, "bash"].map(str::to_owned).to_vec();
    let lobby = Program::launch(Launch { through, ..Launch::default() }).await;
    let address = *lobby.address().borrow();
    let mut clients = Vec::new();
    for _ in 0..2 * SOFT_LIMIT {
        let mut client = TcpStream::connect(address).await.expect("it listens");
        let request = "GET /health/live HTTP/1.1\r\nHost: lobby\r\n\r\n";
        client.write_all(request.as_bytes()).await.expect("it reads");
        let mut status = [0; 12];
        in_time("an answer", client.read_exact(&mut status)).await.expect("it answers");
        assert_eq!(status.as_slice(), b"HTTP/1.1 200");
        clients.push(client);
    }
    lobby.stop().await;
}
