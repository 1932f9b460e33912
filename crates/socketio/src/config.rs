//! What can be set, under the names and with the defaults that Socket.IO's users know.

use std::any::Any;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;
use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;

use crate::{Cors, Elsewhere, NodeName};

/// Decides whether a request may open a connection; `false` is answered with 403 and code 4.
pub type AllowRequest = Arc<dyn Fn(&RequestHead) -> bool + Send + Sync>;

/// Decides whether there is room for one session more; see [`Config::admit`].
pub type Admit = Arc<dyn Fn(&HttpRequest) -> Result<Permit, TooMany> + Send + Sync>;

/// What a session holds for as long as it lives. Clones are the same one.
#[derive(Clone)]
pub struct Permit(Rc<dyn Any>);

impl Permit {
    /// With what it is about.
    pub fn new(value: impl Any) -> Self {
        Self(Rc::new(value))
    }

    /// What it was made of, if that is a `T`.
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

/// There is no room for a session: clients try again by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooMany {
    /// The status of the answer: 429, or 503.
    pub status: StatusCode,
    /// Why, for people.
    pub message: String,
    /// Seconds after which trying again may help: `Retry-After`.
    pub retry_after: u32,
}

/// How packets travel, under the names that stand in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "polling" => Some(Self::Polling),
            "websocket" => Some(Self::WebSocket),
            _ => None,
        }
    }
}

/// Settings of a [`SocketIo`](crate::SocketIo) server.
#[derive(Clone)]
pub struct Config {
    /// Where the server is mounted; it answers with and without the trailing slash. Default `/socket.io/`.
    pub path: String,
    /// The transports that clients may use. Default: both; sessions that poll may then move to a WebSocket.
    pub transports: Vec<Transport>,
    /// Time between the client's last pong and the server's next ping. Default 25 s.
    pub ping_interval: Duration,
    /// How long a pong may take before the connection counts as dead. Default 20 s.
    pub ping_timeout: Duration,
    /// How long a connection may be without any namespace. Default 45 s.
    pub connect_timeout: Duration,
    /// How long the move from polling to a WebSocket may take. Default 10 s.
    pub upgrade_timeout: Duration,
    /// Bytes of one WebSocket message, and of one polling request's or answer's body. Default 1,000,000.
    pub max_payload: usize,
    /// Packets that a client may put into one polling request. Default 10,000.
    ///
    /// Clients pack all that has queued up, as far as `max_payload` allows: hundreds after a burst are nothing unusual.
    /// They are counted before the first is read, which is what makes a flood cheap to refuse, and then read one at a
    /// time, as fast as their events find room in `max_concurrent_events`. The server itself never sends more than
    /// 16 in one answer, since python-engineio's client refuses more.
    pub max_packets_per_payload: usize,
    /// How long the body of a polling request may take to arrive. Default 30 s, which is `max_payload` at 270 kbit/s.
    pub payload_timeout: Duration,
    /// Namespaces that one connection may join or ask for at the same time. Default 16.
    pub max_namespaces: usize,
    /// Binary attachments that one packet may announce. Default 10.
    pub max_attachments: usize,
    /// Bytes of all attachments of one packet, while those that are missing are waited for. Default 1,000,000.
    pub max_attachment_bytes: usize,
    /// How long the attachments of one packet may take to arrive. Default 10 s.
    pub attachment_timeout: Duration,
    /// Events of one connection that may be under way in the handler; at one more, the connection stops reading.
    /// Default 64.
    pub max_concurrent_events: usize,
    /// Acknowledgements that one socket may owe the server at the same time. Default 64.
    pub max_pending_acks: usize,
    /// Bytes that may wait for a client before it is cut as too slow. Default 1 MiB.
    pub outbox_bytes: usize,
    /// A cookie that tells load balancers the session, set when a session begins by polling; its value becomes the
    /// session's identifier. The server itself never reads it. Default: none.
    pub cookie: Option<Cookie<'static>>,
    /// Which pages of other origins may poll. Default: none.
    pub cors: Option<Cors>,
    /// Asked before every handshake and every request of a session, for example to check `Origin`. Default: everybody is let in.
    pub allow_request: Option<AllowRequest>,
    /// Asked before a session is opened, once all else is found right: who makes no proper handshake is not asked about. What it gives
    /// is in the [`Handshake`](crate::Handshake), and dropped when the session has ended. Default: there is always room.
    pub admit: Option<Admit>,
    /// The name of this server, where several serve the same clients: every sid begins with it, and `.` behind it. Each must
    /// have another name. Default: none.
    pub node: Option<NodeName>,
    /// Passes requests on whose session names another node. Default: none, and such a session is unknown.
    pub elsewhere: Option<Arc<dyn Elsewhere>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/socket.io/".to_owned(),
            transports: vec![Transport::Polling, Transport::WebSocket],
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(45),
            upgrade_timeout: Duration::from_secs(10),
            max_payload: 1_000_000,
            max_packets_per_payload: 10_000,
            payload_timeout: Duration::from_secs(30),
            max_namespaces: 16,
            max_attachments: 10,
            max_attachment_bytes: 1_000_000,
            attachment_timeout: Duration::from_secs(10),
            max_concurrent_events: 64,
            max_pending_acks: 64,
            outbox_bytes: 1 << 20,
            cookie: None,
            cors: None,
            allow_request: None,
            admit: None,
            node: None,
            elsewhere: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("path", &self.path)
            .field("transports", &self.transports)
            .field("ping_interval", &self.ping_interval)
            .field("ping_timeout", &self.ping_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_payload", &self.max_payload)
            .finish_non_exhaustive()
    }
}
