//! One connection of the floor.

use std::io::{self, ErrorKind, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use sha1::{Digest, Sha1};

use crate::frame;

/// The most bytes that wait for a client that does not read; then it is cut, as a server with bounds does.
const OUTBOX: usize = 4 << 20;

/// The longest request for a WebSocket.
const MAX_REQUEST: usize = 8 << 10;

pub(super) struct Client {
    stream: TcpStream,
    pub(super) is_open: bool,
    left: Vec<u8>,
    outbox: Vec<u8>,
}

impl Client {
    pub(super) fn new(mut stream: TcpStream, registry: &Registry, token: Token) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, is_open: false, left: Vec::new(), outbox: Vec::new() })
    }

    /// Answers the handshake if it is there whole, and says where it ends.
    pub(super) fn upgrade(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
            return if bytes.len() > MAX_REQUEST { Err(ErrorKind::InvalidData.into()) } else { Ok(0) };
        };
        let request = String::from_utf8_lossy(&bytes[..end]);
        let headers = request.lines().filter_map(|line| line.split_once(':'));
        let mut keys = headers.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
        let (_, key) = keys.next().ok_or(ErrorKind::InvalidData)?;
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            accept(key.trim())
        );
        self.send(answer.as_bytes())?;
        self.is_open = true;
        Ok(end + 4)
    }

    pub(super) fn send_frame(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(payload.len() + 10);
        frame::put(&mut bytes, opcode, payload);
        self.send(&bytes)
    }

    /// One call; what is not taken waits until the socket can be written to.
    #[inline]
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = if self.outbox.is_empty() { none_if_full(self.stream.write(bytes))? } else { 0 };
        let rest = &bytes[written..];
        if self.outbox.len() + rest.len() > OUTBOX {
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.outbox.extend_from_slice(rest);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match none_if_full(self.stream.write(&self.outbox))? {
                0 => return Ok(()),
                written if written == self.outbox.len() => self.outbox = Vec::new(),
                written => drop(self.outbox.drain(..written)),
            }
        }
        Ok(())
    }

    /// Puts what was left over into the buffer, and at most `most` bytes that have come behind it. Answers with how much
    /// that is, and whether there may be more; or nothing has come.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<Option<(usize, bool)>> {
        let before = self.left.len();
        if buffer.len() < before + most {
            buffer.resize(before + most, 0);
        }
        let read = match self.stream.read(&mut buffer[before..before + most]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if is_passing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        buffer[..before].copy_from_slice(&self.left);
        self.left.clear();
        Ok(Some((before + read, read == most)))
    }

    pub(super) fn keep(&mut self, rest: &[u8]) {
        self.left.extend_from_slice(rest);
    }
}

fn none_if_full(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if is_passing(&error) => Ok(0),
        written => written,
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// RFC 6455, section 4.2.2.
fn accept(key: &str) -> String {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    STANDARD.encode(Sha1::digest([key, GUID].concat()))
}
