use std::{
    cell::{RefCell, RefMut},
    collections::VecDeque,
    mem,
    rc::Rc,
    task::Waker,
};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use crate::{CloseCode, Closed, ClosedBy, Frame, close::cut};

/// Frames are joined into chunks of at most this many bytes: large enough that the system call is no longer what
/// costs, small enough that a chunk does not double what a full outbox takes.
const CHUNK: usize = 64 * 1024;
/// What holding one frame costs besides its bytes.
const FRAME_COST: usize = size_of::<Bytes>();
/// Places that an empty outbox keeps; a burst's are given back.
const KEPT_PLACES: usize = 32;
/// There is room while at most one part in so many of the limit is taken: half a full outbox is left for the peer to be
/// busy with until the sender goes on, and the other half takes what others send meanwhile.
const ROOM: usize = 2;
/// What may be left out is queued while at most one part in so many of the limit is taken with it: enough for a peer that is
/// merely busy, and far from where what may not be left out would close a slow one.
const SPARE: usize = 8;

/// The way out to the peer. Clones are the same outbox; none of them keeps the socket open.
///
/// It belongs to the thread of its connection. Sending never waits: a peer that does not keep up is closed. Whoever has a
/// lot to send to one peer waits for [`Outbox::room`] in between.
#[derive(Clone)]
pub struct Outbox {
    queue: Rc<RefCell<Queue>>,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The connection is closing or has ended.
    #[error("the connection is closed")]
    Closed,
    /// The peer is too slow. What waited was dropped, and the connection closes with 1013.
    #[error("the peer is too slow")]
    Overflow,
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        let queue = Queue {
            frames: VecDeque::new(),
            bytes: 0,
            limit,
            stage: Stage::Open,
            ours: None,
            body: Parked::default(),
            connection: Parked::default(),
            room: None,
        };
        Self { queue: Rc::new(RefCell::new(queue)) }
    }

    /// Queues a frame; all that is queued by the time the socket's task runs leaves in one write.
    pub fn send(&self, frame: &Frame) -> Result<(), SendError> {
        self.queue().send(frame)
    }

    /// Queues a frame that may be left out: only if at most an eighth of [`Limits::outbox_bytes`], counted as there, is taken
    /// with it. Else it is dropped, and nothing is closed. Whether it was queued.
    ///
    /// [`Limits::outbox_bytes`]: crate::Limits::outbox_bytes
    pub fn send_volatile(&self, frame: &Frame) -> bool {
        let mut queue = self.queue();
        queue.has_to_spare(frame.len()) && queue.send(frame).is_ok()
    }

    /// Whether so many bytes of frames may be sent that may be left out: see [`Outbox::send_volatile`]. For what takes more
    /// than one frame.
    #[must_use]
    pub fn has_to_spare(&self, bytes: usize) -> bool {
        self.queue().has_to_spare(bytes)
    }

    /// Queues a close frame behind what is pending and takes no more frames; [`Connection::next`] then waits for
    /// the peer's answer. `reason` is cut to 123 bytes at a character. Later calls change nothing.
    ///
    /// [`Connection::next`]: crate::Connection::next
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.queue().close(code, reason);
    }

    /// Bytes of frames that the socket's task has not taken yet.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.queue().bytes
    }

    /// Waits until what is pending takes at most half of [`Limits::outbox_bytes`], counted as there, or nothing can be
    /// sent any more. Cancel safe, and any number may wait.
    ///
    /// A frame of at most half the limit, less its 32 bytes, fits if it is sent before the next `await`.
    ///
    /// [`Limits::outbox_bytes`]: crate::Limits::outbox_bytes
    pub async fn room(&self) {
        loop {
            let Some(room) = self.queue().await_room() else { return };
            room.notified().await;
        }
    }

    /// For the body and the connection. A borrow never outlives a call here, so it is never taken twice.
    pub(crate) fn queue(&self) -> RefMut<'_, Queue> {
        self.queue.borrow_mut()
    }
}

