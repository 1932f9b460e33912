//! All connections of a load, in one thread: they are opened, brought in, read and written as soon as that goes.
//!
//! There is one buffer to read into. Frames are handed on where they lie in it; only one that has not arrived whole is
//! copied aside until the rest comes.

mod connection;
mod counters;
mod narrow;

use std::io;
use std::time::Duration;

use mio::{Events, Poll, Token};

use crate::clock::Clock;
use crate::frame::{self, Head};
use crate::hello::{self, Stage, Step, beginning};
use crate::number::nanos;
use crate::target::{Protocol, Target};
use connection::{Connection, Heard, Phase};
use counters::Counters;

pub(crate) use connection::Reading;

/// Read at a time; more than a socket's buffer mostly holds.
const READ: usize = 256 << 10;

/// Looked at before the load goes on.
const EVENTS: usize = 1024;

/// A key may be any, and for this one RFC 6455, section 1.3, says the answer.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What happens on connections, which are counted from 0.
pub(crate) trait Sink {
    /// It is in, so long after it was opened.
    fn came_in(&mut self, _connection: usize, _took: u64) {}
    /// A text that everybody is sent; `frame` is how many bytes its frame has.
    fn text(&mut self, _connection: usize, _text: &[u8], _frame: usize, _now: u64) {}
    /// It failed, or the server ended it.
    fn ended(&mut self, _connection: usize, _was_in: bool) {}
}

/// Who looks at nothing.
impl Sink for () {}

pub(crate) struct Engine {
    /// Connections are spread over them in turn.
    targets: Vec<Target>,
    /// What each of them is asked first.
    handshakes: Vec<Vec<u8>>,
    protocol: Protocol,
    reading: Reading,
    tokens: Vec<String>,
    poll: Poll,
    events: Events,
    /// What the last wait has brought.
    ready: Vec<Ready>,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    clock: Clock,
    random: u32,
    pub(crate) counters: Counters,
}

#[derive(Debug, Clone, Copy)]
struct Ready {
    connection: usize,
    writable: bool,
    readable: bool,
    /// The other side will send no more.
    over: bool,
}

impl Engine {
    /// For so many connections, of which none is open, to the nodes of one server, at least one. Each has its token, if people
    /// log in.
    pub(crate) fn new(targets: Vec<Target>, connections: usize, tokens: Vec<String>) -> io::Result<Self> {
        Self::with(targets, connections, tokens, Reading::All)
    }

    pub(crate) fn with(
        targets: Vec<Target>,
        connections: usize,
        tokens: Vec<String>,
        reading: Reading,
    ) -> io::Result<Self> {
        Ok(Self {
            handshakes: targets.iter().map(|target| target.handshake(KEY).into_bytes()).collect(),
            protocol: targets[0].protocol,
            targets,
            reading,
            tokens,
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            ready: Vec::with_capacity(EVENTS),
            connections: (0..connections).map(|_| Connection::default()).collect(),
            buffer: vec![0; READ],
            clock: Clock::start(),
            random: std::process::id() | 1,
            counters: Counters::default(),
        })
    }

    /// Nanoseconds since it was made.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Which of the nodes a connection is to.
    fn node_of(&self, connection: usize) -> usize {
        connection % self.targets.len()
    }

    pub(crate) fn is_in(&self, connection: usize) -> bool {
        self.connections[connection].phase == Phase::Open(Stage::In)
    }

    /// Begins to open one that is closed.
    pub(crate) fn open(&mut self, connection: usize, sink: &mut impl Sink) {
        let now = self.now();
        let registry = self.poll.registry();
        self.counters.coming += 1;
        let (to, reading) = (self.targets[self.node_of(connection)].address, self.reading);
        let opened = self.connections[connection].open(to, reading, registry, Token(connection), now);
        if let Err(error) = opened {
            self.end(connection, format!("connecting: {error}"), sink);
        }
    }

    /// Leaves, without a word: the other side sees the connection end.
    pub(crate) fn close(&mut self, connection: usize) {
        match self.connections[connection].close() {
            Phase::Closed => {}
            Phase::Open(Stage::In) => self.counters.present -= 1,
            _ => self.counters.coming -= 1,
        }
    }

    pub(crate) fn close_all(&mut self) {
        for connection in 0..self.connections.len() {
            self.close(connection);
        }
    }

