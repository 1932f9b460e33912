//! The polling life of a session as a pure state machine: what waits for the client, the request that waits for it, and
//! the WebSocket that would take over. `G` is whatever a waiting GET request is to the caller.
//!
//! Source: Engine.IO protocol v4, "HTTP long-polling" and "Upgrade".

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use lobby_websocket::Frame;
use tokio::time::Instant;

use super::packet::{CLOSE, NOOP, PROBE_PING, UPGRADE};
use super::payload;
use crate::{Config, SendError};

/// Packets in one answer: python-engineio's client refuses more.
const MAX_PACKETS: usize = 16;

/// There is room while at most one part in so many of the bound is taken, as in a WebSocket's outbox.
const ROOM: usize = 2;

/// What may be left out is queued while at most one part in so many of the bound is taken with it, as there.
const SPARE: usize = 8;

/// What holding one packet costs besides its bytes.
const PACKET_COST: usize = size_of::<Frame>();

/// A session as long as it polls, until it has moved to a WebSocket or has ended.
pub(crate) struct Polling<G> {
    queue: VecDeque<Frame>,
    /// Of all that is queued, with the cost of holding it.
    bytes: usize,
    max_bytes: usize,
    max_payload: usize,
    waiting: Option<G>,
    upgrade: Upgrade,
    upgrade_timeout: Duration,
    closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upgrade {
    None,
    /// A WebSocket has opened, and has until then to finish.
    Open(Instant),
    /// It has been probed, so the client is about to stop polling.
    Probed(Instant),
    Done,
}

/// There is a waiting GET request already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overlap;

/// What a packet of the WebSocket that would take over means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The probe is to be answered.
    Answer,
    /// The session moves: see [`Polling::hand_over`].
    Switch,
    /// This WebSocket is given up; the session goes on polling.
    Fail,
}

/// How the session ends for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The client said so: its last poll is answered with a noop, as the reference does.
    ByClient,
    /// At once: a poll that waits is answered with a close packet.
    Abrupt,
    /// Behind what is queued, with a close packet.
    Orderly,
}

