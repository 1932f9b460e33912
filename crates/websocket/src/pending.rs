use std::io::{self, ErrorKind};

use bytes::{Buf as _, Bytes, BytesMut};

use self::row::Row;

mod row;

/// Frames are joined into chunks of at most this many bytes: large enough that the system call is no longer what
/// costs, small enough that a chunk does not double what a full outbox takes.
pub(crate) const CHUNK: usize = 64 * 1024;
/// What holding one frame costs besides its bytes.
pub(crate) const FRAME_COST: usize = size_of::<Bytes>();

/// Frames in the order in which they were sent; those that were sent together are one piece, and count as one frame.
#[derive(Default)]
pub(crate) struct Pending {
    frames: Row,
    bytes: usize,
    /// The first is the rest of a piece: its beginning has been written.
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

impl Written {
    /// All is written when it has left what encrypts it, too.
    pub(crate) fn then_flush(self, flush: impl FnOnce() -> io::Result<()>) -> Self {
        if self != Self::All {
            return self;
        }
        match flush() {
            Ok(()) => Self::All,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Self::Part,
            Err(_) => Self::Broken,
        }
    }
}

impl Pending {
    pub(crate) fn push(&mut self, frames: &Bytes) {
        self.bytes += frames.len();
        self.frames.push(frames.clone());
    }

    /// Drops what may still be dropped: not the rest of a frame that the peer has the beginning of.
    pub(crate) fn clear(&mut self) {
        let rest = if self.torn { self.frames.pop() } else { None };
        self.bytes = rest.as_ref().map_or(0, Bytes::len);
        self.frames = Row::from(rest);
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
        let chunk = if count > 1 { self.join(count, length) } else { self.frames.pop()? };
        self.bytes -= chunk.len();
        self.torn = false;
        Some(chunk)
    }

    /// Writes as much as is taken, without waiting.
    pub(crate) fn write(
        &mut self,
        joined: &mut Joined,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> Written {
        while let Some(first) = self.frames.first() {
            let (count, _) = self.next_chunk();
            let chunk = if count > 1 { joined.of(self.frames.iter().take(count), count) } else { first };
            match write(chunk) {
                Ok(0) => return Written::Broken,
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::Part,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Written::Broken,
            }
        }
        Written::All
    }

    /// So many bytes of them are written.
    pub(crate) fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(first) = self.frames.first_mut() {
            if written < first.len() {
                self.torn |= written > 0;
                first.advance(written);
                return;
            }
            written -= first.len();
            self.torn = false;
            self.frames.pop();
        }
    }

    /// How many frames fit into one chunk, and their bytes.
    fn next_chunk(&self) -> (usize, usize) {
        let (mut count, mut length) = (0, 0);
        for frame in self.frames.iter() {
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
        for _ in 0..count {
            self.frames.pop().inspect(|frame| chunk.extend_from_slice(frame));
        }
        chunk.freeze()
    }
}

/// Frames in one piece. It keeps the last: in a room where all are sent the same, one after the other asks for it. (A vectored
/// write would need no copy; for the system each of its pieces costs more than that.)
#[derive(Default)]
pub(crate) struct Joined {
    frames: Vec<Bytes>,
    bytes: Vec<u8>,
}

impl Joined {
    fn of<'a>(&mut self, frames: impl Iterator<Item = &'a Bytes> + Clone, count: usize) -> &[u8] {
        let is_same =
            |(one, other): (&Bytes, &Bytes)| one.as_ptr() == other.as_ptr() && one.len() == other.len();
        if self.frames.len() != count || !self.frames.iter().zip(frames.clone()).all(is_same) {
            self.forget();
            for frame in frames {
                self.bytes.extend_from_slice(frame);
                self.frames.push(frame.clone());
            }
        }
        &self.bytes
    }

    /// Keeps nothing but the room.
    pub(crate) fn forget(&mut self) {
        self.frames.clear();
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests;
