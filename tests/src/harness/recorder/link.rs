use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::passes;
use crate::harness::connection::{parse_plain, parse_socketio};
use crate::harness::{Protocol, Received};

/// How long a lobby may take to let somebody in, before it is taken for dead.
const ENTRANCE: Duration = Duration::from_secs(5);

/// How to connect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) protocol: Protocol,
    /// After how long a silence a connection counts as gone.
    pub(super) silence: Option<Duration>,
}

/// A connection that may end at any time, which is nobody's fault.
pub(super) struct Link {
    way: Way,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// The connection is gone, or there never was one.
pub(super) struct Broken;

impl Link {
    /// Connects with this `auth`, and is let in; answers with the `session` event too.
    pub(super) async fn enter(address: SocketAddr, way: Way, auth: &Value) -> Result<(Self, Value), Broken> {
        timeout(ENTRANCE, Self::connect(address, way, auth)).await.unwrap_or(Err(Broken))
    }

    async fn connect(address: SocketAddr, way: Way, auth: &Value) -> Result<(Self, Value), Broken> {
        let (path, connect) = match way.protocol {
            Protocol::Plain => ("/ws", json!({"event": "connect", "data": auth}).to_string()),
            Protocol::SocketIo => ("/socket.io/?EIO=4&transport=websocket", format!("40{auth}")),
        };
        let (stream, _) = connect_async(format!("ws://{address}{path}")).await.map_err(|_| Broken)?;
        let mut link = Self { way, stream };
        link.send(connect).await?;
        match link.receive().await? {
            Received::Event(name, session) if name == "session" => Ok((link, session)),
            other => panic!("first of all comes the session, not {other:?}"),
        }
    }

    /// Sends an event that asks for an answer.
    pub(super) async fn emit(&mut self, name: &str, data: &Value, ack: usize) -> Result<(), Broken> {
        let text = match self.way.protocol {
            Protocol::Plain => json!({"event": name, "data": data, "ack": ack}).to_string(),
            Protocol::SocketIo => format!("42{ack}{}", json!([name, data])),
        };
        self.send(text).await
    }

    /// The next event or answer. Nothing is lost if it is not waited for to the end.
    pub(super) async fn receive(&mut self) -> Result<Received, Broken> {
        loop {
            let text = self.next_text().await?;
            let received = match (self.way.protocol, text.as_str()) {
                (Protocol::Plain, _) => Some(parse_plain(&text)),
                // Engine.IO's open packet says nothing of interest, its ping wants a pong, and its close is the end.
                (Protocol::SocketIo, "2") => {
                    self.send("3".to_owned()).await?;
                    None
                }
                (Protocol::SocketIo, "1") => return Err(Broken),
                (Protocol::SocketIo, text) if text.starts_with('0') => None,
                (Protocol::SocketIo, text) => parse_socketio(text),
            };
            match received {
                None => {}
                Some(Received::ConnectError(error)) if passes(&error["data"]) => return Err(Broken),
                Some(received) => return Ok(received),
            }
        }
    }

    async fn next_text(&mut self) -> Result<String, Broken> {
        loop {
            match self.next_frame().await? {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(Some(close)))) if u16::from(close.code) >= 4000 => {
                    panic!("whoever has a token is not thrown out: {close:?}")
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Broken),
                Some(Ok(other)) => panic!("the lobby sends text, not {other:?}"),
            }
        }
    }

    async fn next_frame(&mut self) -> Result<Option<Result<Message, Error>>, Broken> {
        match self.way.silence {
            Some(silence) => timeout(silence, self.stream.next()).await.map_err(|_| Broken),
            None => Ok(self.stream.next().await),
        }
    }

    async fn send(&mut self, text: String) -> Result<(), Broken> {
        self.stream.send(Message::text(text)).await.map_err(|_| Broken)
    }
}
