use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
};

use bytes::{Buf as _, Bytes, BytesMut};

use crate::Frame;

/// Frames are joined into chunks of at most this many bytes: large enough that the system call is no longer what
/// costs, small enough that a chunk does not double what a full outbox takes.
pub(crate) const CHUNK: usize = 64 * 1024;
/// What holding one frame costs besides its bytes.
pub(crate) const FRAME_COST: usize = size_of::<Bytes>();
/// Places that an empty queue keeps; a burst's are given back.
const KEPT_PLACES: usize = 32;
/// How many frames go into one write: a kilobyte of stack, and a write of so many is no longer what costs.
const SLICES: usize = 64;

/// Frames in the order in which they were sent.
#[derive(Default)]
pub(crate) struct Pending {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// The first is the rest of a frame: its beginning has been written.
    torn: bool,
}

/// How far the frames went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    All,
    /// The rest waits until the socket takes more.
    Part,
    /// The socket is no more.
    Broken,
}

impl Pending {
    pub(crate) fn push(&mut self, frame: &Frame) {
        self.bytes += frame.len();
        self.frames.push_back(frame.bytes().clone());
    }

    /// Drops what may still be dropped: not the rest of a frame that the peer has the beginning of.
    pub(crate) fn clear(&mut self) {
        let rest = if self.torn { self.frames.pop_front() } else { None };
        self.bytes = rest.as_ref().map_or(0, Bytes::len);
        self.frames = rest.into_iter().collect();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn cost(&self) -> usize {
        self.bytes + self.frames.len() * FRAME_COST
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// One frame goes as it is, without a copy; several are joined.
    pub(crate) fn take_chunk(&mut self) -> Option<Bytes> {
        let (count, length) = self.next_chunk();
        let chunk = if count > 1 { self.join(count, length) } else { self.frames.pop_front()? };
        self.bytes -= chunk.len();
        self.torn = false;
        self.give_back();
        Some(chunk)
    }

    /// Writes as much as is taken, without waiting.
    pub(crate) fn write(&mut self, mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> Written {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self
                .frames
                .iter()
                .zip(&mut slices)
                .map(|(frame, slice)| *slice = IoSlice::new(frame))
                .count();
            match write(&slices[..count]) {
                Ok(0) => return Written::Broken,
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::Part,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Written::Broken,
            }
        }
        self.give_back();
        Written::All
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(first) = self.frames.front_mut() {
            if written < first.len() {
                self.torn |= written > 0;
                first.advance(written);
                return;
            }
            written -= first.len();
            self.torn = false;
            self.frames.pop_front();
        }
    }

    fn give_back(&mut self) {
        if self.frames.is_empty() {
            self.frames.shrink_to(KEPT_PLACES);
        }
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

#[cfg(test)]
mod tests;
