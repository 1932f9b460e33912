//! The least that a server can do which sends everything to everybody: a yardstick, for the loopback only.
//!
//! Every message is framed once, and then sent with a call of its own to each connection; or, in batches, with one call
//! for all that had come in when it looked. One thread. It knows WebSocket and nothing else.

mod client;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use crate::frame::{self, Head, apply_mask};
use client::Client;

const LISTENER: Token = Token(usize::MAX);

/// Events that are looked at before a batch goes out.
const EVENTS: usize = 1024;

/// Read at a time.
const READ: usize = 256 << 10;

pub(crate) struct Floor {
    listener: TcpListener,
    poll: Poll,
    /// By token; a gap is where one has gone.
    clients: Vec<Option<Client>>,
    gaps: Vec<usize>,
    /// Framed, for everybody, and not sent yet.
    pending: Vec<u8>,
    batch: bool,
    buffer: Vec<u8>,
}

impl Floor {
    pub(crate) fn bind(address: SocketAddr, batch: bool) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address)?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (clients, gaps, pending) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { listener, poll, clients, gaps, pending, batch, buffer: vec![0; READ] })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is told to stop, for which it looks so often.
    pub(crate) fn serve(&mut self, look: Duration, is_over: impl Fn() -> bool) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !is_over() {
            match self.poll.poll(&mut events, Some(look)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept();
                } else {
                    let over = event.is_read_closed() || event.is_error();
                    self.turn(event.token().0, event.is_writable(), over);
                }
            }
            self.send_out();
        }
        Ok(())
    }

    fn accept(&mut self) {
        // An error is that there is nobody else, or that this one has gone again.
        while let Ok((stream, _)) = self.listener.accept() {
            let place = self.gaps.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            match Client::new(stream, self.poll.registry(), Token(place)) {
                Ok(client) => self.clients[place] = Some(client),
                Err(_) => self.gaps.push(place),
            }
        }
    }

    fn turn(&mut self, place: usize, writable: bool, over: bool) {
        let Some(mut client) = self.clients[place].take() else { return };
        if (!writable || client.flush().is_ok()) && self.read(&mut client, over) {
            self.clients[place] = Some(client);
        } else {
            self.gaps.push(place);
        }
    }

    /// Says whether the client goes on. What comes behind a read that was not filled is an event of its own, but for the end.
    fn read(&mut self, client: &mut Client, over: bool) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let lives = loop {
            match client.read(&mut buffer, READ) {
                Ok(None) => break true,
                Err(_) => break false,
                Ok(Some((length, full))) => {
                    let Some(used) = self.take_in(client, &mut buffer[..length]) else { break false };
                    client.keep(&buffer[used..length]);
                    if !full && !over {
                        break true;
                    }
                }
            }
        };
        self.buffer = buffer;
        lives
    }

    /// Takes in what is whole, and says how much that was; nothing, if that is the end of it.
    fn take_in(&mut self, client: &mut Client, bytes: &mut [u8]) -> Option<usize> {
        let mut at = if client.is_open { 0 } else { client.upgrade(bytes).ok()? };
        if !client.is_open {
            return Some(0);
        }
        while let Some(head) = Head::parse(&bytes[at..]).ok()?.filter(|head| at + head.end <= bytes.len()) {
            let payload = &mut bytes[at + head.start..at + head.end];
            // Clients have to mask, and none that comes here sends in parts.
            apply_mask(payload, head.mask?);
            match head.opcode {
                frame::TEXT if head.fin => frame::put(&mut self.pending, frame::TEXT, payload),
                frame::PING => client.send_frame(frame::PONG, payload).ok()?,
                frame::PONG => {}
                _ => return None,
            }
            at += head.end;
            if !self.batch {
                self.send_to(client)?;
                self.send_out();
            }
        }
        Some(at)
    }

    /// To the one that is just being read, and not among the others.
    fn send_to(&mut self, client: &mut Client) -> Option<()> {
        if self.pending.is_empty() { Some(()) } else { client.send(&self.pending).ok() }
    }

    fn send_out(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        for place in 0..self.clients.len() {
            let Some(client) = &mut self.clients[place] else { continue };
            if client.is_open && client.send(&self.pending).is_err() {
                self.clients[place] = None;
                self.gaps.push(place);
            }
        }
        self.pending.clear();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::{self, JoinHandle};

    use super::*;

    /// In a thread of its own, which ends with it.
    pub(crate) struct RunningFloor {
        address: SocketAddr,
        is_over: Arc<AtomicBool>,
        thread: Option<JoinHandle<io::Result<()>>>,
    }

    impl RunningFloor {
        pub(crate) fn start(batch: bool) -> Self {
            let mut floor = Floor::bind((Ipv4Addr::LOCALHOST, 0).into(), batch).unwrap();
            let (address, is_over) = (floor.address().unwrap(), Arc::<AtomicBool>::default());
            let told = Arc::clone(&is_over);
            let serve = move || floor.serve(Duration::from_millis(10), || told.load(Ordering::Relaxed));
            Self { address, is_over, thread: Some(thread::spawn(serve)) }
        }

        pub(crate) fn url(&self) -> String {
            format!("http://{}", self.address)
        }
    }

    impl Drop for RunningFloor {
        fn drop(&mut self) {
            self.is_over.store(true, Ordering::Relaxed);
            let ended = self.thread.take().map(JoinHandle::join);
            assert!(matches!(ended, Some(Ok(Ok(())))) || thread::panicking(), "it serves to the end");
        }
    }

    fn client(floor: &RunningFloor) -> TcpStream {
        let mut stream = TcpStream::connect(floor.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The example of RFC 6455, section 1.3.
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        write!(stream, "GET / HTTP/1.1\r\nsec-websocket-key: {key}\r\n\r\n").unwrap();
        let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(heard(&mut stream, expected.len()), expected.as_bytes());
        stream
    }

    fn heard(stream: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn everybody_hears_what_somebody_says_however_it_is_cut() {
        for batch in [false, true] {
            let floor = RunningFloor::start(batch);
            let mut clients = [client(&floor), client(&floor), client(&floor)];
            let (mut said, mut expected) = (Vec::new(), Vec::new());
            for text in ["a", "", &"long".repeat(100)] {
                frame::put_masked(&mut said, frame::TEXT, text.as_bytes(), [1, 2, 3, 4]);
                frame::put(&mut expected, frame::TEXT, text.as_bytes());
            }
            for portion in said.chunks(7) {
                clients[1].write_all(portion).unwrap();
            }
            for client in &mut clients {
                assert_eq!(heard(client, expected.len()), expected);
            }
        }
    }

    #[test]
    fn a_ping_is_answered_to_whoever_sent_it_and_nonsense_ends_only_its_sender() {
        let floor = RunningFloor::start(false);
        let (mut one, mut other) = (client(&floor), client(&floor));
        let (mut question, mut answer) = (Vec::new(), Vec::new());
        frame::put_masked(&mut question, frame::PING, b"x", [9; 4]);
        frame::put(&mut answer, frame::PONG, b"x");
        one.write_all(&question).unwrap();
        assert_eq!(heard(&mut one, answer.len()), answer);
        // Not masked.
        other.write_all(&answer).unwrap();
        assert_eq!(other.read(&mut [0; 8]).unwrap(), 0);
        one.write_all(&question).unwrap();
        assert_eq!(heard(&mut one, answer.len()), answer);
    }
}
