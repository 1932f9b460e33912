//! The task of one connection: waits for whatever comes first, asks the state machines what it means, and does it.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::value::RawValue;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::member::Member;
use crate::namespaces::{Namespaces, Refused, Route};
use crate::packet::assemble::{self, Assembly};
use crate::packet::decode::{Body, Packet};
use crate::packet::encode;
use crate::wire::{Received, Wire};
use crate::{
    Ack, Args, Config, ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Handshake, Socket,
};

/// What the application has decided about a socket that wants to join. Boxed, like all that is there once in a connection's life:
/// its task is as large as the largest that it ever holds.
type Verdict<H> = (Rc<str>, Result<Box<<H as Handler>::Session>, ConnectError>);

/// `Break` ends the connection.
type Flow = ControlFlow<DisconnectReason>;

pub(crate) struct Connection<H: Handler> {
    handler: Rc<H>,
    config: Arc<Config>,
    handshake: Rc<Handshake>,
    wire: Wire,
    namespaces: Namespaces<Member<H>>,
    joining: FuturesUnordered<LocalBoxFuture<'static, Verdict<H>>>,
    /// An event that must wait for others to finish. While there is one, nothing is read: there is never a second.
    held: Option<(Socket, Event)>,
    assembly: Assembly<(String, Delivery)>,
}

/// What a socket gets from its client, once it is whole.
enum Delivery {
    Event { id: Option<u64>, name: String, args: Args },
    Ack { id: u64, args: Args },
}

/// What the task was waiting for.
enum Wake<H: Handler> {
    Wanted,
    Decided(Verdict<H>),
    Progress,
    Due,
    Incoming(Option<Received>),
}

impl<H: Handler> Connection<H> {
    /// Serves it to its end, or until the server shuts down.
    pub(crate) async fn run(mut self: Box<Self>, shut_down: impl Future<Output = ()>) {
        let reason = tokio::select! {
            reason = self.drive() => reason,
            () = shut_down => DisconnectReason::ServerShuttingDown,
        };
        tracing::debug!(%reason, "connection ends");
        Box::pin(self.end(reason).finish(reason)).await;
    }

    pub(crate) fn open(handler: Rc<H>, config: Arc<Config>, handshake: Handshake, wire: Wire) -> Box<Self> {
        Box::new(Self {
            namespaces: Namespaces::new(config.max_namespaces, config.connect_timeout, Instant::now()),
            joining: FuturesUnordered::new(),
            held: None,
            assembly: Assembly::new(&config),
            handshake: Rc::new(handshake),
            handler,
            config,
            wire,
        })
    }

