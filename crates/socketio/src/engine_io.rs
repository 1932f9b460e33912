//! Engine.IO without Socket.IO on top: messages, and nothing else.

use std::fmt;
use std::pin::pin;
use std::rc::Rc;

use actix_web::dev::HttpServiceFactory;
use bytes::Bytes;
use bytestring::ByteString;
use lobby_websocket::Frame;
use tokio::time::{Instant, sleep_until};

use crate::door::Door;
use crate::engine::packet::MESSAGE;
use crate::link::Link;
use crate::wire::{Received, Wire};
use crate::{Config, DisconnectReason, Handshake, SendError};

/// An Engine.IO server: the transports, the heartbeat and the upgrade of [`SocketIo`](crate::SocketIo), for a protocol
/// of one's own. Of [`Config`], what belongs to Socket.IO has no meaning here.
///
/// ```no_run
/// use actix_socketio::{Config, EngineHandler, EngineIo, EngineSocket, Message};
/// use actix_web::{App, HttpServer};
///
/// struct Echo;
///
/// impl EngineHandler for Echo {
///     fn message(&self, socket: &EngineSocket, message: Message) {
///         let _gone = socket.send(&message);
///     }
/// }
///
/// # #[actix_web::main]
/// # async fn main() -> std::io::Result<()> {
/// let io = EngineIo::new(Config { path: "/engine.io/".to_owned(), ..Config::default() });
/// HttpServer::new(move || App::new().service(io.service(Echo))).bind(("127.0.0.1", 3000))?.run().await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct EngineIo {
    door: Door,
}

/// What the application does with Engine.IO sessions. There is one per worker. Its methods must not take long: what does
/// belongs into a task.
pub trait EngineHandler: 'static {
    /// A session has opened.
    fn opened(&self, _socket: &EngineSocket, _handshake: &Handshake) {}

    /// A message has come.
    fn message(&self, socket: &EngineSocket, message: Message);

    /// The session has ended; called exactly once for each that opened, unless the worker is torn down before.
    fn closed(&self, _socket: &EngineSocket, _reason: DisconnectReason) {}
}

/// What an Engine.IO session carries. A text must not hold the character U+001E: polling separates packets by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text.
    Text(ByteString),
    /// Anything else.
    Binary(Bytes),
}

/// One Engine.IO session, as the application holds it. Clones are the same session.
#[derive(Clone)]
pub struct EngineSocket {
    link: Rc<Link>,
}

impl EngineIo {
    /// A server with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { door: Door::new(config) }
    }

    /// The service of one worker; see [`SocketIo::service`](crate::SocketIo::service).
    pub fn service<H: EngineHandler>(&self, handler: H) -> impl HttpServiceFactory + use<H> {
        let handler = Rc::new(handler);
        self.door.service(move |handshake, wire| {
            actix_rt::spawn(run(Rc::clone(&handler), handshake, wire));
        })
    }

    /// Sessions that live, on all workers.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.door.sessions()
    }
}

impl EngineSocket {
    /// Queues a message.
    pub fn send(&self, message: &Message) -> Result<(), SendError> {
        self.link.send_frame(&match message {
            Message::Text(text) => Frame::text_from(&[MESSAGE, text]),
            Message::Binary(data) => Frame::binary(data),
        })
    }

    /// Closes the session behind what is queued already.
    pub fn close(&self) {
        self.link.end(DisconnectReason::ForcedClose);
    }
}

impl fmt::Debug for EngineSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineSocket").finish_non_exhaustive()
    }
}

async fn run<H: EngineHandler>(handler: Rc<H>, handshake: Handshake, mut wire: Wire) {
    let socket = EngineSocket { link: Rc::clone(wire.link()) };
    handler.opened(&socket, &handshake);
    let reason = drive(&*handler, &socket, &mut wire).await;
    handler.closed(&socket, reason);
    wire.finish(reason).await;
}

async fn drive<H: EngineHandler>(handler: &H, socket: &EngineSocket, wire: &mut Wire) -> DisconnectReason {
    let mut sleep = pin!(sleep_until(wire.deadline()));
    loop {
        let incoming = tokio::select! {
            biased;
            () = socket.link.woken() => match socket.link.ending() {
                Some(reason) => return reason,
                None => None,
            },
            () = sleep.as_mut() => match wire.advance(Instant::now(), true) {
                Some(reason) => return reason,
                None => None,
            },
            incoming = wire.next(true) => incoming,
        };
        match incoming {
            Some(Received::Text(text)) => handler.message(socket, Message::Text(text)),
            Some(Received::Binary(data)) => handler.message(socket, Message::Binary(data)),
            Some(Received::Closed(reason)) => return reason,
            None => {}
        }
        if sleep.deadline() != wire.deadline() {
            sleep.as_mut().reset(wire.deadline());
        }
    }
}
