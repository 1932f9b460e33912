use bytestring::ByteString;
use proptest::prelude::*;

use super::super::packet::PING;
use super::super::payload::{Data, Payload};
use super::super::session::{Due, Received, Session};
use super::*;
use crate::DisconnectReason;

type Machine = Polling<u32>;

fn machine() -> Machine {
    Machine::new(&Config::default())
}

fn send(machine: &mut Machine, texts: &[&str]) {
    for text in texts {
        machine.send(&Frame::text(text)).unwrap();
    }
}

fn text(answer: Option<(u32, Bytes)>) -> Option<(u32, String)> {
    answer.map(|(request, payload)| (request, String::from_utf8(payload.to_vec()).unwrap()))
}

fn answered(request: u32, payload: &str) -> (u32, String) {
    (request, payload.to_owned())
}

/// A machine whose WebSocket has been probed.
fn probed() -> Machine {
    let mut machine = machine();
    assert!(machine.candidate(Instant::now()));
    assert_eq!(machine.step("2probe"), Step::Answer);
    machine
}

#[test]
fn a_poll_waits_until_there_is_something_and_takes_all_of_it() {
    let mut machine = machine();
    machine.poll(1).unwrap();
    assert_eq!(machine.answer(), None);
    send(&mut machine, &["4a", "4b"]);
    assert_eq!(text(machine.answer()), Some(answered(1, "4a\x1e4b")));
    send(&mut machine, &["4c"]);
    assert_eq!(machine.answer(), None);
    machine.poll(2).unwrap();
    assert_eq!(text(machine.answer()), Some(answered(2, "4c")));
}

#[test]
fn only_one_poll_may_wait() {
    let mut machine = machine();
    machine.poll(1).unwrap();
    assert_eq!(machine.poll(2), Err(Overlap));
    assert_eq!(text(machine.close(Ending::Abrupt)), Some(answered(1, "1")));
}

#[test]
fn an_answer_holds_at_most_16_packets_and_as_many_bytes_as_allowed_but_always_one_packet() {
    let mut machine = machine();
    send(&mut machine, &["4"; 20]);
    for expected in [16, 4] {
        machine.poll(1).unwrap();
        assert_eq!(text(machine.answer()).unwrap().1.split('\x1e').count(), expected);
    }
    let mut machine = Machine::new(&Config { max_payload: 10, ..Config::default() });
    send(&mut machine, &["4aaa", "4bbbb", "4c", "4far too long"]);
    machine.send(&Frame::binary(&[0; 4])).unwrap();
    for expected in ["4aaa\x1e4bbbb", "4c", "4far too long", "bAAAAAA=="] {
        machine.poll(1).unwrap();
        assert_eq!(text(machine.answer()).unwrap().1, expected);
    }
}

#[test]
fn more_than_the_client_may_be_owed_is_refused_and_dropped() {
    let mut machine = Machine::new(&Config { outbox_bytes: 1_000, ..Config::default() });
    let refused = (0..).map(|_| machine.send(&Frame::text(&"x".repeat(100)))).find_map(Result::err);
    assert!(matches!(refused, Some(SendError::Overflow)));
    assert!(machine.is_drained());
}

#[test]
fn what_was_fetched_makes_room() {
    let mut machine = Machine::new(&Config { outbox_bytes: 1_000, ..Config::default() });
    for request in 0..100 {
        send(&mut machine, &[&"x".repeat(500)]);
        machine.poll(request).unwrap();
        assert!(machine.answer().is_some());
    }
}

#[test]
fn polls_of_a_probed_session_are_answered_with_what_there_is_or_a_noop() {
    let mut machine = probed();
    send(&mut machine, &["4a"]);
    for expected in ["4a", "6", "6"] {
        machine.poll(1).unwrap();
        assert_eq!(text(machine.answer()), Some(answered(1, expected)));
    }
}

#[test]
fn the_websocket_takes_over_what_is_queued() {
    let mut machine = probed();
    machine.poll(1).unwrap();
    send(&mut machine, &["4a", "4b"]);
    assert_eq!(machine.step("5"), Step::Switch);
    let (queue, poll) = machine.hand_over();
    assert_eq!(queue, [Frame::text("4a"), Frame::text("4b")]);
    assert_eq!(text(poll), Some(answered(1, "6")));
    assert!(matches!(machine.send(&Frame::text("4c")), Err(SendError::Closed)));
    assert!(!machine.candidate(Instant::now()), "it moves only once");
}

