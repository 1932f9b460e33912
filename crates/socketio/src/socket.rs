//! One client in one namespace, as the application holds it.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::acks::PendingAcks;
use crate::link::Link;
use crate::packet::encode;
use crate::{AckError, Args, DisconnectReason, Packet, Packets, Transport, sid};

/// One client in one namespace. Clones are the same socket; it lives on one worker. None of its methods waits, except
/// for [`Socket::emit_with_ack`], [`Socket::emit_binary_with_ack`] and [`Socket::room`].
#[derive(Clone)]
pub struct Socket {
    inner: Rc<Inner>,
}

struct Inner {
    id: String,
    namespace: Rc<str>,
    link: Rc<Link>,
    joined: Cell<bool>,
    acks: PendingAcks,
}

/// Why something was not sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The socket or its connection has ended.
    #[error("the socket has ended")]
    Closed,
    /// Too much waits for this client already: the connection is being cut.
    #[error("the client does not keep up")]
    Overflow,
    /// The data has no form in JSON.
    #[error("no JSON can be made of this")]
    Encoding(#[from] serde_json::Error),
}

impl From<lobby_websocket::SendError> for SendError {
    fn from(error: lobby_websocket::SendError) -> Self {
        match error {
            lobby_websocket::SendError::Closed => Self::Closed,
            lobby_websocket::SendError::Overflow => Self::Overflow,
        }
    }
}

impl Socket {
    pub(crate) fn new(namespace: Rc<str>, link: Rc<Link>, max_pending_acks: usize) -> Self {
        let acks = PendingAcks::new(max_pending_acks);
        Self { inner: Rc::new(Inner { id: sid::fresh(), namespace, link, joined: Cell::new(true), acks }) }
    }

