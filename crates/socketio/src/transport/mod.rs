//! Transports only move bytes: what they carry means something to `engine` and to the connection's task.

mod websocket;

pub(crate) use websocket::{WebSocket, limits};

use bytestring::ByteString;

use crate::DisconnectReason;

/// What comes out of a transport.
pub(crate) enum Incoming {
    /// One Engine.IO packet.
    Text(ByteString),
    /// Binary data, which no packet has announced.
    Binary,
    /// The end, and why.
    Closed(DisconnectReason),
}