    /// Opens those that are closed, at most so many at a time, and waits until all are in or have failed.
    pub(crate) fn open_all(
        &mut self,
        at_once: usize,
        within: Duration,
        sink: &mut impl Sink,
        told: &mut impl FnMut(usize),
    ) {
        let deadline = self.now().saturating_add(nanos(within));
        let mut next = 0;
        while next < self.connections.len() || self.counters.coming > 0 {
            while next < self.connections.len() && self.counters.coming < at_once {
                self.open(next, sink);
                next += 1;
            }
            self.turn(Duration::from_millis(100), sink);
            told(self.counters.present);
            if self.now() > deadline {
                return self.give_up(sink);
            }
        }
    }

    fn give_up(&mut self, sink: &mut impl Sink) {
        for connection in 0..self.connections.len() {
            let phase = self.connections[connection].phase;
            if !matches!(phase, Phase::Closed | Phase::Open(Stage::In)) {
                self.end(connection, format!("it took too long: {phase:?}"), sink);
            }
        }
    }

    /// Sends a text; `false`: it did not go, since the connection is not in or takes nothing.
    #[inline]
    pub(crate) fn send(&mut self, connection: usize, text: &[u8], sink: &mut impl Sink) -> bool {
        self.is_in(connection) && self.put(connection, frame::TEXT, text, sink)
    }

    fn put(&mut self, connection: usize, opcode: u8, payload: &[u8], sink: &mut impl Sink) -> bool {
        let mask = self.next_mask();
        match self.connections[connection].put(opcode, payload, mask) {
            Ok(taken) => taken,
            Err(error) => {
                self.end(connection, format!("writing: {error}"), sink);
                false
            }
        }
    }

    /// Xorshift: masks have to differ, and are no secret here.
    fn next_mask(&mut self) -> [u8; 4] {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random.to_ne_bytes()
    }

    /// Waits at most so long, and handles all that has come.
    pub(crate) fn turn(&mut self, timeout: Duration, sink: &mut impl Sink) {
        for number in 0..self.wait(timeout) {
            self.handle(number, sink);
        }
    }

    /// Waits at most so long; says how many connections there is something to [`Engine::handle`] of.
    pub(crate) fn wait(&mut self, timeout: Duration) -> usize {
        self.ready.clear();
        // Interrupted: then nothing has come.
        if self.poll.poll(&mut self.events, Some(timeout)).is_ok() {
            self.ready.extend(self.events.iter().map(|event| Ready {
                connection: event.token().0,
                writable: event.is_writable(),
                readable: event.is_readable(),
                over: event.is_read_closed() || event.is_error(),
            }));
        }
        self.ready.len()
    }

    pub(crate) fn handle(&mut self, number: usize, sink: &mut impl Sink) {
        let Ready { connection, writable, readable, over } = self.ready[number];
        if (writable || over) && self.connections[connection].phase == Phase::Connecting {
            let node = self.node_of(connection);
            match self.connections[connection].connected(&self.handshakes[node]) {
                Ok(()) => {}
                Err(error) => return self.end(connection, format!("connecting: {error}"), sink),
            }
        } else if writable && let Err(error) = self.connections[connection].flush() {
            return self.end(connection, format!("writing: {error}"), sink);
        }
        if readable || over {
            self.read(connection, over, sink);
        }
    }

