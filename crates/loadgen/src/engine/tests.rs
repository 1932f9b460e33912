use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use proptest::prelude::*;

use super::*;
use crate::target::Protocol;

/// Far above what anything takes, so that only what never comes fails.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Texts {
    heard: Vec<Vec<u8>>,
    came_in: usize,
    ended: Vec<bool>,
}

impl Sink for Texts {
    fn came_in(&mut self, _: usize, _: u64) {
        self.came_in += 1;
    }

    fn text(&mut self, _: usize, text: &[u8], _: usize, _: u64) {
        self.heard.push(text.to_owned());
    }

    fn ended(&mut self, _: usize, was_in: bool) {
        self.ended.push(was_in);
    }
}

fn good_answer() -> Vec<u8> {
    [b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: ", ACCEPT, b"\r\n\r\n"].concat()
}

/// An engine whose one connection is about to be answered by the other end.
fn connecting(sink: &mut Texts) -> (Engine, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let target = Target::find(&url, Protocol::Raw, false).unwrap();
    drop(listener.accept().unwrap());
    let mut engine = Engine::new(vec![target], 1, Vec::new()).unwrap();
    engine.open(0, sink);
    let mut server = listener.accept().unwrap().0;
    server.set_nodelay(true).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    turn_until(&mut engine, sink, |engine, _| engine.connections[0].phase == Phase::Upgrading);
    let mut request = vec![0; engine.handshakes[0].len()];
    server.read_exact(&mut request).unwrap();
    assert_eq!(request, engine.handshakes[0]);
    (engine, server)
}

fn turn_until(engine: &mut Engine, sink: &mut Texts, is_so: impl Fn(&Engine, &Texts) -> bool) {
    let deadline = engine.now() + nanos(PATIENCE);
    while !is_so(engine, sink) {
        assert!(engine.now() < deadline, "waited in vain");
        engine.turn(Duration::from_millis(10), sink);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// What is read at a time is up to the network.
    #[test]
    fn what_a_server_says_is_heard_wherever_it_is_cut(
        texts in prop::collection::vec("[a-z]{0,200}", 1..6), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut sink = Texts::default();
        let (mut engine, mut server) = connecting(&mut sink);
        let mut said = good_answer();
        for text in &texts {
            frame::put(&mut said, frame::TEXT, text.as_bytes());
        }
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(said.len())).collect();
        ends.sort_unstable();
        ends.push(said.len());
        let mut start = 0;
        for end in ends {
            server.write_all(&said[start..end]).unwrap();
            start = end;
            engine.turn(Duration::from_millis(1), &mut sink);
        }
        turn_until(&mut engine, &mut sink, |_, sink| sink.heard.len() == texts.len());
        prop_assert_eq!(&sink.heard, &texts.iter().map(|text| text.clone().into_bytes()).collect::<Vec<_>>());
        prop_assert_eq!((sink.came_in, engine.counters.present, engine.counters.coming), (1, 1, 0));
    }
}

#[test]
fn an_answer_to_the_handshake_is_waited_for_checked_and_told() {
    let good = good_answer();
    let more = [&good[..], b"rest"].concat();
    assert_eq!(accepted(&more), Ok(Some(good.len())));
    assert_eq!(accepted(&good[..40]), Ok(None));
    let error = accepted(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap_err();
    assert!(error.ends_with("HTTP/1.1 404 Not Found"), "{error}");
}

#[test]
fn pings_are_answered_and_a_close_is_told_with_its_reason() {
    let mut sink = Texts::default();
    let (mut engine, mut server) = connecting(&mut sink);
    let mut said = good_answer();
    frame::put(&mut said, frame::PING, b"?");
    server.write_all(&said).unwrap();
    turn_until(&mut engine, &mut sink, |engine, _| engine.counters.pongs == 1);
    let mut pong = [0; 7];
    server.read_exact(&mut pong).unwrap();
    let head = Head::parse(&pong).unwrap().unwrap();
    assert_eq!((head.opcode, head.end, pong[6] ^ head.mask.unwrap()[0]), (frame::PONG, 7, b'?'));

    let mut close = Vec::new();
    frame::put(&mut close, frame::CLOSE, &[&1013_u16.to_be_bytes()[..], b"too slow"].concat());
    server.write_all(&close).unwrap();
    turn_until(&mut engine, &mut sink, |engine, _| engine.counters.cut == 1);
    assert_eq!(engine.counters.reasons(), [("closed by the server: 1013 too slow".to_owned(), 1)]);
    assert_eq!((&sink.ended[..], engine.counters.present), (&[true][..], 0));
}

#[test]
fn a_connection_that_has_ended_can_be_opened_again() {
    let mut sink = Texts::default();
    let (mut engine, server) = connecting(&mut sink);
    drop(server);
    turn_until(&mut engine, &mut sink, |engine, _| engine.counters.failed == 1);
    assert_eq!((&sink.ended[..], engine.counters.coming), (&[false][..], 0));
    engine.open(0, &mut sink);
    turn_until(&mut engine, &mut sink, |engine, _| engine.counters.coming == 0);
    assert_eq!(engine.counters.failed, 2, "nobody listens there any more");
}
