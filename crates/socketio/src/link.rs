//! The server's end of one Engine.IO session, as its sockets share it: what they send, and what they ask of the session's
//! task.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use lobby_websocket::{CloseCode, Frame, Outbox};
use tokio::sync::Notify;

use crate::channel::{PushError, Sender};
use crate::transport::{Buffer, Outgoing};
use crate::{DisconnectReason, Packet, Packets, SendError, Transport};

pub(crate) struct Link {
    /// Never borrowed across a call that could come back here.
    way: RefCell<Way>,
    /// Why the session is to end, once it is.
    ending: Cell<Option<DisconnectReason>>,
    /// Whether that was for being too slow.
    too_slow: Cell<bool>,
    wanted: Notify,
    /// Told when packets go another way from now on, or those of some socket nowhere.
    changed: Notify,
}

/// Where packets go.
pub(crate) enum Way {
    /// Into the WebSocket of this worker.
    WebSocket(Outbox),
    /// Into the buffer that polls empty.
    Polling(Rc<Buffer>),
    /// To the WebSocket that has taken over, on whichever worker it is.
    Upgraded(Sender<Outgoing>),
}

impl Link {
    pub(crate) fn new(way: Way) -> Self {
        Self {
            way: RefCell::new(way),
            ending: Cell::new(None),
            too_slow: Cell::new(false),
            wanted: Notify::new(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn send(&self, packet: &Packet) -> Result<(), SendError> {
        self.send_frame(packet.frame())?;
        packet.attachments().iter().try_for_each(|frame| self.send_frame(frame))
    }

    /// The same, but what has nothing in front of it is written at once, over a WebSocket.
    pub(crate) fn send_now(&self, packet: &Packet) -> Result<(), SendError> {
        match &*self.way.borrow() {
            Way::WebSocket(outbox) if packet.attachments().is_empty() => {
                self.is_open()?;
                self.or_cut(outbox.send_now(packet.frame()).map_err(SendError::from))
            }
            _ => self.send(packet),
        }
    }

    /// Whether a packet would be written at once.
    pub(crate) fn is_idle(&self) -> bool {
        self.ending.get().is_none()
            && matches!(&*self.way.borrow(), Way::WebSocket(outbox) if outbox.is_idle())
    }

    /// The same if there is plenty of room for all of it; whether there was.
    pub(crate) fn send_volatile(&self, packet: &Packet) -> bool {
        let attachments: usize = packet.attachments().iter().map(cost).sum();
        let bytes = packet.frame().len() + attachments;
        let has_to_spare = self.ending.get().is_none() && self.way.borrow().has_to_spare(bytes);
        has_to_spare && self.send(packet).is_ok()
    }

    /// Over a WebSocket in one piece.
    pub(crate) fn send_all(&self, packets: &Packets) -> Result<(), SendError> {
        self.is_open()?;
        if let Way::WebSocket(outbox) = &*self.way.borrow() {
            return self.or_cut(outbox.send_all(packets.frames()).map_err(SendError::from));
        }
        packets.each().iter().try_for_each(|packet| self.send(packet))
    }

    pub(crate) fn send_frame(&self, frame: &Frame) -> Result<(), SendError> {
        self.is_open()?;
        self.or_cut(match &*self.way.borrow() {
            Way::WebSocket(outbox) => outbox.send(frame).map_err(SendError::from),
            Way::Polling(buffer) => buffer.send(frame),
            Way::Upgraded(sender) => sender.push(Outgoing::Frame(frame.clone())).map_err(SendError::from),
        })
    }

    /// Nothing follows what was dropped, or what was said last.
    fn is_open(&self) -> Result<(), SendError> {
        self.ending.get().map_or(Ok(()), |_| Err(SendError::Closed))
    }

    fn or_cut(&self, sent: Result<(), SendError>) -> Result<(), SendError> {
        if matches!(sent, Err(SendError::Overflow)) {
            self.too_slow.set(true);
            self.close(CloseCode::TRY_AGAIN, "too slow");
            self.end(DisconnectReason::TransportError);
        }
        sent
    }

    pub(crate) fn transport(&self) -> Transport {
        match &*self.way.borrow() {
            Way::WebSocket(_) | Way::Upgraded(_) => Transport::WebSocket,
            Way::Polling(_) => Transport::Polling,
        }
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        match &*self.way.borrow() {
            Way::WebSocket(outbox) => outbox.pending_bytes(),
            Way::Polling(buffer) => buffer.pending_bytes(),
            Way::Upgraded(sender) => sender.pending_bytes(),
        }
    }

    pub(crate) fn was_too_slow(&self) -> bool {
        self.too_slow.get()
    }

    /// Waits until at most half of what may wait for the client does, or nothing of a socket is sent any more: as long as it
    /// has `joined`. Cancel safe, and any number may wait.
    pub(crate) async fn room(&self, joined: &Cell<bool>) {
        // A client may take things as fast as they come: other tasks want their turn then.
        tokio::task::coop::consume_budget().await;
        while joined.get() && self.ending.get().is_none() {
            let room = self.way.borrow().room();
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = room => return,
            }
        }
    }

    /// The session moves on: from here on packets go another way.
    pub(crate) fn redirect(&self, way: Way) {
        self.way.replace(way);
        self.tell_change();
    }

    /// Has those who wait for room look whether there is still something to wait for.
    pub(crate) fn tell_change(&self) {
        self.changed.notify_waiters();
    }

    /// Closes a WebSocket behind what is queued; polling has an end of its own.
    pub(crate) fn close(&self, code: CloseCode, reason: &'static str) {
        match &*self.way.borrow() {
            Way::WebSocket(outbox) => outbox.close(code, reason),
            Way::Upgraded(sender) => sender.finish(Outgoing::Close(code, reason)),
            Way::Polling(_) => {}
        }
    }

    /// Asks the session's task to end the session; the first reason counts.
    pub(crate) fn end(&self, reason: DisconnectReason) {
        self.ending.set(self.ending.get().or(Some(reason)));
        self.tell_change();
        self.wake();
    }

    pub(crate) fn ending(&self) -> Option<DisconnectReason> {
        self.ending.get()
    }

    /// Has the session's task look at what its sockets want.
    pub(crate) fn wake(&self) {
        self.wanted.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.wanted.notified().await;
    }
}

fn cost(frame: &Frame) -> usize {
    frame.len() + size_of::<Frame>()
}

impl Way {
    /// Whether a packet of so many bytes that may be left out is to be sent.
    fn has_to_spare(&self, bytes: usize) -> bool {
        match self {
            Self::WebSocket(outbox) => outbox.has_to_spare(bytes),
            Self::Polling(buffer) => buffer.has_to_spare(bytes),
            Self::Upgraded(sender) => sender.has_to_spare(bytes),
        }
    }

    /// It borrows nothing: meanwhile packets may come to go another way.
    fn room(&self) -> LocalBoxFuture<'static, ()> {
        match self {
            Self::WebSocket(outbox) => {
                let outbox = outbox.clone();
                async move { outbox.room().await }.boxed_local()
            }
            Self::Polling(buffer) => {
                let buffer = Rc::clone(buffer);
                async move { buffer.room().await }.boxed_local()
            }
            Self::Upgraded(sender) => sender.room().boxed_local(),
        }
    }
}

impl From<PushError> for SendError {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Full => Self::Overflow,
            PushError::Closed => Self::Closed,
        }
    }
}

#[cfg(test)]
mod tests;