    /// The socket's identifier, which its client knows too. It is no secret: it is not the Engine.IO session's.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The namespace, `/` being the main one.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Whether the socket may still be sent to.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.joined.get()
    }

    /// What carries it now: a client that polls may move to a WebSocket.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.inner.link.transport()
    }

    /// Bytes of packets that wait for the client.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.inner.link.pending_bytes()
    }

    /// Whether the connection was cut because more waited for the client than may.
    #[must_use]
    pub fn was_too_slow(&self) -> bool {
        self.inner.link.was_too_slow()
    }

    /// Queues a packet, which must be one of this socket's namespace.
    pub fn send(&self, packet: &Packet) -> Result<(), SendError> {
        if self.inner.joined.get() { self.inner.link.send(packet) } else { Err(SendError::Closed) }
    }

    /// The same, but over a WebSocket for which nothing waits it is written at once: for a lone packet to many clients, where it costs
    /// less. Packets that follow one another leave in fewer writes by [`Socket::send`].
    pub fn send_now(&self, packet: &Packet) -> Result<(), SendError> {
        if self.inner.joined.get() { self.inner.link.send_now(packet) } else { Err(SendError::Closed) }
    }

    /// Whether [`Socket::send_now`] would write at once. Whoever asks this of several sockets before they are sent anything has all of
    /// them fetched from memory at the same time.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.inner.joined.get() && self.inner.link.is_idle()
    }

    /// Queues several packets at once, which must all be of this socket's namespace. Over a WebSocket this costs what one does.
    pub fn send_all(&self, packets: &Packets) -> Result<(), SendError> {
        if self.inner.joined.get() { self.inner.link.send_all(packets) } else { Err(SendError::Closed) }
    }

    /// Queues a packet that may be left out, such as that somebody is typing: only if with it at most an eighth of
    /// [`Config::outbox_bytes`](crate::Config::outbox_bytes) waits for the client. Else it is dropped, and nothing is
    /// closed. Whether it was queued.
    pub fn send_volatile(&self, packet: &Packet) -> bool {
        self.inner.joined.get() && self.inner.link.send_volatile(packet)
    }

    /// Queues an event with one argument, whatever its type: a tuple or an array arrives as one array. For many
    /// receivers make one [`Packet`] instead.
    pub fn emit<T: Serialize + ?Sized>(&self, name: &str, arg: &T) -> Result<(), SendError> {
        self.send(&Packet::event_with(self.namespace(), name, arg)?)
    }

    /// Queues an event with any number of arguments, which are JSON already, and binary data: a
    /// [`Placeholder`](crate::Placeholder) stands in `args` for each of the `attachments`.
    pub fn emit_binary(
        &self,
        name: &str,
        args: &[&RawValue],
        attachments: &[Bytes],
    ) -> Result<(), SendError> {
        self.send(&Packet::binary_event(self.namespace(), name, args, attachments))
    }

    /// Waits until what waits for the client is at most half of [`Config::outbox_bytes`](crate::Config::outbox_bytes), or the
    /// socket has ended. Cancel safe, and any number may wait; an upgrade of the transport meanwhile changes nothing.
    ///
    /// For whoever has more to send to one client than may wait for it: called before each packet, it lets the client set
    /// the pace. A packet of less than half of that bound fits then, if it is sent before the next `await`. What others send
    /// to the same client, such as events for all, takes its room too.
    ///
    /// ```
    /// # use actix_socketio::{SendError, Socket};
    /// async fn replay(socket: &Socket, history: &[String]) -> Result<(), SendError> {
    ///     for message in history {
    ///         socket.room().await;
    ///         socket.emit("message", message)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn room(&self) {
        self.inner.link.room(&self.inner.joined).await;
    }

    /// Queues an event with one argument and waits for the client's answer. Answers are not read while an event of the
    /// client waits for its turn (see [`Handler::connected`](crate::Handler::connected) and
    /// [`Handler::event`](crate::Handler::event)).
    pub async fn emit_with_ack<T: Serialize + ?Sized>(
        &self,
        name: &str,
        arg: &T,
        timeout: Duration,
    ) -> Result<Args, AckError> {
        let arg = serde_json::to_string(arg).map_err(SendError::from)?;
        self.ask(name, &[&arg], &[], timeout).await
    }

    /// As [`Socket::emit_with_ack`], with any number of arguments, which are JSON already, and binary data: a
    /// [`Placeholder`](crate::Placeholder) stands in `args` for each of the `attachments`.
    pub async fn emit_binary_with_ack(
        &self,
        name: &str,
        args: &[&RawValue],
        attachments: &[Bytes],
        timeout: Duration,
    ) -> Result<Args, AckError> {
        self.ask(name, &encode::texts(args), attachments, timeout).await
    }

    async fn ask(
        &self,
        name: &str,
        args: &[&str],
        attachments: &[Bytes],
        timeout: Duration,
    ) -> Result<Args, AckError> {
        let mut pending = self.inner.acks.expect().ok_or(AckError::TooMany)?;
        self.send(&encode::event(self.namespace(), Some(pending.id), name, args, attachments))?;
        tokio::time::timeout(timeout, pending.answer()).await.unwrap_or(Err(AckError::Timeout))
    }

    /// Sends the client out of the namespace, behind what is queued already. The connection is closed if it has no
    /// other namespace left. Clients do not come back from this by themselves.
    pub fn disconnect(&self) {
        if self.inner.joined.get() {
            // A link that takes nothing any more is about to end the socket anyway.
            let _gone = self.send(&encode::disconnect(self.namespace()));
            self.end();
            self.inner.link.wake();
        }
    }

    /// Closes the whole connection with all its namespaces, behind what is queued already; nothing more can be sent.
    /// Clients reconnect.
    pub fn close(&self) {
        self.inner.link.end(DisconnectReason::ForcedClose);
    }

    /// The same as [`SocketIo::shut_down`](crate::SocketIo::shut_down) does it to all: a WebSocket is closed with 1001. For servers that tell
    /// one after the other that they go away.
    pub fn shut_down(&self) {
        self.inner.link.end(DisconnectReason::ServerShuttingDown);
    }

    /// From here on nothing is sent, and nobody waits for the client's answers.
    pub(crate) fn end(&self) {
        self.inner.joined.set(false);
        self.inner.link.tell_change();
        self.inner.acks.abandon();
    }

    pub(crate) fn acks(&self) -> &PendingAcks {
        &self.inner.acks
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.inner.id)
            .field("namespace", &self.inner.namespace)
            .finish()
    }
}