    /// Reads until there is no more. Whatever comes after a read that was not filled is an event of its own, but for
    /// the end, which may be behind it.
    fn read(&mut self, connection: usize, over: bool, sink: &mut impl Sink) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while !matches!(self.connections[connection].phase, Phase::Closed | Phase::Connecting) {
            let heard = self.connections[connection].read(&mut buffer, READ);
            let (length, full) = match heard {
                Ok(Heard::Bytes { length, full }) => (length, full),
                Ok(Heard::Nothing) => break,
                Ok(Heard::End) => {
                    self.end(connection, "the server has closed it".to_owned(), sink);
                    break;
                }
                Err(error) => {
                    self.end(connection, format!("reading: {error}"), sink);
                    break;
                }
            };
            let used = self.take_in(connection, &buffer[..length], sink);
            self.connections[connection].keep(&buffer[used.min(length)..length]);
            if !full && !over {
                break;
            }
        }
        self.buffer = buffer;
    }

    /// Takes in what is whole, and says how much that was.
    fn take_in(&mut self, connection: usize, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let mut at = 0;
        if self.connections[connection].phase == Phase::Upgrading {
            match accepted(bytes) {
                Ok(None) => return 0,
                Ok(Some(behind)) => at = behind,
                Err(why) => {
                    self.end(connection, why, sink);
                    return bytes.len();
                }
            }
            self.begin(connection, sink);
        }
        let now = self.now();
        loop {
            match Head::parse(&bytes[at..]) {
                Ok(Some(head)) if at + head.end <= bytes.len() => {
                    let payload = &bytes[at + head.start..at + head.end];
                    at += head.end;
                    self.frame(connection, head, payload, now, sink);
                }
                Ok(_) => return at,
                Err(error) => {
                    self.end(connection, error.to_string(), sink);
                    return bytes.len();
                }
            }
            if self.connections[connection].phase == Phase::Closed {
                return bytes.len();
            }
        }
    }

    fn begin(&mut self, connection: usize, sink: &mut impl Sink) {
        let token = self.tokens.get(connection).map(String::as_str);
        let (stage, first) = hello::begin(self.protocol, token);
        self.move_to(connection, stage, sink);
        if let Some(first) = first {
            self.put(connection, frame::TEXT, first.as_bytes(), sink);
        }
    }

    #[inline]
    fn frame(&mut self, connection: usize, head: Head, payload: &[u8], now: u64, sink: &mut impl Sink) {
        match head.opcode {
            frame::TEXT | frame::BINARY if head.fin => self.text(connection, payload, head.end, now, sink),
            frame::PING => {
                self.counters.pongs += 1;
                self.put(connection, frame::PONG, payload, sink);
            }
            frame::PONG => {}
            frame::CLOSE => self.end(connection, closed(payload), sink),
            _ => self.end(connection, "a frame in parts, which is not understood here".to_owned(), sink),
        }
    }

    #[inline]
    fn text(&mut self, connection: usize, text: &[u8], frame: usize, now: u64, sink: &mut impl Sink) {
        let Phase::Open(stage) = self.connections[connection].phase else { return };
        let token = self.tokens.get(connection).map(String::as_str);
        match hello::step(self.protocol, stage, token, text) {
            Step::Event => sink.text(connection, text, frame, now),
            Step::Wait => {}
            Step::MoveTo(stage) => self.move_to(connection, stage, sink),
            Step::Say(stage, what) => {
                self.move_to(connection, stage, sink);
                self.put(connection, frame::TEXT, what.as_bytes(), sink);
            }
            Step::Pong => {
                self.counters.pongs += 1;
                self.put(connection, frame::TEXT, b"3", sink);
            }
            Step::Refused(why) => self.end(connection, format!("refused: {why}"), sink),
        }
    }

    fn move_to(&mut self, connection: usize, stage: Stage, sink: &mut impl Sink) {
        let now = self.now();
        let one = &mut self.connections[connection];
        one.phase = Phase::Open(stage);
        if stage == Stage::In {
            self.counters.coming -= 1;
            self.counters.present += 1;
            sink.came_in(connection, now - one.opened);
        }
    }

    fn end(&mut self, connection: usize, reason: String, sink: &mut impl Sink) {
        let was_in = match self.connections[connection].close() {
            Phase::Closed if self.connections[connection].opened == 0 => return,
            Phase::Open(Stage::In) => true,
            _ => false,
        };
        if was_in {
            self.counters.present -= 1;
            self.counters.cut += 1;
        } else {
            self.counters.coming -= 1;
            self.counters.failed += 1;
        }
        self.connections[connection].opened = 0;
        self.counters.note(reason);
        sink.ended(connection, was_in);
    }
}

/// Where the first frame begins, if the server's answer is there whole.
fn accepted(bytes: &[u8]) -> Result<Option<usize>, String> {
    /// No server of a lobby says more before the first frame.
    const MAX_HEAD: usize = 16 << 10;

    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > MAX_HEAD {
            Err("the answer to the handshake is too long".to_owned())
        } else {
            Ok(None)
        };
    };
    let is_good =
        bytes.starts_with(b"HTTP/1.1 101 ") && memchr::memmem::find(&bytes[..end], ACCEPT).is_some();
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if is_good { Ok(Some(end + 4)) } else { Err(format!("no WebSocket there: {}", beginning(line))) }
}

fn closed(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        Some((code, reason)) => {
            format!("closed by the server: {} {}", u16::from_be_bytes(*code), beginning(reason))
        }
        None => "closed by the server".to_owned(),
    }
}

#[cfg(test)]
mod tests;
