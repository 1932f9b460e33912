//! A light client: it shakes hands, says who it is, and reads. What it reads is searched for what matters and not parsed.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How a client talks to the lobby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Plain,
    SocketIo,
}

/// What a client shows.
pub(crate) struct Shown<'a> {
    pub(crate) token: Option<&'a str>,
    /// The last message that it has seen, if it wants to go on behind it.
    pub(crate) after: Option<u64>,
}

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refused {
    /// The connection was not made, or broke.
    Broken,
    /// By an HTTP status.
    Status(u16),
    /// By a close frame.
    Closed(u16, String),
    /// By Socket.IO's `CONNECT_ERROR`.
    Error(String),
}

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    protocol: Protocol,
}

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// Says that the length follows in two bytes.
const LONG: u8 = 126;

impl Client {
    /// Connects and is let in; answers with the id of the newest message too.
    pub(crate) async fn enter(
        address: SocketAddr,
        protocol: Protocol,
        shown: &Shown<'_>,
    ) -> Result<(Self, u64), Refused> {
        let mut client = Self::open(address, protocol).await?;
        let data = shown.to_json();
        let connect = match protocol {
            Protocol::Plain => format!(r#"{{"event":"connect","data":{data}}}"#),
            Protocol::SocketIo => format!("40{data}"),
        };
        client.send(TEXT, connect.as_bytes()).await?;
        loop {
            let text = client.text().await?;
            if text.starts_with(r#"{"event":"session""#) || text.starts_with(r#"42["session""#) {
                let last_id = number_behind(&text, r#""last_id":"#).expect("it says where the log stands");
                return Ok((client, last_id));
            }
            if text.starts_with("44") {
                return Err(Refused::Error(text));
            }
        }
    }

    async fn open(address: SocketAddr, protocol: Protocol) -> Result<Self, Refused> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let path = match protocol {
            Protocol::Plain => "/ws",
            Protocol::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut client = Self { stream: BufReader::with_capacity(2048, stream), protocol };
        client.stream.write_all(request.as_bytes()).await?;
        match client.status().await? {
            101 => Ok(client),
            status => Err(Refused::Status(status)),
        }
    }

    /// The status of the answer to the handshake, whose head is read.
    async fn status(&mut self) -> io::Result<u16> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await?);
        }
        let status = head.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
        status.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The next text. Pings are answered.
    pub(crate) async fn text(&mut self) -> Result<String, Refused> {
        loop {
            let (kind, payload) = self.frame().await?;
            match kind {
                TEXT if payload == b"2" && self.protocol == Protocol::SocketIo => {
                    self.send(TEXT, b"3").await?;
                }
                TEXT => return String::from_utf8(payload).map_err(|_| Refused::Broken),
                PING => self.send(PONG, &payload).await?,
                CLOSE if payload.len() >= 2 => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    return Err(Refused::Closed(code, String::from_utf8_lossy(&payload[2..]).into_owned()));
                }
                _ => return Err(Refused::Broken),
            }
        }
    }

    async fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let (kind, length) = (self.stream.read_u8().await? & 0x0f, self.stream.read_u8().await?);
        let length = match length {
            126 => self.stream.read_u16().await?.into(),
            127 => usize::try_from(self.stream.read_u64().await?).map_err(io::Error::other)?,
            length => length.into(),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        Ok((kind, payload))
    }

    /// The mask is zeros.
    async fn send(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x80 | kind];
        if let Ok(length @ ..LONG) = u8::try_from(payload.len()) {
            frame.push(0x80 | length);
        } else {
            frame.push(0x80 | LONG);
            frame.extend(u16::try_from(payload.len()).map_err(io::Error::other)?.to_be_bytes());
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame).await
    }

    /// Ends without a goodbye: the other side gets a reset.
    pub(crate) fn cut(self) {
        // Where that cannot be asked for it is an ordinary end, which is as sudden.
        let _ordinary = self.stream.get_ref().set_zero_linger();
    }
}

impl Shown<'_> {
    /// With `batch`, as our own clients have it.
    fn to_json(&self) -> String {
        let token = self.token.map_or_else(String::new, |token| format!(r#","token":"{token}""#));
        let after = self.after.map_or_else(String::new, |after| format!(r#","after":{after}"#));
        format!(r#"{{"batch":true{token}{after}}}"#)
    }
}

/// The last number behind such a text.
pub(crate) fn number_behind(text: &str, before: &str) -> Option<u64> {
    let number = &text[text.rfind(before)? + before.len()..];
    let end = number.find(|character: char| !character.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

impl Refused {
    /// Whether a good client is told to come back later, and not that something is wrong.
    pub(crate) fn is_for_now(&self) -> bool {
        match self {
            Self::Broken => false,
            Self::Status(status) => *status == 503,
            Self::Closed(code, _) => *code == 1013,
            Self::Error(error) => error.contains("busy") || error.contains("unavailable"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("broken"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Closed(code, reason) => write!(f, "{code} `{reason}`"),
            Self::Error(error) => write!(f, "`{error}`"),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "/ws",
            Self::SocketIo => "Socket.IO",
        })
    }
}
