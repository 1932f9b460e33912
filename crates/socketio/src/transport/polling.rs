//! A session that began by polling, on its own worker: requests come out of its mailbox, wherever they landed; a WebSocket
//! that takes over is at the other end of a pipe.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use lobby_websocket::Frame;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Incoming, Outgoing, Pipe, close_code};
use crate::channel::Receiver;
use crate::engine::packet::{CLOSE, PROBE_PONG};
use crate::engine::payload::{Data, Payload};
use crate::engine::polling::{Ending, Polling as Machine, Step};
use crate::link::{Link, Way};
use crate::registry::{Claim, Post, Registration, Request};
use crate::{Config, DisconnectReason, SendError};

/// How long a poll during an upgrade waits for the WebSocket, which may have been first: they are two connections, perhaps
/// at two workers. The reference looks every 100 ms whether a poll is to be ended.
const UPGRADE_MAY_BE_HERE: Duration = Duration::from_millis(100);

/// How long the last words of a session wait for a poll: as long as a WebSocket waits for the peer's close frame.
const LAST_POLL: Duration = Duration::from_secs(5);

/// How long the poll of a client that has closed the session may come after: it was sent before, on another connection.
const OVERTAKEN_POLL: Duration = Duration::from_millis(250);

type Answer = oneshot::Sender<Bytes>;

/// What waits for the polls of the client; shared with the sockets, which fill it.
pub(crate) struct Buffer {
    machine: RefCell<Machine<Answer>>,
    filled: Notify,
    /// Told when something has left that others wait to follow.
    room: Notify,
}

impl Buffer {
    fn new(config: &Config) -> Self {
        Self { machine: RefCell::new(Machine::new(config)), filled: Notify::new(), room: Notify::new() }
    }

    /// Queues a packet. The session's task answers the poll afterwards, so that what is sent together leaves together.
    pub(crate) fn send(&self, frame: &Frame) -> Result<(), SendError> {
        self.machine.borrow_mut().send(frame)?;
        self.filled.notify_one();
        Ok(())
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.machine.borrow().pending_bytes()
    }

    /// Whether a packet of so many bytes may wait that may be left out.
    pub(crate) fn has_to_spare(&self, bytes: usize) -> bool {
        self.machine.borrow().has_to_spare(bytes)
    }

    /// Waits until at most half of what may wait does, or nothing is taken any more. Cancel safe, and any number may wait.
    pub(crate) async fn room(&self) {
        while !self.machine.borrow().has_room() {
            self.room.notified().await;
        }
    }

    /// Has the machine give out what may leave.
    fn release<R>(&self, give: impl FnOnce(&mut Machine<Answer>) -> R) -> R {
        let mut machine = self.machine.borrow_mut();
        let given = give(&mut machine);
        if machine.has_room() {
            self.room.notify_waiters();
        }
        given
    }
}

pub(crate) struct Polling {
    registration: Registration,
    buffer: Rc<Buffer>,
    link: Rc<Link>,
    max_packets: usize,
    post: Option<Reading>,
    /// A WebSocket that would take over.
    candidate: Option<Pipe>,
    /// The WebSocket that has taken over.
    /// A poll that came during an upgrade, and until when it waits for packets of the WebSocket that it may have overtaken.
    parked: Option<(Answer, Instant)>,
    socket: Option<Receiver<Incoming>>,
}

/// A POST request of which not all packets have been taken.
struct Reading {
    packets: Payload,
    answer: oneshot::Sender<()>,
    claim: Claim,
}

/// What happened.
enum Wake {
    Request(Request),
    Filled,
    /// No packet of the WebSocket has overtaken the poll.
    Unpark,
    /// Whoever polled is gone. Its client has given the session up, as all clients do when a poll fails.
    Abandoned,
    Candidate(Incoming),
    CandidateLate,
    Socket(Incoming),
}

impl Polling {
    pub(crate) fn new(registration: Registration, config: &Config) -> Self {
        let buffer = Rc::new(Buffer::new(config));
        let link = Rc::new(Link::new(Way::Polling(Rc::clone(&buffer))));
        let max_packets = config.max_packets_per_payload;
        Self {
            registration,
            buffer,
            link,
            max_packets,
            post: None,
            candidate: None,
            parked: None,
            socket: None,
        }
    }

    pub(crate) fn link(&self) -> &Rc<Link> {
        &self.link
    }

