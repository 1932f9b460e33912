//! The server's end of one Engine.IO connection, as its sockets share it: what they send, and what they ask of the
//! connection's task.

use std::cell::Cell;

use lobby_websocket::{Frame, Outbox};
use tokio::sync::Notify;

use crate::{DisconnectReason, Packet, SendError};

pub(crate) struct Link {
    outbox: Outbox,
    /// Why the connection is to end, once it is.
    ending: Cell<Option<DisconnectReason>>,
    wanted: Notify,
}

impl Link {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox, ending: Cell::new(None), wanted: Notify::new() }
    }

    pub(crate) fn send(&self, packet: &Packet) -> Result<(), SendError> {
        self.send_frame(packet.frame())
    }

    pub(crate) fn send_frame(&self, frame: &Frame) -> Result<(), SendError> {
        let sent = self.outbox.send(frame).map_err(SendError::from);
        if matches!(sent, Err(SendError::Overflow)) {
            self.end(DisconnectReason::TransportError);
        }
        sent
    }

    /// Asks the connection's task to end the connection; the first reason counts.
    pub(crate) fn end(&self, reason: DisconnectReason) {
        self.ending.set(self.ending.get().or(Some(reason)));
        self.wake();
    }

    pub(crate) fn ending(&self) -> Option<DisconnectReason> {
        self.ending.get()
    }

    /// Has the connection's task look at what its sockets want.
    pub(crate) fn wake(&self) {
        self.wanted.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.wanted.notified().await;
    }
}
