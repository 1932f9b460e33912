//! One connection: its socket, what is left of what it heard, and what it has not got rid of.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::narrow;
use crate::frame;
use crate::hello::Stage;

/// The most bytes that wait for a server that does not read.
const OUTBOX: usize = 1 << 20;

/// Room that is given back when it is not needed: there are thousands of connections.
const SPARE: usize = 4 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    #[default]
    Closed,
    Connecting,
    /// The answer to the handshake is to come.
    Upgrading,
    Open(Stage),
}

/// How much of what is sent to a connection fits into its socket, as long as nobody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As much as the system gives.
    All,
    /// So little that a client which stops to read is soon known to.
    Little,
}

pub(super) enum Heard {
    Nothing,
    End,
    /// So many bytes lie in the buffer, what was left over before them included. `full`: there may be more.
    Bytes {
        length: usize,
        full: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct Connection {
    stream: Option<TcpStream>,
    pub(super) phase: Phase,
    /// When, in the engine's nanoseconds.
    pub(super) opened: u64,
    left: Vec<u8>,
    outbox: Vec<u8>,
}

impl Connection {
    pub(super) fn open(
        &mut self,
        to: SocketAddr,
        reading: Reading,
        registry: &Registry,
        token: Token,
        now: u64,
    ) -> io::Result<()> {
        // 0 says that there is none.
        self.opened = now.max(1);
        let mut stream = match reading {
            Reading::All => TcpStream::connect(to)?,
            Reading::Little => narrow::connect(to)?,
        };
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        self.phase = Phase::Connecting;
        Ok(())
    }

    /// Answers with what it was.
    pub(super) fn close(&mut self) -> Phase {
        self.stream = None;
        self.left = Vec::new();
        self.outbox = Vec::new();
        std::mem::take(&mut self.phase)
    }

    /// The socket says that it can be written to: it is connected, or cannot be, or that was about an earlier one.
    pub(super) fn connected(&mut self, handshake: &[u8]) -> io::Result<()> {
        let Some(stream) = &self.stream else { return Ok(()) };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
            Err(error) => return Err(error),
        }
        self.phase = Phase::Upgrading;
        self.outbox.extend_from_slice(handshake);
        self.flush()
    }

    /// Frames it and sends what goes; `false`: there was no room for it.
    #[inline]
    pub(super) fn put(&mut self, opcode: u8, payload: &[u8], mask: [u8; 4]) -> io::Result<bool> {
        if self.outbox.len() + payload.len() > OUTBOX {
            return Ok(false);
        }
        let waits = !self.outbox.is_empty();
        frame::put_masked(&mut self.outbox, opcode, payload, mask);
        // What waits is written when the socket says so.
        if !waits {
            self.flush()?;
        }
        Ok(true)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.outbox.is_empty() {
            match stream.write(&self.outbox) {
                Ok(written) if written == self.outbox.len() => self.outbox.clear(),
                Ok(written) => drop(self.outbox.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Puts what was left over at the beginning of `buffer`, and at most `most` bytes that have come behind it.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<Heard> {
        let Some(stream) = &mut self.stream else { return Ok(Heard::Nothing) };
        let before = self.left.len();
        if buffer.len() < before + most {
            buffer.resize(before + most, 0);
        }
        let read = loop {
            match stream.read(&mut buffer[before..before + most]) {
                Ok(0) => return Ok(Heard::End),
                Ok(read) => break read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Heard::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        buffer[..before].copy_from_slice(&self.left);
        self.left.clear();
        Ok(Heard::Bytes { length: before + read, full: read == most })
    }

    /// Keeps a frame's beginning until the rest comes.
    #[inline]
    pub(super) fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() && self.left.capacity() > SPARE {
            self.left = Vec::new();
        }
        self.left.extend_from_slice(rest);
    }
}
