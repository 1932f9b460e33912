use std::collections::VecDeque;
use std::net::SocketAddr;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::connection::parse_socketio;
use super::{Received, http_client, in_time};

/// What separates the packets of a body.
const SEPARATOR: char = '\u{1e}';

/// A hand-made Socket.IO client that polls and never moves to a WebSocket.
pub struct Polling {
    client: Client,
    url: String,
    waiting: VecDeque<String>,
    acks: u64,
}

impl Polling {
    /// Opens an Engine.IO session and says this of itself; what comes of it is still to be received.
    pub async fn connecting_at(address: SocketAddr, data: &Value) -> Self {
        let url = format!("http://{address}/socket.io/?EIO=4&transport=polling");
        let mut polling = Self { client: http_client(), url, waiting: VecDeque::new(), acks: 0 };
        let opened = polling.poll().await.expect("Engine.IO's open packet");
        let opened: Value = serde_json::from_str(&opened[1..]).expect("JSON");
        polling.url.push_str("&sid=");
        polling.url.push_str(opened["sid"].as_str().expect("a text"));
        polling.send(format!("40{data}")).await;
        polling
    }

    /// Is gone in the middle of a poll.
    pub async fn break_off(self) {
        let address = self.url.strip_prefix("http://").expect("it is one");
        let (address, path) = address.split_once('/').expect("it has a path");
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it is sent");
    }

    /// Whatever comes next.
    pub async fn receive(&mut self) -> Received {
        loop {
            let Some(packet) = self.next().await else { return Received::Closed(1006, String::new()) };
            match packet.as_str() {
                "1" => return Received::Closed(1005, String::new()),
                "2" => self.send("3".to_owned()).await,
                "6" => {}
                packet => {
                    if let Some(received) = parse_socketio(packet) {
                        return received;
                    }
                }
            }
        }
    }

    /// Sends an event that asks for an answer, which [`Polling::ack`] waits for by the id that comes back.
    pub async fn emit_with_ack(&mut self, name: &str, data: &Value) -> u64 {
        self.acks += 1;
        self.send(format!("42{}{}", self.acks, json!([name, data]))).await;
        self.acks
    }

    /// The answer to what was sent with this ack id; what comes before is passed over.
    pub async fn ack(&mut self, ack: u64) -> Value {
        loop {
            match self.receive().await {
                Received::Ack(id, answer) if id == ack => return answer,
                Received::Closed(..) => panic!("it was closed"),
                _ => {}
            }
        }
    }

    /// Leaves as a page does that is closed.
    pub async fn close(&self) {
        self.send("41\u{1e}1".to_owned()).await;
    }

    async fn next(&mut self) -> Option<String> {
        if self.waiting.is_empty() {
            let body = self.poll().await?;
            self.waiting.extend(body.split(SEPARATOR).map(str::to_owned));
        }
        self.waiting.pop_front()
    }

    /// `None` where the session is over, or nobody is there.
    async fn poll(&self) -> Option<String> {
        let answer = in_time("a poll's answer", self.client.get(&self.url).send()).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        in_time("a poll's body", answer.text()).await.ok()
    }

    /// A session that is over is found out by the next poll.
    async fn send(&self, body: String) {
        let _answer = in_time("an answer", self.client.post(&self.url).body(body).send()).await;
    }
}
