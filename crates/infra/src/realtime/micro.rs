//! What micro-benchmarks measure of this module, and nobody else is to use.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actix_socketio::Packet;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::test::TestRequest;
use actix_web::{FromRequest, web};
use futures_util::FutureExt;
use lobby_domain::auth::Caller;
use lobby_domain::event::Event;
use lobby_domain::message::{LogId, Message};
use lobby_domain::ports::Announcer;
use lobby_domain::session::SessionId;
use lobby_domain::use_cases::Post;
use lobby_websocket::{Connection, Frame, Limits, Outbox};
use serde_json::value::RawValue;
use tokio::task::yield_now;
use uuid::Uuid;

use super::encode::Encoded;
use super::gateway::parse_post;
use super::hub::{Arrival, Hub, Identity, Start};
use super::plain::ClientFrame;
use super::shard::{Entrant, Membership, Shard};
use super::sink::Sink;
use crate::refusal::Refusal;

/// A message as the hub has it encoded, once for all connections of each kind.
pub struct Announced(Encoded);

impl Announced {
    /// Not encoded yet.
    #[must_use]
    pub fn new(message: Message, log: LogId) -> Self {
        Self(Encoded::message(message, log))
    }

    /// For `/ws`.
    #[must_use]
    pub fn plain(&self) -> &Frame {
        self.0.plain()
    }

    /// For Socket.IO.
    #[must_use]
    pub fn socketio(&self) -> &Packet {
        self.0.socketio()
    }

    /// For Socket.IO clients that recover.
    #[must_use]
    pub fn recoverable(&self) -> &Packet {
        self.0.recoverable()
    }
}

/// What a client wants to say by a frame of `/ws`.
pub fn plain_post(text: &[u8], caller: &Caller) -> Result<Post, Refusal> {
    parse_post(ClientFrame::parse(text)?.data, caller, None)
}

/// What a client wants to say by the argument of a Socket.IO event.
pub fn post(data: Option<&RawValue>, caller: &Caller) -> Result<Post, Refusal> {
    parse_post(data, caller, None)
}

/// Connections without sockets, all of one shard: what they are told waits in their outboxes until it is read.
pub struct Followers {
    hub: Arc<Hub>,
    followers: Vec<Follower>,
}

struct Follower {
    outbox: Outbox,
    body: RefCell<BoxBody>,
    _membership: Membership,
    _connection: Connection,
}

impl Followers {
    /// So many at `/ws`. The first has proved session 0, the next session 1, and so on.
    ///
    /// # Panics
    /// Outside a [`tokio::task::LocalSet`].
    pub async fn plain(hub: Arc<Hub>, count: u16) -> Self {
        Self::join(hub, count, Sink::Plain).await
    }

    /// The same of Socket.IO.
    ///
    /// # Panics
    /// Outside a [`tokio::task::LocalSet`].
    pub async fn socketio(hub: Arc<Hub>, count: u16) -> Self {
        Self::join(hub, count, |outbox| Sink::SocketIo(actix_socketio::micro::socket(outbox))).await
    }

    async fn join(hub: Arc<Hub>, count: u16, sink: fn(Outbox) -> Sink) -> Self {
        let shard = Shard::attach(&hub);
        let mut followers = Vec::with_capacity(count.into());
        for number in 0..count {
            let (body, connection) = connection();
            let outbox = connection.outbox();
            let proved = Some(SessionId(Uuid::from_u128(number.into())));
            let identity = Identity { proved, ends_with: None };
            let arrival = Arrival { identity, user: None, start: Start::Now };
            let entrant = Entrant { sink: sink(outbox.clone()), arrival, pid: None, in_batches: false };
            let membership = shard.enter(entrant).await;
            followers.push(Follower {
                outbox,
                body: body.into(),
                _membership: membership,
                _connection: connection,
            });
        }
        let followers = Self { hub, followers };
        // Each is told who is online first.
        let mut let_in = 0;
        while let_in < usize::from(count) {
            yield_now().await;
            let_in += followers.read();
        }
        followers
    }

    /// Messages are let out and delivered. The first follower has to be among those who may see them, and to have read all
    /// that came before.
    pub async fn tell(&self, messages: Vec<Message>) {
        self.hub.announce(messages.into_iter().map(Event::NewMessage).collect()).await;
        // The shard tells all of them without a pause.
        while self.followers[0].outbox.pending_bytes() == 0 {
            yield_now().await;
        }
    }

    /// Takes everything out of the outboxes. How many there was something in.
    pub fn read(&self) -> usize {
        self.followers.iter().filter_map(Follower::read).count()
    }
}

impl Follower {
    fn read(&self) -> Option<()> {
        let (mut body, mut anything) = (self.body.borrow_mut(), None);
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(_)) = Pin::new(&mut *body).poll_next(&mut context) {
            anything = Some(());
        }
        anything
    }
}

/// A connection that was let in, and the body of the answer, which takes what is sent to it.
fn connection() -> (BoxBody, Connection) {
    let handshake = TestRequest::default()
        .insert_header(("connection", "upgrade"))
        .insert_header(("upgrade", "websocket"))
        .insert_header(("sec-websocket-version", "13"))
        .insert_header(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="));
    let (request, mut payload) = handshake.to_http_parts();
    let body = web::Payload::from_request(&request, &mut payload);
    let body = body.now_or_never().and_then(Result::ok).expect("taking a body never waits nor fails");
    let (response, connection) = lobby_websocket::accept(&request, body, &Limits::default())
        .expect("the handshake is the one in RFC 6455");
    (response.into_body(), connection)
}
