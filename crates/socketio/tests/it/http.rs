//! A polling client that does exactly what it is told to, each time on a connection of its own.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::PATIENCE;
use crate::server::Server;

pub(crate) struct Poller {
    pub(crate) port: u16,
    pub(crate) sid: String,
    /// The data of the `open` packet.
    pub(crate) open: Value,
    /// A line for all requests, such as an `Authorization` header.
    pub(crate) header: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Poller {
    /// Opens an Engine.IO session.
    pub(crate) async fn open(server: &Server) -> Self {
        Self::open_with(server, "").await
    }

    /// Opens an Engine.IO session, with a header line.
    pub(crate) async fn open_with(server: &Server, header: &str) -> Self {
        let mut poller =
            Self { port: server.port, sid: String::new(), open: Value::Null, header: header.to_owned() };
        let answer = poller.get().await;
        assert_eq!(answer.status, 200);
        poller.open = serde_json::from_str(answer.body.strip_prefix('0').unwrap()).unwrap();
        poller.sid = poller.open["sid"].as_str().unwrap().to_owned();
        poller
    }

    /// Joins the main namespace too.
    pub(crate) async fn join(server: &Server) -> Self {
        let poller = Self::open(server).await;
        assert_eq!(poller.post("40").await.body, "ok");
        let mut packets = Vec::new();
        while packets.len() < 2 {
            packets.extend(poller.packets().await);
        }
        assert!(packets[0].starts_with("40{\"sid\":"));
        assert_eq!(packets[1], r#"42["auth",null]"#);
        assert_eq!(server.notes.next().await, "connected /");
        poller
    }

    pub(crate) async fn get(&self) -> Answer {
        self.request("GET", "").await
    }

    pub(crate) async fn post(&self, body: &str) -> Answer {
        self.request("POST", body).await
    }

    /// The packets of one poll.
    pub(crate) async fn packets(&self) -> Vec<String> {
        let answer = self.get().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body.split('\x1e').map(str::to_owned).collect()
    }

    pub(crate) async fn request(&self, method: &str, body: &str) -> Answer {
        let mut stream = self.start(method, body.len()).await;
        stream.write_all(body.as_bytes()).await.unwrap();
        answer(stream).await
    }

    /// A request of which only the head has been sent.
    pub(crate) async fn start(&self, method: &str, length: usize) -> TcpStream {
        let sid = if self.sid.is_empty() { String::new() } else { format!("&sid={}", self.sid) };
        let target = format!("/socket.io/?EIO=4&transport=polling{sid}");
        let header = &self.header;
        let head =
            format!("{method} {target} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{header}\r\n");
        send(self.port, head.as_bytes()).await
    }
}

/// A connection on which these bytes have been sent.
pub(crate) async fn send(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Reads the answer to a request.
pub(crate) async fn answer(mut stream: TcpStream) -> Answer {
    let read = async {
        let mut bytes = Vec::new();
        loop {
            if let Some(answer) = parse(&bytes) {
                return answer;
            }
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "cut short: {bytes:?}");
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("an answer in time")
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let body = bytes.get(end + 4..end + 4 + length)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: String::from_utf8(body.to_vec()).unwrap() })
}
