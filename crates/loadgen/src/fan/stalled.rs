//! Clients that come in and then read nothing: whether the server cuts them, when, and what it says.
//!
//! They have an engine of their own, which is left alone while the others talk. A client that does not read is not told
//! that it is cut: only afterwards is read what had been sent to it, up to the server's goodbye.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::IN_WITHIN;
use crate::engine::{Engine, Reading, Sink};
use crate::error::Error;
use crate::number::{median, nanos, seconds};
use crate::progress::Progress;
use crate::stamp::{self, Stamp};
use crate::target::Target;

/// How long it may take to read what was sent to them, and how long nothing may come until they count as open.
const READ_WITHIN: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(1);

const STEP: Duration = Duration::from_millis(20);

/// What became of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) clients: usize,
    pub(crate) cut: usize,
    pub(crate) after: Option<After>,
    /// How they ended: with a close and its code, with an end or a reset, or not.
    pub(crate) ends: Vec<(String, u64)>,
}

/// How long those were served that were cut, in seconds: from when the first message was due to when the last one was that
/// reached them. What waited behind that was dropped with them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct After {
    pub(crate) p50: f64,
    pub(crate) max: f64,
}

pub(super) struct Stalled {
    engine: Engine,
    heard: Heard,
}

/// When the last message was due that each was sent.
struct Heard {
    run: u32,
    last: Vec<u64>,
    /// The same of those that were cut.
    cut: Vec<u64>,
    texts: u64,
}

impl Stalled {
    /// Brings them in. From here on nobody reads.
    pub(super) fn bring_in(
        targets: &[Target],
        tokens: Vec<String>,
        (clients, run, at_once): (usize, u32, usize),
        progress: &mut Progress,
    ) -> Result<Self, Error> {
        let mut engine = Engine::with(targets.to_vec(), clients, tokens, Reading::Little)?;
        let mut heard = Heard { run, last: vec![0; clients], cut: Vec::new(), texts: 0 };
        let mut told = |present| progress.say("connecting those that will not read", present, clients);
        engine.open_all(at_once, IN_WITHIN, &mut heard, &mut told);
        if engine.counters.present < clients {
            return Err(super::not_all(&engine, clients));
        }
        Ok(Self { engine, heard })
    }

    /// Reads all that was sent to them, until they have ended or nothing comes any more.
    pub(super) fn read(mut self) -> Report {
        let deadline = self.engine.now() + nanos(READ_WITHIN);
        let (mut before, mut heard_at) = (0, self.engine.now());
        while self.engine.counters.present > 0 {
            self.engine.turn(STEP, &mut self.heard);
            let now = self.engine.now();
            if self.heard.texts != before {
                (before, heard_at) = (self.heard.texts, now);
            }
            if now > deadline.min(heard_at + nanos(SILENCE)) {
                break;
            }
        }
        self.report()
    }

    fn report(&self) -> Report {
        let counters = &self.engine.counters;
        let open = counters.present as u64;
        let mut ends = counters.reasons();
        ends.extend((open > 0).then(|| ("still open".to_owned(), open)));
        let times = || self.heard.cut.iter().map(|due| seconds(*due));
        let after = median(times()).map(|p50| After { p50, max: times().fold(0.0, f64::max) });
        Report { clients: self.heard.last.len(), cut: counters.cut, after, ends }
    }
}

impl Sink for Heard {
    fn text(&mut self, client: usize, text: &[u8], _frame: usize, _now: u64) {
        self.texts += 1;
        let stamp = stamp::find(text, 0).and_then(|start| Stamp::read(&text[start..]));
        if let Some(stamp) = stamp.filter(|stamp| stamp.run == self.run) {
            self.last[client] = self.last[client].max(stamp.time);
        }
    }

    fn ended(&mut self, client: usize, was_in: bool) {
        if was_in {
            self.cut.push(self.last[client]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;
    use crate::frame;
    use crate::target::Protocol;

    const RUN: u32 = 5;

    /// What section 1.3 of RFC 6455 says to its own key.
    const ANSWER: &[u8] =
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    /// A client that is in and does not read, and the server's end of its connection.
    fn stalled() -> (Stalled, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = Target::find(&url, Protocol::Raw, false).unwrap();
        drop(listener.accept().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend_from_slice(&byte);
            }
            stream.write_all(ANSWER).unwrap();
            stream
        });
        let stalled = Stalled::bring_in(&[target], Vec::new(), (1, RUN, 1), &mut Progress::new()).unwrap();
        (stalled, server.join().unwrap())
    }

    /// Messages that were due after so many seconds.
    fn messages(run: u32, seconds: std::ops::Range<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for second in seconds {
            let mut content = [0; stamp::LEN];
            Stamp { run, sender: 0, sequence: 0, time: second * 1_000_000_000 }.write(&mut content);
            frame::put(&mut bytes, frame::TEXT, &content);
        }
        bytes
    }

    #[test]
    fn a_goodbye_is_read_behind_what_was_sent_before_it() {
        let (stalled, mut server) = stalled();
        let mut said = [messages(RUN, 0..8), messages(RUN + 1, 8..9)].concat();
        frame::put(&mut said, frame::CLOSE, &[&1013_u16.to_be_bytes()[..], b"too slow"].concat());
        server.write_all(&said).unwrap();
        let report = stalled.read();
        assert_eq!((report.clients, report.cut), (1, 1));
        assert_eq!(report.after, Some(After { p50: 7.0, max: 7.0 }));
        assert_eq!(report.ends, [("closed by the server: 1013 too slow".to_owned(), 1)]);
    }

    #[test]
    fn an_end_without_a_word_is_told_as_such() {
        let (stalled, mut server) = stalled();
        server.write_all(&messages(RUN, 0..3)).unwrap();
        drop(server);
        let report = stalled.read();
        assert_eq!((report.cut, report.after), (1, Some(After { p50: 2.0, max: 2.0 })));
        assert_eq!(report.ends, [("the server has closed it".to_owned(), 1)]);
    }

    #[test]
    fn a_client_that_was_not_cut_is_still_open() {
        let (stalled, mut server) = stalled();
        server.write_all(&messages(RUN, 0..3)).unwrap();
        let report = stalled.read();
        assert_eq!((report.cut, report.after), (0, None));
        assert_eq!(report.ends, [("still open".to_owned(), 1)]);
    }

    #[test]
    fn a_socket_that_nobody_reads_takes_little() {
        let (_stalled, mut server) = stalled();
        server.set_nonblocking(true).unwrap();
        let mut taken = 0;
        while let Ok(written) = server.write(&[0; 16 << 10]) {
            taken += written;
        }
        assert!(taken < 1 << 20, "{taken} bytes");
    }
}
