//! Lets out what happened strictly in order, whatever order it is heard of in.
//!
//! A log numbers its entries without gaps. Whoever hears of new entries hears of them by hints, which may come late,
//! doubled, in another order or not at all. This state machine takes the hints, lets each entry out exactly once and in
//! the order of the numbers, and says when the log has to be asked for one that is missing.
//!
//! Invariant: numbers are let out without a gap, except where the log itself has lost its beginning ([`Released::gap`]).
//! Invariant: no more than [`WINDOW`] entries wait; what does not fit is read from the log when its turn comes.

use std::collections::BTreeMap;
use std::time::Duration;

/// Entries that wait for one that is missing. Reading them from the log costs a page; holding them only saves that.
pub const WINDOW: u16 = 1_024;

/// How long a missing entry may still come by itself: what travels on a bus is there within a few milliseconds.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// How long to wait after a log that could not be read.
pub const RETRY: Duration = Duration::from_secs(1);

/// Puts entries of a log into its order. Times are monotonic, from any beginning.
#[derive(Debug, Clone)]
pub struct Timeline<T> {
    /// The last number that was let out.
    last: i64,
    waiting: BTreeMap<i64, T>,
    /// The highest number that is known to be in the log.
    known: i64,
    /// When to ask the log for what is missing; none while nothing is, or while it is being asked.
    ask_at: Option<Duration>,
    asking: bool,
}

/// What is let out, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released<T> {
    /// Entries, each with its number.
    pub entries: Vec<(i64, T)>,
    /// Whether entries before these are lost for good: the log keeps them no more.
    pub gap: bool,
}

/// What a log answers when it is asked for all that follows a number.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The first number that the log still keeps.
    pub first_kept: i64,
    /// The next entries, in order, without a gap.
    pub entries: Vec<(i64, T)>,
}

impl<T> Default for Released<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), gap: false }
    }
}

impl<T> Timeline<T> {
    /// Begins behind `last`: the next to be let out is the one after it.
    #[must_use]
    pub fn new(last: i64) -> Self {
        Self { last, waiting: BTreeMap::new(), known: last, ask_at: None, asking: false }
    }

    /// The last number that was let out.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Takes hints, in any order, doubled or not.
    pub fn hear(&mut self, hints: impl IntoIterator<Item = (i64, T)>, now: Duration) -> Released<T> {
        let mut entries = Vec::new();
        for (number, entry) in hints {
            self.known = self.known.max(number);
            if number == self.last + 1 {
                self.let_out(entry, &mut entries);
            } else if number > self.last && number <= self.last.saturating_add(WINDOW.into()) {
                self.waiting.entry(number).or_insert(entry);
            }
        }
        self.look_for_gaps(now);
        Released { entries, gap: false }
    }

    /// Takes in how far the log has come.
    pub fn look(&mut self, last_in_log: i64, now: Duration) {
        self.known = self.known.max(last_in_log);
        self.look_for_gaps(now);
    }

    /// The number after which the log has to be asked now, if it has to be. [`Self::answer`] or [`Self::fail`] is owed
    /// then.
    pub fn ask(&mut self, now: Duration) -> Option<i64> {
        if self.ask_at.is_none_or(|at| at > now) {
            return None;
        }
        self.ask_at = None;
        self.asking = true;
        Some(self.last)
    }

    /// When [`Self::ask`] will want something, if it will.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        self.ask_at
    }

    /// Takes what the log answered. What is still missing then is asked for at once.
    pub fn answer(&mut self, answer: Answer<T>, now: Duration) -> Released<T> {
        self.asking = false;
        let gap = answer.first_kept > self.last + 1;
        let mut entries = Vec::new();
        if gap {
            self.last = answer.first_kept - 1;
            self.known = self.known.max(self.last);
            self.waiting = self.waiting.split_off(&answer.first_kept);
            self.let_out_waiting(&mut entries);
        }
        let any = !answer.entries.is_empty();
        for (number, entry) in answer.entries {
            if number == self.last + 1 {
                self.let_out(entry, &mut entries);
            }
        }
        if self.known > self.last {
            // A log that has less than was heard of is behind: a moment later it will have it.
            self.ask_at = Some(if any || gap { now } else { now + PATIENCE });
        }
        Released { entries, gap }
    }

    /// The log could not be read.
    pub fn fail(&mut self, now: Duration) {
        self.asking = false;
        self.ask_at = Some(now + RETRY);
    }

    fn let_out(&mut self, entry: T, entries: &mut Vec<(i64, T)>) {
        self.last += 1;
        self.waiting.remove(&self.last);
        entries.push((self.last, entry));
        self.let_out_waiting(entries);
    }

    fn let_out_waiting(&mut self, entries: &mut Vec<(i64, T)>) {
        while let Some(entry) = self.waiting.remove(&(self.last + 1)) {
            self.last += 1;
            entries.push((self.last, entry));
        }
    }

    fn look_for_gaps(&mut self, now: Duration) {
        if self.known == self.last {
            self.ask_at = None;
        } else if self.ask_at.is_none() && !self.asking {
            self.ask_at = Some(now + PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests;
