//! Whether every receiver got every message once and in order: a state machine fed with deliveries.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::stamp::Stamp;

/// Messages that may be missing at the same time and are still told apart from doubled ones when they come late.
const MAX_MISSING: usize = 1 << 20;

/// The most receivers times senders: a number is kept for each.
pub(crate) const MAX_PAIRS: usize = 1 << 28;

/// What came, and what was wrong with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Messages of this run that came, doubled ones too.
    pub(crate) deliveries: u64,
    /// That came again.
    pub(crate) doubled: u64,
    /// That came after a later one of the same sender.
    pub(crate) reordered: u64,
    /// Whose id, where messages have one, is not above that of the receiver's previous message.
    pub(crate) ids_out_of_order: u64,
    /// Deliveries that had an id.
    pub(crate) with_id: u64,
    /// Whose stamp or content is not as it was sent.
    pub(crate) corrupt: u64,
    /// Of another run of this program; nothing is wrong with that.
    pub(crate) foreign: u64,
}

impl Counts {
    /// Expected and never come.
    pub(crate) fn lost(&self, expected: u64) -> u64 {
        expected.saturating_sub(self.deliveries - self.doubled)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.doubled == 0 && self.reordered == 0 && self.ids_out_of_order == 0 && self.corrupt == 0
    }
}

#[derive(Debug)]
pub(crate) struct Checker {
    run: u32,
    senders: usize,
    pub(crate) counts: Counts,
    /// The next sequence number for each receiver and sender.
    next: Vec<u32>,
    /// The last id for each receiver.
    last_id: Vec<u64>,
    /// Left out so far, by place in `next` and sequence number.
    missing: HashSet<(usize, u32)>,
}

impl Checker {
    pub(crate) fn new(run: u32, receivers: usize, senders: usize) -> Self {
        Self {
            run,
            senders,
            counts: Counts::default(),
            next: vec![0; receivers * senders],
            last_id: vec![0; receivers],
            missing: HashSet::new(),
        }
    }

    /// Takes a delivery; says whether it is one of this run, and the first of its kind.
    #[inline]
    pub(crate) fn deliver(&mut self, receiver: usize, stamp: &Stamp, id: Option<u64>) -> bool {
        if stamp.run != self.run {
            self.counts.foreign += 1;
            return false;
        }
        if stamp.sender as usize >= self.senders {
            self.counts.corrupt += 1;
            return false;
        }
        self.counts.deliveries += 1;
        if let Some(id) = id {
            self.check_id(receiver, id);
        }
        self.check_sequence(receiver * self.senders + stamp.sender as usize, stamp.sequence)
    }

    fn check_id(&mut self, receiver: usize, id: u64) {
        self.counts.with_id += 1;
        if id <= self.last_id[receiver] {
            self.counts.ids_out_of_order += 1;
        }
        self.last_id[receiver] = id;
    }

    #[inline]
    fn check_sequence(&mut self, place: usize, sequence: u32) -> bool {
        let next = &mut self.next[place];
        if sequence == *next {
            *next += 1;
            return true;
        }
        if sequence > *next {
            let room = MAX_MISSING.saturating_sub(self.missing.len());
            self.missing.extend((*next..sequence).take(room).map(|missing| (place, missing)));
            *next = sequence.saturating_add(1);
            return true;
        }
        if self.missing.remove(&(place, sequence)) {
            self.counts.reordered += 1;
            return true;
        }
        self.counts.doubled += 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RUN: u32 = 7;

    fn heard(sequences: &[u32]) -> Counts {
        let mut checker = Checker::new(RUN, 2, 3);
        for sequence in sequences {
            checker.deliver(1, &Stamp { run: RUN, sender: 2, sequence: *sequence, time: 0 }, None);
        }
        checker.counts
    }

    #[test]
    fn what_never_comes_is_lost() {
        let counts = heard(&[0, 1, 3]);
        assert_eq!((counts.lost(4), counts.doubled, counts.reordered), (1, 0, 0));
        assert_eq!(heard(&[0, 1, 2]).lost(4), 1, "at the end too");
    }

    #[test]
    fn what_comes_twice_is_doubled_and_makes_up_for_nothing() {
        let counts = heard(&[0, 1, 1, 3, 3]);
        assert_eq!((counts.lost(4), counts.doubled, counts.reordered), (1, 2, 0));
    }

    #[test]
    fn what_comes_late_is_reordered_and_not_lost() {
        let counts = heard(&[0, 2, 1, 3]);
        assert_eq!((counts.lost(4), counts.doubled, counts.reordered), (0, 0, 1));
    }

    #[test]
    fn receivers_and_senders_are_told_apart() {
        let mut checker = Checker::new(RUN, 2, 2);
        for (receiver, sender) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(checker.deliver(receiver, &Stamp { run: RUN, sender, sequence: 0, time: 0 }, None));
        }
        assert!(checker.counts.is_clean());
        assert_eq!(checker.counts.lost(4), 0);
    }

    #[test]
    fn ids_have_to_rise_at_each_receiver() {
        let mut checker = Checker::new(RUN, 2, 1);
        for (receiver, sequence, id) in [(0, 0, 5), (1, 0, 5), (0, 1, 4), (1, 1, 9)] {
            checker.deliver(receiver, &Stamp { run: RUN, sender: 0, sequence, time: 0 }, Some(id));
        }
        assert_eq!((checker.counts.ids_out_of_order, checker.counts.with_id), (1, 4));
    }

    #[test]
    fn another_run_is_none_of_ours_and_a_sender_that_is_none_is_corrupt() {
        let mut checker = Checker::new(RUN, 1, 1);
        assert!(!checker.deliver(0, &Stamp { run: RUN + 1, sender: 0, sequence: 0, time: 0 }, None));
        assert!(!checker.deliver(0, &Stamp { run: RUN, sender: 1, sequence: 0, time: 0 }, None));
        assert_eq!((checker.counts.foreign, checker.counts.corrupt, checker.counts.deliveries), (1, 1, 0));
    }

    proptest! {
        /// Whatever happens on the way, it is found out how much of it was lost and how much doubled.
        #[test]
        fn losses_and_doubles_are_counted_in_any_order(
            times in prop::collection::vec(0_usize..3, 1..50), seed in any::<prop::sample::Index>(), swaps in 0_usize..5,
        ) {
            let mut heard_ones: Vec<u32> =
                times.iter().enumerate().flat_map(|(n, times)| vec![u32::try_from(n).unwrap(); *times]).collect();
            for n in 0..swaps.min(heard_ones.len()) {
                let other = seed.index(heard_ones.len());
                heard_ones.swap(n, other);
            }
            let counts = heard(&heard_ones);
            prop_assert_eq!(counts.lost(times.len() as u64), times.iter().filter(|n| **n == 0).count() as u64);
            prop_assert_eq!(counts.doubled, times.iter().filter(|n| **n == 2).count() as u64);
        }
    }
}