#[test]
fn only_the_steps_of_the_protocol_lead_to_a_websocket() {
    for (steps, expected) in [
        (&["5"][..], Step::Fail),
        (&["2"], Step::Fail),
        (&["4hello"], Step::Fail),
        (&["2probe", "2probe"], Step::Fail),
        (&["2probe", "4hello"], Step::Fail),
        (&["2probe", "5"], Step::Switch),
    ] {
        let mut machine = machine();
        assert!(machine.candidate(Instant::now()));
        let verdicts: Vec<Step> = steps.iter().map(|step| machine.step(step)).collect();
        assert_eq!(verdicts.last(), Some(&expected), "{steps:?}");
    }
}

#[test]
fn there_is_one_websocket_at_a_time_and_it_has_so_long() {
    let (mut machine, now) = (machine(), Instant::now());
    assert!(machine.candidate(now));
    assert!(!machine.candidate(now));
    assert_eq!(machine.upgrade_deadline(), Some(now + Duration::from_secs(10)));
    machine.step("2probe");
    assert_eq!(machine.upgrade_deadline(), Some(now + Duration::from_secs(10)));
    machine.candidate_failed();
    assert_eq!(machine.upgrade_deadline(), None);
    machine.poll(1).unwrap();
    assert_eq!(machine.answer(), None, "after a failed upgrade, polls wait again");
    assert!(machine.candidate(now));
}

#[test]
fn each_way_to_end_has_its_last_words() {
    for (ending, waits, queued, answer, left) in [
        (Ending::ByClient, true, false, Some("6"), false),
        (Ending::ByClient, false, true, None, true),
        (Ending::Abrupt, true, false, Some("1"), false),
        (Ending::Abrupt, false, true, None, false),
        (Ending::Orderly, true, false, Some("1"), false),
        (Ending::Orderly, true, true, Some("4a"), true),
        (Ending::Orderly, false, true, None, true),
    ] {
        let mut machine = machine();
        if waits {
            machine.poll(1).unwrap();
        }
        send(&mut machine, if queued { &["4a"] } else { &[] });
        assert_eq!(text(machine.close(ending)).map(|(_, text)| text).as_deref(), answer, "{ending:?}");
        assert_eq!(!machine.is_drained(), left, "{ending:?}");
        assert!(machine.send(&Frame::text("4b")).is_err());
        assert_eq!(machine.close(Ending::Abrupt), None);
    }
}

#[test]
fn a_close_packet_comes_in_an_answer_of_its_own() {
    let mut machine = machine();
    send(&mut machine, &["4a", "41"]);
    assert_eq!(machine.close(Ending::Orderly), None);
    for expected in ["4a\x1e41", "1"] {
        machine.poll(1).unwrap();
        assert_eq!(text(machine.answer()), Some(answered(1, expected)));
    }
    assert!(machine.is_drained());
}

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Act {
    Send,
    Poll,
    Post(u8),
    OpenSocket,
    Probe,
    Upgrade,
    FailSocket,
    Tick(u64),
    Close(Ending),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => Just(Act::Send),
        8 => Just(Act::Poll),
        4 => (1..40_u8).prop_map(Act::Post),
        3 => Just(Act::OpenSocket),
        3 => Just(Act::Probe),
        1 => Just(Act::Upgrade),
        1 => Just(Act::FailSocket),
        4 => (1..12_000_u64).prop_map(Act::Tick),
        1 => prop_oneof![Just(Ending::ByClient), Just(Ending::Abrupt), Just(Ending::Orderly)].prop_map(Act::Close),
    ]
}