    async fn drive(&mut self) -> DisconnectReason {
        let mut sleep = pin!(sleep_until(self.deadline()));
        loop {
            let wake = self.wait(sleep.as_mut()).await;
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
    async fn wait(&mut self, sleep: Pin<&mut Sleep>) -> Wake<H> {
        let (listening, link) = (self.is_listening(), Rc::clone(self.wire.link()));
        tokio::select! {
            biased;
            () = link.woken() => Wake::Wanted,
            Some(verdict) = self.joining.next() => Wake::Decided(verdict),
            () = poll_fn(|cx| poll_members(&mut self.namespaces, cx)) => Wake::Progress,
            () = sleep => Wake::Due,
            incoming = self.wire.next(listening) => Wake::Incoming(incoming),
        }
    }

    async fn handle(&mut self, wake: Wake<H>) -> Flow {
        match wake {
            Wake::Wanted => self.obey(),
            Wake::Decided((namespace, Ok(session))) => {
                Box::pin(self.admit(&namespace, *session)).await;
                Flow::Continue(())
            }
            Wake::Decided((_, Err(error))) if error.closes() => Flow::Break(DisconnectReason::ForcedClose),
            Wake::Decided((namespace, Err(error))) => {
                self.turn_away(&namespace, &error);
                Flow::Continue(())
            }
            Wake::Progress | Wake::Incoming(None) => Flow::Continue(()),
            Wake::Due => self.advance(),
            Wake::Incoming(Some(Received::Text(text))) => self.receive(&text).await,
            Wake::Incoming(Some(Received::Binary(data))) => self.complete(data).await,
            Wake::Incoming(Some(Received::Closed(reason))) => Flow::Break(reason),
        }
    }

    /// Does what sockets have asked for by [`Socket::close`] and [`Socket::disconnect`], or by sending too much.
    fn obey(&mut self) -> Flow {
        if let Some(reason) = self.wire.link().ending() {
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
        let listening = self.is_listening();
        if let Some(reason) = self.wire.advance(now, listening) {
            return Flow::Break(reason);
        }
        let passed = |deadline: Instant| deadline <= now;
        if self.namespaces.deadline().is_some_and(passed) {
            return Flow::Break(DisconnectReason::ForcedServerClose);
        }
        if listening && self.assembly.deadline().is_some_and(passed) {
            tracing::debug!("attachments are missing");
            return Flow::Break(DisconnectReason::ParseError);
        }
        Flow::Continue(())
    }

    async fn receive(&mut self, message: &ByteString) -> Flow {
        if self.assembly.is_waiting() {
            tracing::debug!("not an attachment");
            return Flow::Break(DisconnectReason::ParseError);
        }
        match Packet::decode(message, self.config.max_attachments) {
            Ok(packet) => self.route(message, packet).await,
            Err(error) => {
                tracing::debug!(%error, "not a packet");
                Flow::Break(DisconnectReason::ParseError)
            }
        }
    }

    async fn route(&mut self, message: &ByteString, packet: Packet<'_>) -> Flow {
        let namespace = packet.namespace;
        let (delivery, attachments) = match packet.body {
            Body::Connect { auth } => return self.ask(namespace, auth),
            Body::Disconnect => return self.leave(namespace),
            Body::Event { id, name, payload, attachments } => {
                (Delivery::Event { id, name, args: Args::of_event(message, payload) }, attachments)
            }
            Body::Ack { id, payload, attachments } => {
                (Delivery::Ack { id, args: Args::of_ack(message, payload) }, attachments)
            }
        };
        if attachments == 0 {
            return self.deliver(namespace, delivery).await;
        }
        if matches!(self.namespaces.route(namespace), Route::Refused) {
            return Flow::Break(DisconnectReason::ForcedServerClose);
        }
        self.assembly.begin((namespace.to_owned(), delivery), attachments, Instant::now());
        Flow::Continue(())
    }

    async fn complete(&mut self, data: Bytes) -> Flow {
        match self.assembly.add(data) {
            Ok(None) => Flow::Continue(()),
            Ok(Some(((namespace, mut delivery), attachments))) => {
                let (Delivery::Event { args, .. } | Delivery::Ack { args, .. }) = &mut delivery;
                args.attach(attachments);
                self.deliver(&namespace, delivery).await
            }
            Err(assemble::Refused) => {
                tracing::debug!("an attachment that was not announced, or too large");
                Flow::Break(DisconnectReason::ParseError)
            }
        }
    }

    async fn deliver(&mut self, namespace: &str, delivery: Delivery) -> Flow {
        match (self.namespaces.route(namespace), delivery) {
            (Route::Refused, _) => return Flow::Break(DisconnectReason::ForcedServerClose),
            (Route::Stale, _) => {}
            (Route::Member(member), Delivery::Event { id, name, args }) => {
                let socket = member.socket().clone();
                let ack = id.map(|id| Ack::new(socket.clone(), id));
                self.start(socket, Event { name, args, ack }).await;
            }
            (Route::Member(member), Delivery::Ack { id, args }) => member.socket().acks().resolve(id, args),
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
            (namespace, verdict.map(Box::new))
        };
        self.joining.push(decide.boxed_local());
        Flow::Continue(())
    }

    /// What cannot be sent to a link that is gone needs no other notice: the transport ends the connection next.
    async fn admit(&mut self, namespace: &Rc<str>, session: H::Session) {
        let socket =
            Socket::new(Rc::clone(namespace), Rc::clone(self.wire.link()), self.config.max_pending_acks);
        let pid = self.handler.pid(&session);
        let _gone = socket.send(&encode::connect(namespace, socket.id(), pid.as_deref()));
        let member = Member::open(&self.handler, socket, session).await;
        self.namespaces.admit(namespace, member);
    }

    fn turn_away(&mut self, namespace: &str, error: &ConnectError) {
        self.namespaces.turn_away(namespace);
        let _gone = self.wire.link().send(&encode::connect_error(namespace, error));
    }

    fn leave(&mut self, namespace: &str) -> Flow {
        if matches!(self.namespaces.route(namespace), Route::Refused) {
            return Flow::Break(DisconnectReason::ForcedServerClose);
        }
        if let Some(member) = self.namespaces.leave(namespace, Instant::now()) {
            member.end(DisconnectReason::ClientNamespaceDisconnect);
        }
        Flow::Continue(())
    }

    /// Ends all sockets; what is left is to be finished.
    fn end(mut self, reason: DisconnectReason) -> Wire {
        self.joining.clear();
        for member in self.namespaces.clear() {
            member.end(reason);
        }
        self.wire
    }

    fn is_listening(&self) -> bool {
        self.held.is_none()
    }

    fn deadline(&self) -> Instant {
        // While nothing is read, attachments are not late.
        let attachments = self.assembly.deadline().filter(|_| self.is_listening());
        let others = self.namespaces.deadline().into_iter().chain(attachments);
        others.fold(self.wire.deadline(), Instant::min)
    }
}

fn poll_members<H: Handler>(namespaces: &mut Namespaces<Member<H>>, cx: &mut Context<'_>) -> Poll<()> {
    let finished =
        namespaces.members_mut().filter_map(|member| member.poll_progress(cx).is_ready().then_some(()));
    if finished.count() > 0 { Poll::Ready(()) } else { Poll::Pending }
}
