//! What the receivers of a fan hear: every delivery is checked and timed.

use std::ops::Range;

use crate::checker::Checker;
use crate::engine::Sink;
use crate::hello::beginning;
use crate::latency::Latencies;
use crate::stamp::{self, Stamp};
use crate::target::Protocol;
use crate::template::padding;

pub(crate) struct Listener {
    /// What the text of a message begins with, and that of a refusal.
    message: &'static [u8],
    refusal: &'static [u8],
    /// What follows a stamp.
    padding: Vec<u8>,
    /// Where the last stamp was.
    guess: usize,
    pub(crate) checker: Checker,
    pub(crate) latencies: Latencies,
    /// How many nodes the connections are spread over, and the same apart: to receivers at their sender's node, and to others.
    nodes: usize,
    pub(crate) within: Latencies,
    pub(crate) across: Latencies,
    /// When the run began, in the engine's nanoseconds. Stamps count from then.
    pub(crate) began: u64,
    /// Latencies are taken of messages that were due in this time since then.
    pub(crate) window: Range<u64>,
    /// Senders that have heard their own messages since somebody looked.
    pub(crate) echoed: Vec<usize>,
    /// Bytes of all deliveries' frames.
    pub(crate) bytes: u64,
    pub(crate) refused: u64,
    pub(crate) first_refusal: Option<String>,
    /// Texts that are no messages of the load.
    pub(crate) others: u64,
}

impl Listener {
    pub(crate) fn new(protocol: Protocol, checker: Checker, size: usize, nodes: usize) -> Self {
        let (message, refusal): (&[u8], &[u8]) = match protocol {
            Protocol::Raw => (b"~", b"\0"),
            Protocol::Socketio => (br#"42["new_message","#, br#"42["error","#),
            Protocol::Ws => (br#"{"event":"new_message","data":"#, br#"{"event":"error","#),
        };
        Self {
            message,
            refusal,
            padding: padding(size).into_bytes(),
            guess: 0,
            checker,
            latencies: Latencies::new(),
            nodes,
            within: Latencies::new(),
            across: Latencies::new(),
            began: 0,
            window: 0..u64::MAX,
            echoed: Vec::new(),
            bytes: 0,
            refused: 0,
            first_refusal: None,
            others: 0,
        }
    }

    #[inline]
    fn message(&mut self, receiver: usize, text: &[u8], now: u64) {
        let Some(start) = stamp::find(text, self.guess) else {
            self.others += 1;
            return;
        };
        self.guess = start;
        let stamp = Stamp::read(&text[start..]);
        let Some(stamp) = stamp.filter(|_| text[start + stamp::LEN..].starts_with(&self.padding)) else {
            self.checker.counts.corrupt += 1;
            return;
        };
        let id = id_in(&text[self.message.len()..]);
        if !self.checker.deliver(receiver, &stamp, id) {
            return;
        }
        if self.window.contains(&stamp.time) {
            self.time(receiver, stamp.sender as usize, (now - self.began).saturating_sub(stamp.time));
        }
        // Senders are the first of the receivers.
        if stamp.sender as usize == receiver {
            self.echoed.push(receiver);
        }
    }

    #[inline]
    fn time(&mut self, receiver: usize, sender: usize, late: u64) {
        self.latencies.record(late);
        if self.nodes > 1 {
            let is_within = receiver % self.nodes == sender % self.nodes;
            (if is_within { &mut self.within } else { &mut self.across }).record(late);
        }
    }
}

impl Sink for Listener {
    #[inline]
    fn text(&mut self, receiver: usize, text: &[u8], frame: usize, now: u64) {
        if text.starts_with(self.message) {
            self.bytes += frame as u64;
            self.message(receiver, text, now);
        } else if text.starts_with(self.refusal) {
            self.refused += 1;
            self.first_refusal.get_or_insert_with(|| beginning(text));
        } else {
            self.others += 1;
        }
    }
}

/// The id of a message whose data begins with it, as the lobby's does.
#[inline]
fn id_in(data: &[u8]) -> Option<u64> {
    let digits = data.strip_prefix(br#"{"id":"#)?;
    let end = digits.iter().take(20).position(|byte| !byte.is_ascii_digit())?;
    let digits = (end > 0).then_some(&digits[..end])?;
    Some(digits.iter().fold(0, |id: u64, digit| id.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: u32 = 3;
    const SIZE: usize = 64;

    fn heard(texts: &[&str]) -> Listener {
        let mut listener = Listener::new(Protocol::Socketio, Checker::new(RUN, 1, 1), SIZE, 1);
        for text in texts {
            listener.text(0, text.as_bytes(), text.len() + 4, 1_000);
        }
        listener
    }

    fn message(sequence: u32, padding: &str) -> String {
        let mut stamp = [0; stamp::LEN];
        Stamp { run: RUN, sender: 0, sequence, time: 400 }.write(&mut stamp);
        let stamp = std::str::from_utf8(&stamp).unwrap();
        format!(r#"42["new_message",{{"id":{},"content":"{stamp}{padding}"}}]"#, sequence + 1)
    }

    #[test]
    fn a_message_is_counted_timed_and_known_as_ones_own() {
        let text = message(0, &padding(SIZE));
        let listener = heard(&[&text]);
        assert_eq!((listener.checker.counts.deliveries, listener.checker.counts.with_id), (1, 1));
        assert_eq!((&listener.echoed[..], listener.bytes), (&[0][..], text.len() as u64 + 4));
        assert!((listener.latencies.quantiles().unwrap().max - 600.0 / 1e6).abs() < 1e-6);
    }

    #[test]
    fn what_has_come_from_another_node_is_timed_apart() {
        let mut listener = Listener::new(Protocol::Socketio, Checker::new(RUN, 5, 1), SIZE, 2);
        let text = message(0, &padding(SIZE));
        for (receiver, now) in [(0, 500), (1, 700), (2, 600), (3, 900)] {
            listener.text(receiver, text.as_bytes(), text.len() + 4, now);
        }
        let longest = |latencies: &Latencies| latencies.quantiles().map(|all| (all.count, all.max * 1e6));
        let [all, within, across] = [&listener.latencies, &listener.within, &listener.across].map(longest);
        assert_eq!((all, within, across), (Some((4, 500.0)), Some((2, 200.0)), Some((2, 500.0))));
        assert_eq!(heard(&[&text]).within.quantiles(), None, "of one node there is nothing to tell apart");
    }

    #[test]
    fn what_is_no_message_is_told_apart() {
        let listener = heard(&[
            "42[\"user_joined\",{}]",
            "42[\"error\",{\"code\":\"busy\"}]",
            "42[\"new_message\",{\"content\":\"somebody else's\"}]",
            &message(0, "not as it was sent"),
        ]);
        assert_eq!((listener.others, listener.refused, listener.checker.counts.corrupt), (2, 1, 1));
        assert_eq!(listener.first_refusal.as_deref(), Some("42[\"error\",{\"code\":\"busy\"}]"));
        assert_eq!(listener.checker.counts.deliveries, 0);
    }

    #[test]
    fn an_id_is_read_where_the_lobby_has_it() {
        assert_eq!(id_in(br#"{"id":123,"x":1}"#), Some(123));
        for other in [&b"{\"id\":\"a\"}"[..], b"{}", b"{\"id\":", b"{\"id\":1"] {
            assert_eq!(id_in(other), None);
        }
    }
}
