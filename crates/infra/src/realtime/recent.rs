//! The last messages, ready to be sent.
//!
//! Most of those who come back have missed little. What they missed is here, mostly encoded already, and so is what is said while
//! others read what they missed from the log: this is the queue in which the live feed waits for them, one for all.

use std::collections::VecDeque;

use super::encode::Encoded;

/// Messages that are kept: what a busy lobby says in some seconds.
const MESSAGES: usize = 1_024;
/// Bytes that are kept, for messages that are long.
const BYTES: usize = 4 << 20;

/// The last messages that were let out, without a gap.
#[derive(Debug, Default)]
pub(super) struct Recent {
    messages: VecDeque<Encoded>,
    bytes: usize,
}

impl Recent {
    /// Adds the next message, and forgets the oldest.
    pub(super) fn push(&mut self, message: &Encoded) {
        self.bytes += message.weight();
        self.messages.push_back(message.clone());
        while self.messages.len() > MESSAGES || self.bytes > BYTES {
            let Some(oldest) = self.messages.pop_front() else { return };
            self.bytes -= oldest.weight();
        }
    }

    /// What follows `position` in a log that has come to `last`: about `most_bytes` of it, the last id among it, and
    /// whether that is all. `None` if it is not kept any more.
    pub(super) fn after(
        &self,
        position: i64,
        last: i64,
        most_bytes: usize,
    ) -> Option<(Vec<Encoded>, i64, bool)> {
        if position >= last {
            return Some((Vec::new(), position, true));
        }
        let first = self.messages.front()?.id;
        let skip = usize::try_from(position + 1 - first).ok()?;
        let mut bytes = 0;
        let fits = |message: &&Encoded| {
            let had = bytes;
            bytes += message.weight();
            had < most_bytes
        };
        let messages: Vec<_> = self.messages.iter().skip(skip).take_while(fits).cloned().collect();
        let end = messages.last()?.id;
        Some((messages, end, end == last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: i64, text: &str) -> Encoded {
        let mut message = Encoded::new("new_message", &text);
        message.id = id;
        message
    }

    fn ids(recent: &Recent, position: i64, last: i64, most: usize) -> Option<(Vec<i64>, i64, bool)> {
        let (messages, end, is_all) = recent.after(position, last, most)?;
        Some((messages.iter().map(|message| message.id).collect(), end, is_all))
    }

    #[test]
    fn what_follows_is_given_while_it_is_kept() {
        let mut recent = Recent::default();
        assert_eq!(ids(&recent, 9, 9, 1_000), Some((vec![], 9, true)));
        assert_eq!(ids(&recent, 8, 9, 1_000), None);
        (10..=12).for_each(|id| recent.push(&message(id, "x")));
        assert_eq!(ids(&recent, 9, 12, 1_000), Some((vec![10, 11, 12], 12, true)));
        assert_eq!(ids(&recent, 11, 12, 1_000), Some((vec![12], 12, true)));
        assert_eq!(ids(&recent, 12, 12, 1_000), Some((vec![], 12, true)));
        assert_eq!(ids(&recent, 15, 12, 1_000), Some((vec![], 15, true)), "ahead of this node");
        assert_eq!(ids(&recent, 8, 12, 1_000), None);
        assert_eq!(ids(&recent, 9, 12, 1), Some((vec![10], 10, false)), "one at least");
    }

    #[test]
    fn old_messages_are_forgotten_by_number_and_by_bytes() {
        let mut recent = Recent::default();
        (1..=2_000).for_each(|id| recent.push(&message(id, "x")));
        assert_eq!(recent.messages.len(), MESSAGES);
        assert_eq!(ids(&recent, 2_000 - 1_025, 2_000, 1), None);
        let long = "x".repeat(100_000);
        (2_001..=2_100).for_each(|id| recent.push(&message(id, &long)));
        assert!(recent.bytes <= BYTES && recent.messages.len() > 5, "{}", recent.messages.len());
        assert_eq!(recent.bytes, recent.messages.iter().map(Encoded::weight).sum::<usize>());
    }
}