/// What the handles, the body and the connection share.
pub(crate) struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    limit: usize,
    stage: Stage,
    /// Our close, once there is one.
    ours: Option<Closed>,
    body: Parked,
    connection: Parked,
    /// Made by the first who waits for room, and gone once there is some: an outbox for which nobody waits has none.
    room: Option<Rc<Notify>>,
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

impl Queue {
    fn send(&mut self, frame: &Frame) -> Result<(), SendError> {
        if self.stage != Stage::Open {
            return Err(SendError::Closed);
        }
        if self.cost() + frame.len() + FRAME_COST > self.limit {
            self.clear();
            self.close(CloseCode::TRY_AGAIN, "too slow");
            return Err(SendError::Overflow);
        }
        self.push(frame);
        Ok(())
    }

    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) {
        if self.stage == Stage::Open {
            self.push(&Frame::close(Some(code), reason));
            self.stage = Stage::Closing;
            self.ours = Some(Closed { by: ClosedBy::Us, code: Some(code), reason: cut(reason).to_owned() });
            self.connection.wake();
            self.tell_room();
        }
    }

    /// Answers the peer's close frame, unless ours has been queued.
    pub(crate) fn echo_close(&mut self, code: Option<CloseCode>) {
        if self.stage == Stage::Open {
            self.push(&Frame::close(code, ""));
        }
    }

    /// The body ends behind what is pending. The connection needs no more wake-ups.
    pub(crate) fn end(&mut self) {
        self.connection = Parked::default();
        if self.stage != Stage::Gone {
            self.stage = Stage::Ending;
            self.body.wake();
            self.tell_room();
        }
    }

    /// The body ends at once.
    pub(crate) fn abort(&mut self) {
        self.clear();
        self.end();
    }

    /// The body has been dropped. Its waker goes too: a handle that is kept must not keep the socket's task.
    pub(crate) fn gone(&mut self) {
        self.clear();
        self.stage = Stage::Gone;
        self.body = Parked::default();
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

    /// What the body is to do next.
    pub(crate) fn take(&mut self, waker: &Waker) -> Taken {
        if let Some(chunk) = self.take_chunk() {
            return Taken::Chunk(chunk);
        }
        if self.stage == Stage::Ending {
            return Taken::End;
        }
        self.body.park(waker);
        Taken::Nothing
    }

    fn push(&mut self, frame: &Frame) {
        self.bytes += frame.len();
        self.frames.push_back(frame.bytes().clone());
        self.body.wake();
    }

    fn clear(&mut self) {
        self.frames = VecDeque::new();
        self.bytes = 0;
    }

    /// One frame goes as it is, without a copy; several are joined.
    fn take_chunk(&mut self) -> Option<Bytes> {
        let (count, length) = self.next_chunk();
        let chunk = if count > 1 { self.join(count, length) } else { self.frames.pop_front()? };
        self.bytes -= chunk.len();
        if self.frames.is_empty() {
            self.frames.shrink_to(KEPT_PLACES);
        }
        self.tell_room();
        Some(chunk)
    }

    /// What tells of room, unless there is some or never will be.
    fn await_room(&mut self) -> Option<Rc<Notify>> {
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

    fn has_to_spare(&self, bytes: usize) -> bool {
        self.stage == Stage::Open && self.cost() + bytes + FRAME_COST <= self.limit / SPARE
    }

    fn cost(&self) -> usize {
        self.bytes + self.frames.len() * FRAME_COST
    }

    /// How many frames fit into one chunk, and their bytes.
    fn next_chunk(&self) -> (usize, usize) {
        let (mut count, mut length) = (0, 0);
        for frame in &self.frames {
            if length + frame.len() > CHUNK {
                break;
            }
            count += 1;
            length += frame.len();
        }
        (count, length)
    }

    fn join(&mut self, count: usize, length: usize) -> Bytes {
        let mut chunk = BytesMut::with_capacity(length);
        for frame in self.frames.drain(..count) {
            chunk.extend_from_slice(&frame);
        }
        chunk.freeze()
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

#[cfg(test)]
mod tests;
