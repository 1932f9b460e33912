//! The WebSocket transport: one message is one Engine.IO packet.

use lobby_websocket::{CloseCode, Closed, ClosedBy, Connection, Limits, Outbox};

use super::Incoming;
use crate::{Config, DisconnectReason};

pub(crate) struct WebSocket {
    connection: Connection,
}

/// The bounds of the WebSocket below; Engine.IO brings a heartbeat of its own.
pub(crate) fn limits(config: &Config) -> Limits {
    Limits {
        max_message: config.max_payload,
        outbox_bytes: config.outbox_bytes,
        heartbeat: None,
        ..Limits::default()
    }
}

impl WebSocket {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    pub(crate) fn outbox(&self) -> Outbox {
        self.connection.outbox()
    }

    /// Waits for what comes next; may be dropped while waiting.
    pub(crate) async fn next(&mut self) -> Incoming {
        match self.connection.next().await {
            lobby_websocket::Incoming::Text(text) => Incoming::Text(text),
            lobby_websocket::Incoming::Binary(data) => Incoming::Binary(data),
            lobby_websocket::Incoming::Closed(closed) => Incoming::Closed(ending(&closed)),
        }
    }

    /// Closes behind what is queued and waits until the peer has answered or is given up. What it still sends is read
    /// and dropped: a socket closed over unread bytes is reset, and the peer would lose our last words.
    pub(crate) async fn finish(&mut self, reason: DisconnectReason) {
        self.outbox().close(close_code(reason), reason.as_str());
        while !matches!(self.connection.next().await, lobby_websocket::Incoming::Closed(_)) {}
    }
}

fn ending(closed: &Closed) -> DisconnectReason {
    match closed.by {
        ClosedBy::Peer => DisconnectReason::TransportClose,
        ClosedBy::Lost => DisconnectReason::TransportLost,
        ClosedBy::Us => DisconnectReason::TransportError,
    }
}

/// How a WebSocket is closed for this reason.
pub(crate) fn close_code(reason: DisconnectReason) -> CloseCode {
    match reason {
        DisconnectReason::ParseError | DisconnectReason::TransportError => CloseCode::PROTOCOL,
        DisconnectReason::PingTimeout | DisconnectReason::ForcedServerClose => CloseCode::POLICY,
        DisconnectReason::ServerShuttingDown => CloseCode::GOING_AWAY,
        DisconnectReason::ClientNamespaceDisconnect
        | DisconnectReason::ServerNamespaceDisconnect
        | DisconnectReason::TransportClose
        | DisconnectReason::TransportLost
        | DisconnectReason::ForcedClose => CloseCode::NORMAL,
    }
}
