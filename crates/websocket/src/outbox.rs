use std::{
    cell::{RefCell, RefMut},
    rc::Rc,
};

use crate::{CloseCode, Frame, Frames, queue::Queue, stream::Stream};

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
    /// The response's body takes what is sent.
    pub(crate) fn new(limit: usize) -> Self {
        Self { queue: Queue::shared(limit, None) }
    }

    /// What is sent goes straight to the socket.
    pub(crate) fn with_lane(limit: usize, lane: Stream) -> Self {
        Self { queue: Queue::shared(limit, Some(lane)) }
    }

    /// Queues a frame; all that is queued by the time the tasks that are about to run have run leaves in one write.
    pub fn send(&self, frame: &Frame) -> Result<(), SendError> {
        self.queue().send(frame.bytes())
    }

    /// The same, but where nothing is pending it is written at once: for a lone frame to many peers, each of whom is then turned
    /// to once instead of twice. Frames that follow one another leave in fewer writes by [`Outbox::send`].
    pub fn send_now(&self, frame: &Frame) -> Result<(), SendError> {
        self.queue().send_now(frame.bytes())
    }

    /// Whether [`Outbox::send_now`] would write at once. Whoever asks this of several outboxes before they are sent anything has all
    /// of them fetched from memory at the same time, instead of one after the other between two writes.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue().is_idle()
    }

    /// Queues several frames at once: all of them, or none, and what would be an overflow for one of them is one for all.
    pub fn send_all(&self, frames: &Frames) -> Result<(), SendError> {
        self.queue().send(frames.bytes())
    }

    /// Queues a frame that may be left out: only if at most an eighth of [`Limits::outbox_bytes`], counted as there, is taken
    /// with it. Else it is dropped, and nothing is closed. Whether it was queued.
    ///
    /// [`Limits::outbox_bytes`]: crate::Limits::outbox_bytes
    pub fn send_volatile(&self, frame: &Frame) -> bool {
        let mut queue = self.queue();
        queue.has_to_spare(frame.len()) && queue.send(frame.bytes()).is_ok()
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

    /// Bytes of frames that neither the socket nor the server has taken yet.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.queue().pending_bytes()
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

#[cfg(test)]
mod lane_tests;
#[cfg(test)]
mod tests;
