//! Transports only move bytes: what they carry means something to `engine` and to the session's task.

mod polling;
mod pump;
mod websocket;

pub(crate) use polling::{Buffer, Polling};
pub(crate) use pump::{Outgoing, Pipe, pipe};
pub(crate) use websocket::{WebSocket, close_code, limits};

use bytes::Bytes;
use bytestring::ByteString;

use crate::DisconnectReason;

/// What comes out of a transport.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// One Engine.IO packet.
    Text(ByteString),
    /// One Engine.IO packet, a message of binary data.
    Binary(Bytes),
    /// The client polls, which is answered if the session still lives.
    Polled,
    /// The end, and why.
    Closed(DisconnectReason),
}

/// What carries one session.
#[expect(
    clippy::large_enum_variant,
    reason = "WebSockets are the many: they are kept in place, the others apart"
)]
pub(crate) enum Carrier {
    /// A WebSocket from the beginning, on the session's own worker.
    WebSocket(WebSocket),
    /// Polling, and the WebSocket that may take over.
    Polling(Box<Polling>),
}

impl Carrier {
    /// Waits for what comes next; may be dropped while waiting. While it is not `listening`, no packets are read.
    pub(crate) async fn next(&mut self, listening: bool) -> Incoming {
        match self {
            Self::WebSocket(socket) if listening => socket.next().await,
            Self::WebSocket(_) => std::future::pending().await,
            Self::Polling(polling) => polling.next(listening).await,
        }
    }

    /// Ends the session for its client, and waits for what that takes, within bounds.
    pub(crate) async fn finish(&mut self, reason: DisconnectReason) {
        match self {
            Self::WebSocket(socket) => socket.finish(reason).await,
            Self::Polling(polling) => polling.finish(reason).await,
        }
    }
}
