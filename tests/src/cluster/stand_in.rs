//! Something that the nodes take for another node, and that does what a test wants.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};

use super::{Cluster, DATABASE};
use crate::harness::in_time;

/// A session there: a node whose id begins with zeros has a name of these digits.
pub(super) const SID: &str = "AAAAAAAAAAA.012345678901234567890123";

pub(super) struct StandIn {
    listener: TcpListener,
}

/// A request that came in, and the connection to answer on.
pub(super) struct Came {
    pub(super) head: String,
    pub(super) body: String,
    stream: TcpStream,
}

impl StandIn {
    /// The nodes are told of it.
    pub(super) async fn join(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        enter(cluster, &format!("'http://{address}'")).await;
        Self { listener }
    }

    /// The next request.
    pub(super) async fn next(&self) -> Came {
        let (stream, _) = in_time("a connection", self.listener.accept()).await.expect("it listens");
        in_time("a request", read(stream)).await
    }

    /// Nothing comes for so long.
    pub(super) async fn is_left_alone(&self) {
        const LONG: Duration = Duration::from_millis(300);

        let came = timeout(LONG, self.listener.accept()).await;
        assert!(came.is_err(), "{came:?}");
    }
}

impl Came {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&*prefix))
    }

    pub(super) async fn answer(mut self, body: &str) {
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nset-cookie: no=1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(answer.as_bytes()).await.expect("it is read");
    }

    /// Answers half and hangs up.
    pub(super) async fn answer_half(mut self) {
        let half = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\nhalf";
        self.stream.write_all(half).await.expect("it is read");
    }

    /// Hangs up without an answer.
    pub(super) fn hang_up(self) {
        drop(self.stream);
    }
}

/// A node whose lease lasts longer than any test, at this address as SQL has it.
pub(super) async fn enter(cluster: &Cluster, address: &str) {
    let row = format!(
        "INSERT INTO nodes (id, lease_since, lease_until, address) \
         VALUES ('00000000-0000-0000-0000-000000000000', 0, 1000000000000, {address})"
    );
    cluster.database.psql(DATABASE, &row).await;
}

/// The lease is over.
pub(super) async fn leave(cluster: &Cluster) {
    cluster.database.psql(DATABASE, "DELETE FROM nodes WHERE lease_until = 1000000000000").await;
}

/// Where a session of the stand-in is polled at a node.
pub(super) fn url(node: SocketAddr) -> String {
    format!("http://{node}/socket.io/?EIO=4&transport=polling&sid={SID}")
}

async fn read(mut stream: TcpStream) -> Came {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        assert!(stream.read_buf(&mut bytes).await.expect("a request") > 0, "cut short");
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("ASCII");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
    while bytes.len() < end + 4 + length {
        assert!(stream.read_buf(&mut bytes).await.expect("a body") > 0, "cut short");
    }
    let body = String::from_utf8(bytes.split_off(end + 4)).expect("text");
    Came { head, body, stream }
}