    /// As [`Carrier::next`](super::Carrier::next): polls are answered in any case.
    pub(crate) async fn next(&mut self, listening: bool) -> Incoming {
        loop {
            self.answer_poll();
            if listening && self.post.is_some() {
                // A large payload must not keep the worker from its other sessions.
                tokio::task::coop::consume_budget().await;
                if let Some(incoming) = self.take_packet() {
                    return incoming;
                }
            }
            let wake = self.wait(listening).await;
            if let Some(incoming) = self.handle(wake) {
                return incoming;
            }
        }
    }

    /// Cancel safe: each of these is, and at most one of them completes.
    async fn wait(&mut self, listening: bool) -> Wake {
        let deadline = self.buffer.machine.borrow().upgrade_deadline();
        tokio::select! {
            biased;
            Some(request) = self.registration.mailbox.recv() => Wake::Request(request),
            () = self.buffer.filled.notified() => Wake::Filled,
            () = abandoned(&self.buffer) => Wake::Abandoned,
            incoming = next_of(self.candidate.as_mut().map(|pipe| &mut pipe.from_socket)) => Wake::Candidate(incoming),
            () = until(self.parked.as_ref().map(|(_, until)| *until)) => Wake::Unpark,
            () = until(deadline) => Wake::CandidateLate,
            incoming = next_of(self.socket.as_mut()), if listening => Wake::Socket(incoming),
        }
    }

    fn handle(&mut self, wake: Wake) -> Option<Incoming> {
        match wake {
            Wake::Request(Request::Poll(answer)) if self.may_wait_for_upgrade() => {
                self.parked = Some((answer, Instant::now() + UPGRADE_MAY_BE_HERE));
                None
            }
            // Dropping a request's answer refuses it.
            Wake::Request(Request::Poll(_) | Request::Post(_) | Request::End(_)) if self.socket.is_some() => {
                None
            }
            Wake::Request(Request::Poll(answer)) => Some(self.poll(answer)),
            Wake::Request(Request::Post(post)) => self.begin(post),
            Wake::Request(Request::End(reason)) => Some(Incoming::Closed(reason)),
            Wake::Request(Request::Upgrade(pipe)) => {
                let welcome = self.buffer.machine.borrow_mut().candidate(Instant::now());
                self.candidate = if welcome { Some(pipe) } else { self.candidate.take() };
                None
            }
            Wake::Filled | Wake::Unpark => self.unpark(),
            Wake::Abandoned => Some(Incoming::Closed(DisconnectReason::TransportLost)),
            Wake::Candidate(Incoming::Text(text)) => {
                self.step(&text);
                None
            }
            Wake::Candidate(Incoming::Binary(_) | Incoming::Polled | Incoming::Closed(_))
            | Wake::CandidateLate => {
                self.give_up();
                None
            }
            Wake::Socket(incoming) => Some(incoming),
        }
    }

    /// Whether a poll may have overtaken what its client sent over the WebSocket before, or its refusal what was sent to
    /// it there, and nothing calls for an answer yet.
    fn may_wait_for_upgrade(&self) -> bool {
        let upgrading = self.candidate.is_some() || self.socket.is_some();
        upgrading && self.parked.is_none() && self.buffer.machine.borrow().is_drained()
    }

    /// A poll that came after its client had said it would not poll any more is refused.
    fn unpark(&mut self) -> Option<Incoming> {
        let (answer, _) = self.parked.take()?;
        self.socket.is_none().then(|| self.poll(answer))
    }

    fn poll(&mut self, answer: Answer) -> Incoming {
        let polled = self.buffer.machine.borrow_mut().poll(answer);
        polled.map_or(Incoming::Closed(DisconnectReason::TransportError), |()| Incoming::Polled)
    }

    fn begin(&mut self, post: Post) -> Option<Incoming> {
        let Some(packets) = Payload::new(post.body, self.max_packets) else {
            return Some(Incoming::Closed(DisconnectReason::TransportError));
        };
        self.post = Some(Reading { packets, answer: post.answer, claim: post.claim });
        None
    }

    /// The next packet of the POST request, which is answered when there is none left.
    fn take_packet(&mut self) -> Option<Incoming> {
        match self.post.as_mut()?.packets.next() {
            Some(Data::Text(text)) => Some(Incoming::Text(text)),
            Some(Data::Binary(data)) => Some(Incoming::Binary(data)),
            Some(Data::Broken) => Some(Incoming::Closed(DisconnectReason::ParseError)),
            None => {
                self.accept_post();
                None
            }
        }
    }

    /// The claim is given back first: the client may post again as soon as it has the answer.
    fn accept_post(&mut self) {
        if let Some(Reading { answer, claim, .. }) = self.post.take() {
            drop(claim);
            // A client that is gone needs no answer.
            let _gone = answer.send(());
        }
    }

