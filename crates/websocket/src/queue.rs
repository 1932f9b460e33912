use std::{
    cell::RefCell,
    mem,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{
    CloseCode, Closed, ClosedBy, Frame, SendError,
    close::cut,
    flush::{self, Refill},
    pending::{FRAME_COST, Joined, Pending, Written},
    stream::Stream,
};

/// There is room while at most one part in so many of the limit is taken: half a full outbox is left for the peer to be
/// busy with until the sender goes on, and the other half takes what others send meanwhile.
const ROOM: usize = 2;
/// What may be left out is queued while at most one part in so many of the limit is taken with it: enough for a peer that is
/// merely busy, and far from where what may not be left out would close a slow one.
const SPARE: usize = 8;

/// So many bytes go out with the response's head: together they fit into the smallest buffer that a socket has at first.
const WITH_THE_HEAD: usize = 1024;

/// What the handles, the body and the connection share.
pub(crate) struct Queue {
    pending: Pending,
    limit: usize,
    stage: Stage,
    way: Way,
    /// Our close, once there is one.
    ours: Option<Closed>,
    /// The body, or who waits for the end of the lane.
    server: Parked,
    connection: Parked,
    /// Made by the first who waits for room, and gone once there is some: an outbox for which nobody waits has none.
    pub(crate) room: Option<Rc<Notify>>,
    me: Weak<RefCell<Self>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// Our close frame is queued or sent; the peer's is awaited.
    Closing,
    /// What is pending goes out, then the body ends.
    Ending,
    /// The body is no more.
    Gone,
}

/// How what is pending gets to the socket.
enum Way {
    /// The response's body gives it to the server.
    Body,
    /// It is written straight to the socket, when its turn comes.
    Lane(Stream, Turn),
}

/// When the lane is written to.
enum Turn {
    /// When the response's head is out; or no more, as the connection is lost.
    Shut,
    /// When there is something to write.
    Idle,
    /// Soon: all that comes until then goes in the same write.
    Soon,
    /// When the socket takes more.
    Full(#[expect(dead_code, reason = "it ends when dropped")] Refill),
}

impl Queue {
    pub(crate) fn shared(limit: usize, lane: Option<Stream>) -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|me| {
            RefCell::new(Self {
                pending: Pending::default(),
                limit,
                stage: Stage::Open,
                way: lane.map_or(Way::Body, |lane| Way::Lane(lane, Turn::Shut)),
                ours: None,
                server: Parked::default(),
                connection: Parked::default(),
                room: None,
                me: Weak::clone(me),
            })
        })
    }

    /// Whole frames.
    pub(crate) fn send(&mut self, frames: &Bytes) -> Result<(), SendError> {
        if self.stage != Stage::Open {
            return Err(SendError::Closed);
        }
        if self.cost() + frames.len() + FRAME_COST > self.limit {
            self.pending.clear();
            self.close(CloseCode::TRY_AGAIN, "too slow");
            return Err(SendError::Overflow);
        }
        self.push(frames);
        Ok(())
    }

    /// The same, but what has nothing in front of it is written at once.
    pub(crate) fn send_now(&mut self, frames: &Bytes) -> Result<(), SendError> {
        let fits = frames.len() + FRAME_COST <= self.limit;
        let Way::Lane(lane, Turn::Idle) = &self.way else { return self.send(frames) };
        if self.stage != Stage::Open || !fits {
            return self.send(frames);
        }
        let written = lane.write(frames).unwrap_or(0);
        if written < frames.len() || lane.flush_at_once().is_err() {
            self.pending.push(frames);
            self.pending.advance(written);
            self.flush(&mut Joined::default());
        }
        Ok(())
    }

    /// Whether the lane is open, and nothing waits for it.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(&self.way, Way::Lane(lane, Turn::Idle) if lane.is_free()) && self.stage == Stage::Open
    }

    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) {
        if self.stage == Stage::Open {
            self.push(Frame::close(Some(code), reason).bytes());
            self.stage = Stage::Closing;
            self.ours = Some(Closed { by: ClosedBy::Us, code: Some(code), reason: cut(reason).to_owned() });
            self.connection.wake();
            self.tell_room();
        }
    }

    /// Answers the peer's close frame, unless ours has been queued.
    pub(crate) fn echo_close(&mut self, code: Option<CloseCode>) {
        if self.stage == Stage::Open {
            self.push(Frame::close(code, "").bytes());
        }
    }

    /// The body ends behind what is pending. The connection needs no more wake-ups.
    pub(crate) fn end(&mut self) {
        self.connection = Parked::default();
        if self.stage != Stage::Gone {
            self.stage = Stage::Ending;
            self.server.wake();
            self.tell_room();
        }
    }

    /// The body ends at once.
    pub(crate) fn abort(&mut self) {
        self.pending = Pending::default();
        if let Way::Lane(_, turn) = &mut self.way {
            *turn = Turn::Shut;
        }
        self.end();
    }

    /// The socket is no more. The wakers go too: a handle that is kept must not keep the socket's task, nor the socket.
    pub(crate) fn gone(&mut self) {
        self.pending = Pending::default();
        self.stage = Stage::Gone;
        self.way = Way::Body;
        self.server.wake();
        self.server = Parked::default();
        self.connection.wake();
        self.tell_room();
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.stage == Stage::Gone
    }

    /// Our close, if we did: asked to, or because the peer is too slow.
    pub(crate) fn ours(&self) -> Option<&Closed> {
        self.ours.as_ref()
    }

    /// Remembers who is to be woken when we begin to close, or the body goes.
    pub(crate) fn park_connection(&mut self, waker: &Waker) {
        self.connection.park(waker);
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.bytes() + self.unwritten()
    }

    /// What counts against the limit.
    fn cost(&self) -> usize {
        self.pending.cost() + self.unwritten()
    }

    /// What the lane has taken and the socket has not. There is nothing of that unless somebody waits for the socket: otherwise the lane, which
    /// lies elsewhere in memory, is not even asked.
    fn unwritten(&self) -> usize {
        match &self.way {
            Way::Lane(lane, Turn::Full(_)) => lane.unwritten(),
            Way::Lane(..) | Way::Body => 0,
        }
    }

    /// What the body is to do next.
    pub(crate) fn take(&mut self, waker: &Waker) -> Taken {
        if let Some(chunk) = self.take_chunk() {
            return Taken::Chunk(chunk);
        }
        if self.stage == Stage::Ending {
            return Taken::End;
        }
        self.server.park(waker);
        Taken::Nothing
    }

    fn take_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.pending.take_chunk();
        self.tell_room();
        chunk
    }

    /// What goes out with the response's head: a few bytes more make no difference to the one write that the head costs
    /// anyhow.
    pub(crate) fn take_with_the_head(&mut self) -> Bytes {
        if self.pending.bytes() > WITH_THE_HEAD {
            return Bytes::new();
        }
        self.take_chunk().unwrap_or_default()
    }

    /// The head is out.
    pub(crate) fn open_lane(&mut self) {
        if let Way::Lane(_, turn @ Turn::Shut) = &mut self.way {
            *turn = Turn::Idle;
            if !self.pending.is_empty() {
                self.call();
            }
        }
    }

    /// Ready when nothing more is said.
    pub(crate) fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ready_or_park(matches!(self.stage, Stage::Ending | Stage::Gone), cx)
    }

    /// Ready when the lane has nothing more to write, and nobody else waits for its socket any more: only one at a time can.
    pub(crate) fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_busy = matches!(self.way, Way::Lane(_, Turn::Soon | Turn::Full(_)));
        self.ready_or_park(!is_busy, cx)
    }

    fn ready_or_park(&mut self, is_ready: bool, cx: &mut Context<'_>) -> Poll<()> {
        if is_ready {
            return Poll::Ready(());
        }
        self.server.park(cx.waker());
        Poll::Pending
    }

    fn push(&mut self, frames: &Bytes) {
        self.pending.push(frames);
        self.call();
    }

    /// Somebody shall come for what is pending, unless somebody comes anyhow.
    fn call(&mut self) {
        match &mut self.way {
            Way::Body => self.server.wake(),
            Way::Lane(_, turn @ Turn::Idle) => {
                *turn = Turn::Soon;
                flush::soon(Weak::clone(&self.me));
            }
            Way::Lane(_, Turn::Shut | Turn::Soon | Turn::Full(_)) => {}
        }
    }

    /// Writes what is pending to the lane, as far as the socket takes it. Whether all of it.
    pub(crate) fn flush(&mut self, joined: &mut Joined) -> bool {
        let Way::Lane(lane, turn @ (Turn::Idle | Turn::Soon | Turn::Full(_))) = &mut self.way else {
            return true;
        };
        match self.pending.write(joined, |bytes| lane.write(bytes)).then_flush(|| lane.flush_at_once()) {
            Written::All => *turn = Turn::Idle,
            Written::Part => {
                if !matches!(turn, Turn::Full(_)) {
                    *turn = Turn::Full(Refill::start(lane.clone(), Weak::clone(&self.me)));
                }
                self.tell_room();
                return false;
            }
            Written::Broken => self.gone(),
        }
        if self.stage == Stage::Ending {
            self.server.wake();
        }
        self.tell_room();
        true
    }

    /// What tells of room, unless there is some or never will be.
    pub(crate) fn await_room(&mut self) -> Option<Rc<Notify>> {
        (!self.has_room()).then(|| Rc::clone(self.room.get_or_insert_default()))
    }

    fn tell_room(&mut self) {
        if self.room.is_some() && self.has_room() {
            self.room.take().inspect(|room| room.notify_waiters());
        }
    }

    fn has_room(&self) -> bool {
        self.stage != Stage::Open || self.cost() <= self.limit / ROOM
    }

    pub(crate) fn has_to_spare(&self, bytes: usize) -> bool {
        self.stage == Stage::Open && self.cost() + bytes + FRAME_COST <= self.limit / SPARE
    }
}

/// What the body found in the queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Chunk(Bytes),
    Nothing,
    End,
}

/// A task that waits, woken once however often it is called before it has run.
struct Parked {
    waker: Waker,
    parked: bool,
}

impl Default for Parked {
    fn default() -> Self {
        Self { waker: Waker::noop().clone(), parked: false }
    }
}

impl Parked {
    fn park(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
        self.parked = true;
    }

    fn wake(&mut self) {
        if mem::take(&mut self.parked) {
            self.waker.wake_by_ref();
        }
    }
}
