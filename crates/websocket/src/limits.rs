use std::time::Duration;

/// Bounds of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, its fragments joined; also bounds the length that each frame declares. More: 1009.
    pub max_message: usize,
    /// Frames of one message, so that a message made of empty or tiny frames ends too. More: 1009.
    pub max_fragments: usize,
    /// Bytes waiting for a peer, with 32 more for each frame (what holding it costs). More: 1013.
    ///
    /// It must hold the largest single message that is ever sent. The kernel's socket buffer comes on top, which is what the
    /// system grants, some hundred KiB; on a server other than [`serve`](crate::serve)'s its write buffer too: at most about
    /// 100 KiB, or one message if that is larger.
    pub outbox_bytes: usize,
    /// How long a peer may take to read what is pending and to answer our close frame, from [`Outbox::close`] on.
    ///
    /// [`Outbox::close`]: crate::Outbox::close
    pub close_timeout: Duration,
    /// Pings to a silent peer, and its end; `None` where a protocol above has its own heartbeat.
    pub heartbeat: Option<Heartbeat>,
}

impl Default for Limits {
    /// 1,000,000 bytes a message (what Socket.IO's users know as `maxPayload`), 1,024 fragments (4 KiB pieces of
    /// four such messages), 1 MiB of outbox (one such message and its frame header), 5 s to close (several round
    /// trips of the worst mobile network), no heartbeat.
    fn default() -> Self {
        Self {
            max_message: 1_000_000,
            max_fragments: 1024,
            outbox_bytes: 1024 * 1024,
            close_timeout: Duration::from_secs(5),
            heartbeat: None,
        }
    }
}

/// When a silent peer is asked for a sign of life, and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// A ping is sent after this long without a single byte from the peer.
    pub interval: Duration,
    /// The connection is cut when this long after the ping there still was none.
    pub timeout: Duration,
}

impl Default for Heartbeat {
    /// 25 s and 20 s: below the 60 s after which most proxies cut an idle connection.
    fn default() -> Self {
        Self { interval: Duration::from_secs(25), timeout: Duration::from_secs(20) }
    }
}