/// A session, its client, and what each has got from the other, in simulated time.
struct World {
    machine: Machine,
    session: Session,
    now: Instant,
    upgraded: bool,
    ending: Option<Ending>,
    sent: u64,
    received: Vec<u64>,
    posted: u64,
    handled: Vec<u64>,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            machine: machine(),
            session: Session::open(&Config::default(), now),
            now,
            upgraded: false,
            ending: None,
            sent: 0,
            received: Vec::new(),
            posted: 0,
            handled: Vec::new(),
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Send => {
                let frame = Frame::text(&format!("4{}", self.sent));
                if self.transmit(&frame) {
                    self.sent += 1;
                }
            }
            Act::Poll => self.poll(),
            Act::Post(count) => self.post(*count),
            Act::OpenSocket => {
                self.machine.candidate(self.now);
            }
            Act::Probe => self.step("2probe"),
            Act::Upgrade => self.step("5"),
            Act::FailSocket => self.machine.candidate_failed(),
            Act::Tick(millis) => self.tick(Duration::from_millis(*millis)),
            Act::Close(ending) => self.close(*ending),
        }
        let answer = self.machine.answer();
        self.take(answer);
    }

    /// Whatever carries the session takes a packet, if it lives.
    fn transmit(&mut self, frame: &Frame) -> bool {
        if self.upgraded && self.ending.is_none() {
            self.client(std::str::from_utf8(frame.payload()).unwrap());
            return true;
        }
        self.machine.send(frame).is_ok()
    }

    fn poll(&mut self) {
        if !self.upgraded && self.machine.waiting().is_none() {
            self.machine.poll(7).unwrap();
        }
    }

    fn post(&mut self, count: u8) {
        if self.ending.is_some() {
            return;
        }
        let numbers = self.posted..self.posted + u64::from(count);
        let body = numbers.clone().map(|n| format!("4{n}")).collect::<Vec<_>>().join("\x1e");
        self.posted = numbers.end;
        for packet in Payload::new(ByteString::from(body), 100).unwrap() {
            let Data::Text(text) = packet else { panic!("{packet:?}") };
            match self.session.receive(&text, self.now) {
                Received::Message(number) => self.handled.push(number.parse().unwrap()),
                other => panic!("{other:?}"),
            }
        }
    }

    fn step(&mut self, text: &str) {
        if self.upgraded {
            return;
        }
        match self.machine.step(text) {
            Step::Answer => {}
            Step::Fail => self.machine.candidate_failed(),
            Step::Switch => {
                let (queue, poll) = self.machine.hand_over();
                self.take(poll);
                self.upgraded = true;
                for frame in queue {
                    self.client(std::str::from_utf8(frame.payload()).unwrap());
                }
            }
        }
    }

    fn tick(&mut self, time: Duration) {
        self.now += time;
        if self.machine.upgrade_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.machine.candidate_failed();
        }
        match self.session.advance(self.now, true) {
            Due::Nothing => {}
            Due::Ping => {
                self.transmit(&Frame::text(PING));
            }
            Due::Dead => self.close(Ending::Abrupt),
        }
    }

    fn close(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.ending = Some(ending);
            let last = self.machine.close(ending);
            self.take(last);
        }
    }

    fn take(&mut self, answer: Option<(u32, Bytes)>) {
        if let Some((_, payload)) = text(answer) {
            assert!(payload.split('\x1e').count() <= MAX_PACKETS);
            payload.split('\x1e').for_each(|packet| self.client(packet));
        }
    }

    fn client(&mut self, packet: &str) {
        match packet.strip_prefix('4') {
            Some(number) => self.received.push(number.parse().unwrap()),
            None if packet == PING && self.ending.is_none() => {
                assert_eq!(self.session.receive("3", self.now), Received::Nothing);
            }
            None => assert!(["1", "2", "6"].contains(&packet), "{packet}"),
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_every_packet_comes_once_and_in_order_and_nothing_is_kept_after_the_end(
        acts in prop::collection::vec(act(), 1..200),
    ) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
        }
        // The client fetches what is left.
        while !world.machine.is_drained() {
            world.act(&Act::Poll);
        }
        let lost_by_right = matches!(world.ending, Some(Ending::Abrupt | Ending::ByClient));
        let expected: Vec<u64> = (0..world.sent).collect();
        if lost_by_right {
            prop_assert!(expected.starts_with(&world.received));
        } else {
            prop_assert_eq!(&world.received, &expected);
        }
        prop_assert_eq!(world.handled, (0..world.posted).collect::<Vec<_>>());
        prop_assert_eq!(world.machine.bytes, 0);
    }
}

#[test]
fn a_session_that_is_never_polled_ends_by_its_heartbeat_and_keeps_nothing() {
    let mut world = World::new();
    world.act(&Act::Send);
    for _ in 0..3 {
        world.act(&Act::Tick(25_000));
    }
    assert_eq!(world.ending, Some(Ending::Abrupt));
    assert!(world.machine.is_drained());
    assert_eq!(world.session.receive("1", world.now), Received::Closed(DisconnectReason::TransportClose));
}
