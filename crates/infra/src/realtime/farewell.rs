//! How connections are told that their node goes away.
//!
//! Not all at once: whoever is told comes back, at another node or at this one when it is up again, and a crowd that comes back in one moment
//! waits for itself. And nobody before what they have asked for is answered: what was committed is acknowledged too.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::hub::Ticket;
use super::shard::{Member, Shard};
use crate::clock::random_number;

/// Between two batches, on average.
const PAUSE: Duration = Duration::from_millis(20);

/// A lobby of a few is told at once.
const LEAST: usize = 25;

/// Held by all who still have somebody to tell. Nothing is ever sent.
pub(super) type Telling = mpsc::Sender<Infallible>;

/// What shards are told when the node goes away.
#[derive(Clone)]
pub(super) struct Farewell {
    /// How long it may take to tell everybody, but for those who wait for an answer.
    pub(super) within: Duration,
    pub(super) telling: Telling,
}

/// Something that a connection has asked for, until it is dropped, which is when it has been answered.
pub(super) struct UnderWay {
    shard: Rc<Shard>,
    ticket: Ticket,
}

impl Shard {
    /// Tells all who are here by now. Whoever comes later is told when they come.
    pub(super) async fn say_goodbye(self: Rc<Self>, farewell: Farewell) {
        let here = self.tickets();
        let size = batch_size(here.len(), farewell.within);
        for (number, batch) in here.chunks(size).enumerate() {
            if number > 0 {
                sleep(jittered(PAUSE)).await;
            }
            for ticket in batch {
                self.with(*ticket, |member| member.leave(&farewell.telling));
            }
        }
    }

    /// Notes that a connection has asked for something. `None` if it has been told to go: what it still sends is not read.
    pub(super) fn begin(self: &Rc<Self>, ticket: Ticket) -> Option<UnderWay> {
        let begun = self.with(ticket, Member::begin)?;
        begun.then(|| UnderWay { shard: self.clone(), ticket })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.shard.with(self.ticket, Member::answered);
    }
}

/// As many at once as it takes to be through in time.
fn batch_size(members: usize, within: Duration) -> usize {
    let batches = (within.as_millis() / PAUSE.as_millis()).max(1);
    members.div_ceil(usize::try_from(batches).unwrap_or(usize::MAX)).max(LEAST)
}

/// Between half of it and half as much again.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + f64::from(random_number()) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_told_at_once_and_a_crowd_in_as_many_batches_as_there_is_time_for() {
        let within = Duration::from_secs(2);
        for (members, size) in [(0, LEAST), (1, LEAST), (2_500, LEAST), (2_501, 26), (50_000, 500)] {
            assert_eq!(batch_size(members, within), size, "{members}");
        }
        assert_eq!(batch_size(1_000, Duration::from_millis(1)), 1_000);
    }

    #[test]
    fn pauses_are_not_all_the_same() {
        let pauses: Vec<_> = (0..100).map(|_| jittered(PAUSE)).collect();
        assert!(pauses.iter().all(|pause| (PAUSE / 2..=PAUSE * 3 / 2).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
