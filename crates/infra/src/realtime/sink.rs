//! Where what one connection is told goes, whatever its wire format.

use actix_socketio::{Packet, Socket, Transport};
use lobby_websocket::{CloseCode, Outbox};
use serde_json::value::RawValue;

use super::encode::{Encoded, NAMESPACE, plain_event};
use super::hub::Measured;
use super::run::Run;

/// Closes a plain connection whose session is over, or that could not say who it is.
pub(super) const UNAUTHENTICATED: CloseCode = CloseCode::private(4401);

/// Closes a plain connection that cannot be sent what it missed: the log keeps it no more.
const PRUNED: CloseCode = CloseCode::private(4410);

/// The way out to one connection.
#[derive(Clone)]
pub(super) enum Sink {
    Plain(Outbox),
    SocketIo(Socket),
    /// A Socket.IO client that recovers: messages come with their place in the log.
    Recoverable(Socket),
}

impl Sink {
    /// Whether it was taken. A sink that refuses is one whose connection is ending: that is where what comes of it is seen
    /// to.
    pub(super) fn send(&self, event: &Encoded) -> bool {
        match self {
            Self::Plain(outbox) => outbox.send(event.plain()).is_ok(),
            Self::SocketIo(socket) => socket.send(event.socketio()).is_ok(),
            Self::Recoverable(socket) => socket.send(event.recoverable()).is_ok(),
        }
    }

    /// The same of one that is alone, to many: it is written at once.
    pub(super) fn send_now(&self, event: &Encoded) -> bool {
        match self {
            Self::Plain(outbox) => outbox.send_now(event.plain()).is_ok(),
            Self::SocketIo(socket) => socket.send_now(event.socketio()).is_ok(),
            Self::Recoverable(socket) => socket.send_now(event.recoverable()).is_ok(),
        }
    }

    /// Whether what is sent now is written at once.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Plain(outbox) => outbox.is_idle(),
            Self::SocketIo(socket) | Self::Recoverable(socket) => socket.is_idle(),
        }
    }

    /// The same of several messages at once.
    pub(super) fn send_all(&self, run: &Run) -> bool {
        match self {
            Self::Plain(outbox) => outbox.send_all(run.plain()).is_ok(),
            Self::SocketIo(socket) => socket.send_all(run.socketio()).is_ok(),
            Self::Recoverable(socket) => socket.send_all(run.recoverable()).is_ok(),
        }
    }

    /// Sends an event that is left out where anything much is under way to this connection.
    /// Whether it was sent.
    pub(super) fn send_volatile(&self, event: &Encoded) -> bool {
        match self {
            Self::Plain(outbox) => outbox.send_volatile(event.plain()),
            Self::SocketIo(socket) | Self::Recoverable(socket) => socket.send_volatile(event.socketio()),
        }
    }

    /// This connection, and what waits for it.
    pub(super) fn measured(&self) -> Measured {
        let (by_transport, waiting) = match self {
            Self::Plain(outbox) => ([1, 0, 0], outbox.pending_bytes()),
            Self::SocketIo(socket) | Self::Recoverable(socket) => {
                let by_transport = match socket.transport() {
                    Transport::WebSocket => [0, 1, 0],
                    Transport::Polling => [0, 0, 1],
                };
                (by_transport, socket.pending_bytes())
            }
        };
        Measured { by_transport, waiting, most_waiting: waiting }
    }

    /// An event for this connection alone.
    pub(super) fn send_own(&self, name: &str, data: &RawValue) {
        let _taken = match self {
            Self::Plain(outbox) => outbox.send(&plain_event(name, data)).is_ok(),
            Self::SocketIo(socket) | Self::Recoverable(socket) => {
                socket.send(&Packet::event(NAMESPACE, name, &[data])).is_ok()
            }
        };
    }

    /// Waits until there is room for more than trifles: for whoever has a lot to send.
    pub(super) async fn room(&self) {
        match self {
            Self::Plain(outbox) => outbox.room().await,
            Self::SocketIo(socket) | Self::Recoverable(socket) => socket.room().await,
        }
    }

    /// The client is not to come back by itself: its token is dead.
    pub(super) fn end_session(&self) {
        match self {
            Self::Plain(outbox) => outbox.close(UNAUTHENTICATED, "session_over"),
            Self::SocketIo(socket) | Self::Recoverable(socket) => socket.disconnect(),
        }
    }

    /// The client may come back as soon as it can.
    pub(super) fn go_away(&self) {
        match self {
            Self::Plain(outbox) => outbox.close(CloseCode::GOING_AWAY, "going_away"),
            Self::SocketIo(socket) | Self::Recoverable(socket) => socket.shut_down(),
        }
    }

    /// The same, and it will be told then that it has missed something for good.
    pub(super) fn log_pruned(&self) {
        match self {
            Self::Plain(outbox) => outbox.close(PRUNED, "log_pruned"),
            Self::SocketIo(socket) | Self::Recoverable(socket) => socket.close(),
        }
    }
}
