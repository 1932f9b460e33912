//! What the application brings: the [`Handler`] and what it is told.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{Ack, Args, Permit, Socket};

/// What the application does with sockets. There is one per worker, so neither it nor its futures need be `Send`.
///
/// ```
/// use std::rc::Rc;
/// use actix_socketio::{ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Socket};
///
/// struct Greeter;
///
/// impl Handler for Greeter {
///     type Session = String;
///
///     async fn connect(&self, request: ConnectRequest<'_>) -> Result<String, ConnectError> {
///         let auth = request.auth.ok_or_else(|| ConnectError::new("who are you?"))?;
///         serde_json::from_str(auth.get()).map_err(|_| ConnectError::new("a name, please"))
///     }
///     async fn connected(&self, socket: &Socket, name: &Rc<String>) {
///         let _gone = socket.emit("welcome", name.as_str());
///     }
///     async fn event(&self, _: &Socket, _: &Rc<String>, _: Event) {}
///     fn disconnected(&self, _: &Socket, _: &Rc<String>, _: DisconnectReason) {}
/// }
/// ```
pub trait Handler: 'static {
    /// The application's state of one connected socket.
    type Session: 'static;

    /// May this socket join? Nothing is sent to it before this returns: `Ok` queues the CONNECT answer, `Err` the
    /// `CONNECT_ERROR`. Meanwhile the connection goes on; if it ends, the future is dropped.
    fn connect(
        &self,
        request: ConnectRequest<'_>,
    ) -> impl Future<Output = Result<Self::Session, ConnectError>>;

    /// What the CONNECT answer tells as `pid`, for what Socket.IO calls connection state recovery. Called once, after
    /// [`Handler::connect`] has let the socket in and before the answer is queued; `None` leaves it out.
    ///
    /// This is all that the server does about it: whether and what a client has missed, the application knows. From
    /// version 4.6 on, socket.io-client
    ///
    /// - keeps the `pid` in memory, and from then on takes the last argument of every event that it gets as its `offset`, if
    ///   that is a string. An event that asks for an acknowledgement never counts, nor does an acknowledgement;
    /// - when it connects again, whatever the reason, sends both beside its own `auth`: [`ConnectRequest::auth`] is then
    ///   `{"pid": …, "offset": …, …}`, without `offset` as long as there was none. What is called so in its own `auth` goes
    ///   before;
    /// - has `socket.recovered === true` at `connect` exactly if the answer tells the `pid` that it had. That promises that
    ///   whatever came after `offset` follows;
    /// - takes another `pid` in place of the one it had, and has none if the answer has none. In both cases `offset` stays what
    ///   it was until the next event that has one.
    ///
    /// A `pid` that opens something must be hard to guess, as whatever clients say. python-socketio 5 takes no notice of it.
    fn pid(&self, _session: &Self::Session) -> Option<String> {
        None
    }

    /// Called once, right after the CONNECT answer was queued: from here on `socket` may be sent to. No event of this
    /// socket is handled before it returns, so it must not run for as long as the socket lives.
    fn connected(&self, socket: &Socket, session: &Rc<Self::Session>) -> impl Future<Output = ()>;

    /// Called for each event in the order of arrival: the returned future is polled for the first time before the next
    /// packet is read, then driven by the connection together with the others that are under way, at most
    /// [`Config::max_concurrent_events`](crate::Config::max_concurrent_events): an event more than that waits, and
    /// the connection stops reading meanwhile. Dropped when the socket ends.
    fn event(&self, socket: &Socket, session: &Rc<Self::Session>, event: Event) -> impl Future<Output = ()>;

    /// Called exactly once for each socket that [`Handler::connected`] was called for, also when the worker stops.
    /// Nothing can be sent any more.
    fn disconnected(&self, socket: &Socket, session: &Rc<Self::Session>, reason: DisconnectReason);
}

