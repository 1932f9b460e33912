//! The task of one connection: waits for whatever comes first, asks the state machines what it means, and does it.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytestring::ByteString;
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use lobby_websocket::Frame;
use serde_json::value::RawValue;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::engine::packet::PING;
use crate::engine::session::{Due, Received, Session, open_packet};
use crate::link::Link;
use crate::member::Member;
use crate::namespaces::{Namespaces, Refused, Route};
use crate::packet::decode::{Body, Packet};
use crate::packet::encode;
use crate::transport::{Incoming, WebSocket};
use crate::{
    Ack, Args, Config, ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Handshake, Socket,
};

/// What the application has decided about a socket that wants to join.
type Verdict<H> = (Rc<str>, Result<<H as Handler>::Session, ConnectError>);

/// `Break` ends the connection.
type Flow = ControlFlow<DisconnectReason>;

pub(crate) struct Connection<H: Handler> {
    handler: Rc<H>,
    config: Arc<Config>,
    handshake: Rc<Handshake>,
    link: Rc<Link>,
    session: Session,
    namespaces: Namespaces<Member<H>>,
    joining: FuturesUnordered<LocalBoxFuture<'static, Verdict<H>>>,
    /// An event that must wait for others to finish. While there is one, nothing is read: there is never a second.
    held: Option<(Socket, Event)>,
}

/// What the task was waiting for.
enum Wake<H: Handler> {
    Wanted,
    Decided(Verdict<H>),
    Progress,
    Due,
    Incoming(Incoming),
}

/// Serves one connection from its `open` packet to its end.
pub(crate) async fn run<H: Handler>(
    handler: Rc<H>,
    config: Arc<Config>,
    handshake: Handshake,
    mut transport: WebSocket,
) {
    let link = Rc::new(Link::new(transport.outbox()));
    let mut connection = Connection::open(handler, config, handshake, link);
    let reason = connection.drive(&mut transport).await;
    tracing::debug!(%reason, "connection ends");
    connection.end(reason);
    transport.finish(reason).await;
}

impl<H: Handler> Connection<H> {
    fn open(handler: Rc<H>, config: Arc<Config>, handshake: Handshake, link: Rc<Link>) -> Self {
        let now = Instant::now();
        // If the link takes nothing any more, the transport says why at its first word.
        let _gone = link.send_frame(&Frame::text(&open_packet(&handshake.sid, &config)));
        Self {
            session: Session::open(&config, now),
            namespaces: Namespaces::new(config.max_namespaces, config.connect_timeout, now),
            joining: FuturesUnordered::new(),
            held: None,
            handshake: Rc::new(handshake),
            handler,
            config,
            link,
        }
    }

    async fn drive(&mut self, transport: &mut WebSocket) -> DisconnectReason {
        let mut sleep = pin!(sleep_until(self.deadline()));
        loop {
            let wake = self.wait(transport, sleep.as_mut()).await;
            if let ControlFlow::Break(reason) = self.handle(wake).await {
                return reason;
            }
            if let Some((socket, event)) = self.held.take() {
                self.start(socket, event).await;
            }
            let deadline = self.deadline();
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
        }
    }

    /// What the sockets want comes first, so that nothing is read for one that was sent out; what comes from the client
    /// last, so that a flood of it puts off no ping.
    async fn wait(&mut self, transport: &mut WebSocket, sleep: Pin<&mut Sleep>) -> Wake<H> {
        let listening = self.is_listening();
        tokio::select! {
            biased;
            () = self.link.woken() => Wake::Wanted,
            Some(verdict) = self.joining.next() => Wake::Decided(verdict),
            () = poll_fn(|cx| poll_members(&mut self.namespaces, cx)) => Wake::Progress,
            () = sleep => Wake::Due,
            incoming = transport.next(), if listening => Wake::Incoming(incoming),
        }
    }

    async fn handle(&mut self, wake: Wake<H>) -> Flow {
        match wake {
            Wake::Wanted => self.obey(),
            Wake::Decided((namespace, Ok(session))) => {
                self.admit(&namespace, session).await;
                Flow::Continue(())
            }
            Wake::Decided((namespace, Err(error))) => {
                self.turn_away(&namespace, &error);
                Flow::Continue(())
            }
            Wake::Progress => Flow::Continue(()),
            Wake::Due => self.advance(),
            Wake::Incoming(Incoming::Text(text)) => self.receive(&text).await,
            Wake::Incoming(Incoming::Binary) => Flow::Break(DisconnectReason::ParseError),
            Wake::Incoming(Incoming::Closed(reason)) => Flow::Break(reason),
        }
    }

    /// Does what sockets have asked for by [`Socket::close`] and [`Socket::disconnect`], or by sending too much.
    fn obey(&mut self) -> Flow {
        if let Some(reason) = self.link.ending() {
            return Flow::Break(reason);
        }
        let out = self.namespaces.dismiss(Instant::now(), |member| !member.socket().is_connected());
        let any = !out.is_empty();
        for member in out {
            member.end(DisconnectReason::ServerNamespaceDisconnect);
        }
        if any && self.namespaces.is_deserted() {
            return Flow::Break(DisconnectReason::ServerNamespaceDisconnect);
        }
        Flow::Continue(())
    }