impl<G> Polling<G> {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            max_bytes: config.outbox_bytes,
            max_payload: config.max_payload,
            waiting: None,
            upgrade: Upgrade::None,
            upgrade_timeout: config.upgrade_timeout,
            closed: false,
        }
    }

    /// Queues a packet.
    pub(crate) fn send(&mut self, frame: &Frame) -> Result<(), SendError> {
        if self.closed {
            return Err(SendError::Closed);
        }
        if self.bytes + cost(frame) > self.max_bytes {
            self.clear();
            return Err(SendError::Overflow);
        }
        self.push(frame.clone());
        Ok(())
    }

    /// Whether at most half of what may wait does, or nothing is taken any more.
    pub(crate) fn has_room(&self) -> bool {
        self.closed || self.bytes <= self.max_bytes / ROOM
    }

    /// What waits, with what it costs to keep it.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a packet of so many bytes may be queued that may be left out.
    pub(crate) fn has_to_spare(&self, bytes: usize) -> bool {
        !self.closed && self.bytes + bytes + PACKET_COST <= self.max_bytes / SPARE
    }

    /// A GET request has come; see [`Polling::answer`].
    pub(crate) fn poll(&mut self, request: G) -> Result<(), Overlap> {
        if self.waiting.is_some() {
            return Err(Overlap);
        }
        self.waiting = Some(request);
        Ok(())
    }

    /// The request that waits.
    pub(crate) fn waiting(&mut self) -> Option<&mut G> {
        self.waiting.as_mut()
    }

    /// The waiting request and its answer, if there is something to say: what is queued, or a noop while the client is
    /// about to stop polling.
    pub(crate) fn answer(&mut self) -> Option<(G, Bytes)> {
        if self.queue.is_empty() && !matches!(self.upgrade, Upgrade::Probed(_)) {
            return None;
        }
        let request = self.waiting.take()?;
        let payload = if self.queue.is_empty() { Bytes::from_static(NOOP.as_bytes()) } else { self.take() };
        Some((request, payload))
    }

    /// A WebSocket has opened for this session; `false` if there is one already.
    pub(crate) fn candidate(&mut self, now: Instant) -> bool {
        let welcome = self.upgrade == Upgrade::None && !self.closed;
        if welcome {
            self.upgrade = Upgrade::Open(now + self.upgrade_timeout);
        }
        welcome
    }

    /// When the WebSocket is to be given up unless it has finished.
    pub(crate) fn upgrade_deadline(&self) -> Option<Instant> {
        match self.upgrade {
            Upgrade::Open(until) | Upgrade::Probed(until) => Some(until),
            Upgrade::None | Upgrade::Done => None,
        }
    }

    /// A text message of the WebSocket that would take over.
    pub(crate) fn step(&mut self, text: &str) -> Step {
        match (self.upgrade, text) {
            (Upgrade::Open(until), PROBE_PING) => {
                self.upgrade = Upgrade::Probed(until);
                Step::Answer
            }
            (Upgrade::Probed(_), UPGRADE) => Step::Switch,
            _ => Step::Fail,
        }
    }

    /// The WebSocket has failed, or was given up.
    pub(crate) fn candidate_failed(&mut self) {
        if self.upgrade != Upgrade::Done {
            self.upgrade = Upgrade::None;
        }
    }

    /// The session moves to the WebSocket: what it takes over, and the request that is to be answered with a noop.
    pub(crate) fn hand_over(&mut self) -> (VecDeque<Frame>, Option<(G, Bytes)>) {
        self.upgrade = Upgrade::Done;
        self.closed = true;
        self.bytes = 0;
        let noop = Bytes::from_static(NOOP.as_bytes());
        (std::mem::take(&mut self.queue), self.waiting.take().map(|request| (request, noop)))
    }

    /// Ends the session; nothing more is queued. Unless that was abrupt, what is queued is still to be fetched.
    pub(crate) fn close(&mut self, ending: Ending) -> Option<(G, Bytes)> {
        if std::mem::replace(&mut self.closed, true) {
            return None;
        }
        self.upgrade = Upgrade::None;
        match ending {
            Ending::Abrupt => {
                self.clear();
                return self.waiting.take().map(|request| (request, Bytes::from_static(CLOSE.as_bytes())));
            }
            Ending::ByClient => {
                self.clear();
                self.push(Frame::text(NOOP));
            }
            Ending::Orderly => self.push(Frame::text(CLOSE)),
        }
        self.answer()
    }

    /// Whether nothing is left to be fetched.
    pub(crate) fn is_drained(&self) -> bool {
        self.queue.is_empty()
    }

    fn push(&mut self, frame: Frame) {
        self.bytes += cost(&frame);
        self.queue.push_back(frame);
    }

    fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.bytes = 0;
    }

    /// As much as fits into one payload, at least one packet. A close packet travels alone: socket.io-client acts on it
    /// before it hands on what came in the same answer, and would not learn that it was sent out of its namespace.
    fn take(&mut self) -> Bytes {
        let (mut count, mut length) = (0, 0);
        for frame in self.queue.iter().take(MAX_PACKETS) {
            let separator = usize::from(count > 0);
            let longer = length + separator + payload::encoded_len(frame);
            if count > 0 && (longer > self.max_payload || is_close(frame)) {
                break;
            }
            (count, length) = (count + 1, longer);
        }
        self.bytes -= self.queue.iter().take(count).map(cost).sum::<usize>();
        let payload = payload::encode(self.queue.drain(..count), length);
        if self.queue.is_empty() {
            self.queue.shrink_to(MAX_PACKETS);
        }
        payload
    }
}

fn is_close(frame: &Frame) -> bool {
    frame.is_text() && frame.payload() == CLOSE.as_bytes()
}

fn cost(frame: &Frame) -> usize {
    frame.len() + PACKET_COST
}

#[cfg(test)]
mod tests;