    fn step(&mut self, text: &str) {
        let step = self.buffer.machine.borrow_mut().step(text);
        match (step, self.candidate.take()) {
            (Step::Answer, Some(pipe)) => {
                pipe.to_socket.force(Outgoing::Frame(Frame::text(PROBE_PONG)));
                self.candidate = Some(pipe);
            }
            (Step::Switch, Some(pipe)) => self.switch(pipe),
            (Step::Fail, _) | (_, None) => self.give_up(),
        }
    }

    /// What was queued goes first; from here on the sockets send to the WebSocket themselves.
    fn switch(&mut self, pipe: Pipe) {
        let (queue, poll) = self.buffer.release(Machine::hand_over);
        answer(poll);
        for frame in queue {
            pipe.to_socket.force(Outgoing::Frame(frame));
        }
        self.link.redirect(Way::Upgraded(pipe.to_socket));
        self.socket = Some(pipe.from_socket);
    }

    fn give_up(&mut self) {
        self.candidate = None;
        self.buffer.machine.borrow_mut().candidate_failed();
    }

    fn answer_poll(&mut self) {
        answer(self.buffer.release(Machine::answer));
    }

    /// As [`Carrier::finish`](super::Carrier::finish).
    pub(crate) async fn finish(&mut self, reason: DisconnectReason) {
        self.give_up();
        let _overlap = self.unpark();
        let ending = ending(reason);
        if ending == Ending::Abrupt {
            self.post = None;
        }
        self.accept_post();
        if self.socket.is_some() {
            self.link.close(close_code(reason), reason.as_str());
            while !matches!(next_of(self.socket.as_mut()).await, Incoming::Closed(_)) {}
            return;
        }
        answer(self.buffer.release(|machine| machine.close(ending)));
        let patience = if ending == Ending::ByClient { OVERTAKEN_POLL } else { LAST_POLL };
        // Whoever does not come for the last words does not get them.
        let _late = timeout(patience, self.serve_last_polls()).await;
    }

    async fn serve_last_polls(&mut self) {
        while !self.buffer.machine.borrow().is_drained() {
            match self.registration.mailbox.recv().await {
                Some(Request::Poll(poll)) => {
                    // Nothing waits beside it: whatever waited was answered, as there is something queued.
                    let _overlap = self.buffer.machine.borrow_mut().poll(poll);
                    self.answer_poll();
                }
                Some(Request::Post(post)) => {
                    if is_farewell(post, self.max_packets) {
                        return;
                    }
                }
                Some(Request::Upgrade(_) | Request::End(_)) => {}
                None => return,
            }
        }
    }
}

/// An answer that nobody waits for any more is lost with its session, see [`Wake::Abandoned`].
fn answer(poll: Option<(Answer, Bytes)>) {
    if let Some((answer, payload)) = poll {
        let _gone = answer.send(payload);
    }
}

async fn abandoned(buffer: &Buffer) {
    poll_fn(|cx| match buffer.machine.borrow_mut().waiting() {
        Some(answer) => answer.poll_closed(cx),
        None => Poll::Pending,
    })
    .await;
}

async fn next_of(socket: Option<&mut Receiver<Incoming>>) -> Incoming {
    match socket {
        Some(socket) => socket.next().await.unwrap_or(Incoming::Closed(DisconnectReason::TransportClose)),
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// Takes a POST request that has crossed the end of its session, and says whether the client has closed the session too,
/// as python-socketio does instead of polling on. What it says besides goes nowhere, but is not refused: clients would
/// take that for an error before they come for our last words.
fn is_farewell(post: Post, max_packets: usize) -> bool {
    let Post { body, answer, claim } = post;
    drop(claim);
    let _gone = answer.send(());
    let close = Data::Text(ByteString::from_static(CLOSE));
    Payload::new(body, max_packets).is_some_and(|mut packets| packets.any(|packet| packet == close))
}

fn ending(reason: DisconnectReason) -> Ending {
    match reason {
        DisconnectReason::TransportClose => Ending::ByClient,
        DisconnectReason::ParseError
        | DisconnectReason::TransportError
        | DisconnectReason::TransportLost
        | DisconnectReason::PingTimeout => Ending::Abrupt,
        DisconnectReason::ServerNamespaceDisconnect
        | DisconnectReason::ClientNamespaceDisconnect
        | DisconnectReason::ServerShuttingDown
        | DisconnectReason::ForcedClose
        | DisconnectReason::ForcedServerClose => Ending::Orderly,
    }
}
