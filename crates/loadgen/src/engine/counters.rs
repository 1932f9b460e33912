//! What is counted, and told in the end.

use std::collections::BTreeMap;

/// Different failures that are told apart.
const MAX_REASONS: usize = 20;

/// What happened on all connections so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Connections that are in.
    pub(crate) present: usize,
    /// Connections on their way in.
    pub(crate) coming: usize,
    /// Failed on their way in.
    pub(crate) failed: usize,
    /// Ended by the server, after they were in.
    pub(crate) cut: usize,
    /// Heartbeats that were answered.
    pub(crate) pongs: u64,
    reasons: BTreeMap<String, u64>,
}

impl Counters {
    /// What ended connections, the most frequent first.
    pub(crate) fn reasons(&self) -> Vec<(String, u64)> {
        let mut reasons: Vec<_> = self.reasons.clone().into_iter().collect();
        reasons.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        reasons
    }

    pub(super) fn note(&mut self, reason: String) {
        let known = self.reasons.len() < MAX_REASONS || self.reasons.contains_key(&reason);
        *self.reasons.entry(if known { reason } else { "others".to_owned() }).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_reason_comes_first_and_too_many_are_not_told_apart() {
        let mut counters = Counters::default();
        for number in 0..MAX_REASONS + 5 {
            counters.note(format!("{number}"));
        }
        counters.note("3".to_owned());
        let reasons = counters.reasons();
        assert_eq!(reasons.len(), MAX_REASONS + 1);
        assert_eq!(reasons[..2], [("others".to_owned(), 5), ("3".to_owned(), 2)]);
    }
}