/// A socket asks to join a namespace.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ConnectRequest<'a> {
    /// Which namespace, with its slash; `/` is the main one. It is the client's choice: refuse what is not served, as
    /// [`ConnectError::invalid_namespace`].
    pub namespace: &'a str,
    /// The JSON object that the client sent along, if any: `auth` in its options, and what [`Handler::pid`] says.
    pub auth: Option<&'a RawValue>,
    /// The request that opened the connection.
    pub handshake: &'a Handshake,
}

/// The request that opened a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Handshake {
    /// The Engine.IO session's identifier. Whoever knows it can take part in the session: never show it to others.
    pub sid: String,
    /// See [`Handshake::headers`]. It lives as long as the connection, and a map takes many times the memory.
    pub(crate) headers: Box<[(HeaderName, HeaderValue)]>,
    /// The query string without `?`.
    pub query: String,
    /// The address of the TCP peer, which may be a proxy.
    pub peer_addr: Option<SocketAddr>,
    /// What [`Config::admit`](crate::Config::admit) has given, if anybody was asked.
    pub permit: Option<Permit>,
}

impl Handshake {
    /// All headers of the request (`cookie`, `authorization`, `origin` among them).
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        self.headers.iter().cloned().collect()
    }
}

/// Why a socket may not join: what the client's `connect_error` event tells.
#[derive(Debug, Serialize)]
pub struct ConnectError {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    /// Whether the connection is closed instead.
    #[serde(skip)]
    closes: bool,
}

impl ConnectError {
    /// A refusal with a message for people.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None, closes: false }
    }

    /// What the reference answers for a namespace that it does not serve.
    #[must_use]
    pub fn invalid_namespace() -> Self {
        Self::new("Invalid namespace")
    }

    /// Adds details for programs.
    ///
    /// # Errors
    ///
    /// When `data` has no form in JSON.
    pub fn with_data<T: Serialize + ?Sized>(self, data: &T) -> Result<Self, serde_json::Error> {
        Ok(Self { data: Some(to_raw_value(data)?), ..self })
    }

    /// Has the whole connection closed instead of the client being told. From that clients come back by themselves; from
    /// `connect_error` those of JavaScript do not, unless the program sees to it.
    #[must_use]
    pub fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    pub(crate) fn closes(&self) -> bool {
        self.closes
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConnectError {}

/// An event of a client.
#[derive(Debug)]
#[non_exhaustive]
pub struct Event {
    /// Its name, never one of the reserved ones. A client's `emit(7)` is named `7`.
    pub name: String,
    /// Its arguments, with the binary data among them.
    pub args: Args,
    /// How to answer, if the client asked for an answer.
    pub ack: Option<Ack>,
}

impl Event {
    /// The argument at `index`, counted from 0; see [`Args::get`].
    ///
    /// # Errors
    ///
    /// When there is no such argument, or it is no `T`.
    pub fn arg<'a, T: Deserialize<'a>>(&'a self, index: usize) -> Result<T, serde_json::Error> {
        self.args.get(index)
    }
}

/// Why a socket ended, under the names that Socket.IO's users know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// [`Socket::disconnect`] was called.
    ServerNamespaceDisconnect,
    /// The worker stops.
    ServerShuttingDown,
    /// The client did not answer a ping in time.
    PingTimeout,
    /// The client closed the connection.
    TransportClose,
    /// The connection broke off, and nobody had said a word about it. The reference has no name of its own for that: it calls it
    /// `transport close`.
    TransportLost,
    /// The client broke a rule of its transport, or did not take what it was sent fast enough.
    TransportError,
    /// The client sent what is no packet.
    ParseError,
    /// [`Socket::close`] was called, or a socket was turned away by [`ConnectError::closing`].
    ForcedClose,
    /// The client sent a packet that fits no state of it: an event before it joined, a second CONNECT, one more
    /// namespace than allowed; or it joined nothing in time.
    ForcedServerClose,
}

impl DisconnectReason {
    /// The reason as the reference spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ServerShuttingDown => "server shutting down",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose | Self::TransportLost => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ForcedServerClose => "forced server close",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
