//! What can be set, under the names and with the defaults that Socket.IO's users know.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::RequestHead;

/// Decides whether a request may open a connection; `false` is answered with 403 and code 4.
pub type AllowRequest = Arc<dyn Fn(&RequestHead) -> bool + Send + Sync>;

/// Settings of a [`SocketIo`](crate::SocketIo) server.
#[derive(Clone)]
pub struct Config {
    /// Where the server is mounted; it answers with and without the trailing slash. Default `/socket.io/`.
    pub path: String,
    /// Time between the client's last pong and the server's next ping. Default 25 s.
    pub ping_interval: Duration,
    /// How long a pong may take before the connection counts as dead. Default 20 s.
    pub ping_timeout: Duration,
    /// How long a connection may be without any namespace. Default 45 s.
    pub connect_timeout: Duration,
    /// Bytes of one Engine.IO packet (one WebSocket message). Default 1,000,000.
    pub max_payload: usize,
    /// Namespaces that one connection may join or ask for at the same time. Default 16.
    pub max_namespaces: usize,
    /// Binary attachments that one packet may announce. Default 10.
    pub max_attachments: usize,
    /// Events of one connection that may be under way in the handler; at one more, the connection stops reading.
    /// Default 64.
    pub max_concurrent_events: usize,
    /// Acknowledgements that one socket may owe the server at the same time. Default 64.
    pub max_pending_acks: usize,
    /// Bytes that may wait for a client before it is cut as too slow. Default 1 MiB.
    pub outbox_bytes: usize,
    /// Asked before every handshake, for example to check `Origin`. Default: everybody is let in.
    pub allow_request: Option<AllowRequest>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/socket.io/".to_owned(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(45),
            max_payload: 1_000_000,
            max_namespaces: 16,
            max_attachments: 10,
            max_concurrent_events: 64,
            max_pending_acks: 64,
            outbox_bytes: 1 << 20,
            allow_request: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("path", &self.path)
            .field("ping_interval", &self.ping_interval)
            .field("ping_timeout", &self.ping_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_payload", &self.max_payload)
            .finish_non_exhaustive()
    }
}
