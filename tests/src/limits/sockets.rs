use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::limited;
use crate::harness::{App, Connection, Protocol, becomes_so, in_time};

const ASKED: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: lobby\r\n\r\n";

/// A connection from an address of this machine.
async fn connect_from(app: &App, address: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((address, 0))).expect("all of 127.0.0.0/8 is this machine");
    socket.connect(app.address()).await.expect("the lobby listens")
}

/// Whether a request is answered over it, and it is kept; or else it is closed.
async fn is_served(stream: &mut TcpStream) -> bool {
    let ask = async {
        stream.write_all(ASKED).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"{\"status\":\"live\"}") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok::<_, io::Error>(())
    };
    in_time("an answer, or the end", ask).await.is_ok()
}

/// So many connections from one address, all of which are served.
async fn served(app: &App, count: usize) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..count {
        let mut stream = connect_from(app, [127, 0, 0, 2]).await;
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    open
}

/// They need not say anything for it: who is silent holds a file open, too.
#[tokio::test]
async fn one_address_holds_no_more_tcp_connections_than_it_may() {
    let settings = [("limits.tcp_connections_per_address", "3"), ("limits.head_timeout", "1m")];
    let app = limited(&settings).await;
    let mut open = served(&app, 3).await;
    assert!(!is_served(&mut connect_from(&app, [127, 0, 0, 2]).await).await, "it is one too many");
    assert!(is_served(&mut connect_from(&app, [127, 0, 0, 3]).await).await, "another address");
    let mut silent = open.pop().expect("three");
    assert!(is_served(&mut silent).await, "those that are there go on");
    drop(silent);
    becomes_so("it to be let in", async || is_served(&mut connect_from(&app, [127, 0, 0, 2]).await).await)
        .await;
}

#[tokio::test]
async fn all_together_hold_no_more_tcp_connections_than_they_may() {
    let app = limited(&[("limits.tcp_connections", "2"), ("limits.keep_alive", "1m")]).await;
    let mut open = Vec::new();
    for host in [2, 3] {
        let mut stream = connect_from(&app, [127, 0, 0, host]).await;
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    assert!(!is_served(&mut connect_from(&app, [127, 0, 0, 4]).await).await, "it is one too many");
    open.clear();
    becomes_so("it to be let in", async || is_served(&mut connect_from(&app, [127, 0, 0, 4]).await).await)
        .await;
}

/// A WebSocket is no request any more, and its connection counts all the same, until it is gone.
#[tokio::test]
async fn a_websocket_is_a_tcp_connection_until_it_ends() {
    let app = limited(&[("limits.tcp_connections", "1")]).await;
    for protocol in [Protocol::Plain, Protocol::SocketIo] {
        let comes_in = async {
            loop {
                if let Ok(open) = Connection::open(&app, protocol, &[]).await {
                    return open;
                }
            }
        };
        let open = Box::pin(in_time("room", comes_in)).await;
        for _ in 0..3 {
            assert!(!is_served(&mut connect_from(&app, [127, 0, 0, 2]).await).await);
        }
        drop(open);
    }
}

/// Their connections are many people's.
#[tokio::test]
async fn trusted_proxies_are_not_counted_as_one_address() {
    let settings = [("limits.tcp_connections_per_address", "1"), ("limits.trusted_proxies", "127.0.0.2")];
    let app = limited(&settings).await;
    let _open = served(&app, 5).await;
}