    fn advance(&mut self) -> Flow {
        let now = Instant::now();
        match self.session.advance(now, self.is_listening()) {
            Due::Nothing => {}
            Due::Ping => {
                let sent = self.link.send_frame(&Frame::text(PING));
                // Whoever reads learns of the end, and why, from the transport.
                if sent.is_err() && !self.is_listening() {
                    return Flow::Break(DisconnectReason::TransportClose);
                }
            }
            Due::Dead => return Flow::Break(DisconnectReason::PingTimeout),
        }
        if self.namespaces.deadline().is_some_and(|deadline| deadline <= now) {
            return Flow::Break(DisconnectReason::ForcedServerClose);
        }
        Flow::Continue(())
    }

    async fn receive(&mut self, text: &ByteString) -> Flow {
        match self.session.receive(text, Instant::now()) {
            Received::Nothing => Flow::Continue(()),
            Received::Closed(reason) => Flow::Break(reason),
            Received::Message(message) => match Packet::decode(message, self.config.max_attachments) {
                Ok(packet) => self.route(text, packet).await,
                Err(error) => {
                    tracing::debug!(%error, "not a packet");
                    Flow::Break(DisconnectReason::ParseError)
                }
            },
        }
    }

    async fn route(&mut self, text: &ByteString, packet: Packet<'_>) -> Flow {
        if let Body::Connect { auth } = packet.body {
            return self.ask(packet.namespace, auth);
        }
        match (self.namespaces.route(packet.namespace), packet.body) {
            (Route::Refused, _) => return Flow::Break(DisconnectReason::ForcedServerClose),
            (Route::Member(_) | Route::Stale, Body::Disconnect) => self.leave(packet.namespace),
            (Route::Member(_), Body::Event { attachments: 1.., .. } | Body::Ack { attachments: 1.., .. }) => {
                return Flow::Break(DisconnectReason::ParseError);
            }
            (Route::Member(member), Body::Event { id, name, payload, attachments: 0 }) => {
                let socket = member.socket().clone();
                let ack = id.map(|id| Ack::new(socket.clone(), id));
                self.start(socket, Event { name, args: Args::of_event(text, payload), ack }).await;
            }
            (Route::Member(member), Body::Ack { id, payload, attachments: 0 }) => {
                member.socket().acks().resolve(id, Args::of_ack(text, payload));
            }
            (Route::Stale, _) | (_, Body::Connect { .. }) => {}
        }
        Flow::Continue(())
    }

    /// Hands an event to the application, or holds it while its socket is being opened or too much is under way.
    async fn start(&mut self, socket: Socket, event: Event) {
        let under_way: usize = self.namespaces.members().map(Member::under_way).sum();
        // An event that was held may have outlived its socket: then it goes nowhere.
        if let Route::Member(member) = self.namespaces.route(socket.namespace()) {
            if under_way < self.config.max_concurrent_events && !member.is_opening() {
                member.start(event).await;
            } else {
                self.held = Some((socket, event));
            }
        }
    }

    fn ask(&mut self, namespace: &str, auth: Option<&RawValue>) -> Flow {
        let Ok(namespace) = self.namespaces.ask(namespace).map_err(|Refused| ()) else {
            return Flow::Break(DisconnectReason::ForcedServerClose);
        };
        let (handler, handshake) = (Rc::clone(&self.handler), Rc::clone(&self.handshake));
        let auth = auth.map(ToOwned::to_owned);
        let decide = async move {
            let request =
                ConnectRequest { namespace: &namespace, auth: auth.as_deref(), handshake: &handshake };
            let verdict = handler.connect(request).await;
            (namespace, verdict)
        };
        self.joining.push(decide.boxed_local());
        Flow::Continue(())
    }

    /// What cannot be sent to a link that is gone needs no other notice: the transport ends the connection next.
    async fn admit(&mut self, namespace: &Rc<str>, session: H::Session) {
        let socket = Socket::new(Rc::clone(namespace), Rc::clone(&self.link), self.config.max_pending_acks);
        let _gone = socket.send(&encode::connect(namespace, socket.id()));
        let member = Member::open(&self.handler, socket, session).await;
        self.namespaces.admit(namespace, member);
    }

    fn turn_away(&mut self, namespace: &str, error: &ConnectError) {
        self.namespaces.turn_away(namespace);
        let _gone = self.link.send(&encode::connect_error(namespace, error));
    }

    fn leave(&mut self, namespace: &str) {
        if let Some(member) = self.namespaces.leave(namespace, Instant::now()) {
            member.end(DisconnectReason::ClientNamespaceDisconnect);
        }
    }

    fn end(&mut self, reason: DisconnectReason) {
        self.joining.clear();
        for member in self.namespaces.clear() {
            member.end(reason);
        }
    }

    fn is_listening(&self) -> bool {
        self.held.is_none()
    }

    fn deadline(&self) -> Instant {
        let heartbeat = self.session.deadline();
        self.namespaces.deadline().map_or(heartbeat, |connect| connect.min(heartbeat))
    }
}

fn poll_members<H: Handler>(namespaces: &mut Namespaces<Member<H>>, cx: &mut Context<'_>) -> Poll<()> {
    let finished =
        namespaces.members_mut().filter_map(|member| member.poll_progress(cx).is_ready().then_some(()));
    if finished.count() > 0 { Poll::Ready(()) } else { Poll::Pending }
}
