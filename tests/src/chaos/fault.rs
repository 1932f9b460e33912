use std::ops::Range;
use std::time::Duration;

use tokio::time::sleep;

use super::site::{NODES, Site};
use crate::harness::Random;

/// How long what is killed stays away, in milliseconds.
const AWAY: Range<u64> = 100..3_000;
/// How long a node is cut off.
const CUT_OFF: Range<u64> = 1_000..6_000;
/// How long there is peace in between.
const PEACE: Range<u64> = 200..3_000;
/// How wrong a wall clock is, and whether it is right again after that.
const WRONG: [&str; 3] = ["+3600", "-3600", "+0"];

/// What goes wrong, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NodeKilled(usize, Duration),
    NodeFrozen(usize, Duration),
    RedisKilled(Duration),
    RedisCutOff(usize, Duration),
    /// `true`: like a crash.
    PostgresRestarted(bool, Duration),
    ClockWrong(usize, &'static str),
}

/// How many kinds there are.
const KINDS: usize = 6;

/// One fault after the other: first each kind once, in any order, then whatever comes.
pub(super) struct Faults {
    random: Random,
    /// How long a node stands still.
    freeze: Duration,
    once: Vec<usize>,
}

impl Faults {
    pub(super) fn new(mut random: Random, freeze: Duration) -> Self {
        let mut left: Vec<_> = (0..KINDS).collect();
        let once = (0..KINDS).map(|_| left.swap_remove(random.index(left.len()))).collect();
        Self { random, freeze, once }
    }

    /// Whether each kind has come.
    pub(super) fn had_all(&self) -> bool {
        self.once.is_empty()
    }

    pub(super) fn next(&mut self) -> Fault {
        let kind = self.once.pop().unwrap_or_else(|| self.random.index(KINDS));
        let random = &mut self.random;
        let node = random.index(NODES);
        match kind {
            0 => Fault::NodeKilled(node, random.milliseconds(AWAY)),
            1 => Fault::NodeFrozen(node, self.freeze),
            2 => Fault::RedisKilled(random.milliseconds(AWAY)),
            3 => Fault::RedisCutOff(node, random.milliseconds(CUT_OFF)),
            4 => Fault::PostgresRestarted(*random.one_of(&[true, false]), random.milliseconds(AWAY)),
            _ => Fault::ClockWrong(node, random.one_of::<&str>(&WRONG)),
        }
    }

    /// How long nothing happens.
    pub(super) fn peace(&mut self) -> Duration {
        self.random.milliseconds(PEACE)
    }
}

impl Fault {
    /// Does it, and mends it again.
    pub(super) async fn happen(self, site: &mut Site) {
        match self {
            Self::NodeKilled(node, away) => {
                let program = &mut site.nodes[node].program;
                program.kill().await;
                sleep(away).await;
                program.start_again().await;
            }
            Self::NodeFrozen(node, time) => {
                let program = &site.nodes[node].program;
                program.signal("STOP").await;
                sleep(time).await;
                program.signal("CONT").await;
            }
            Self::RedisKilled(away) => {
                site.redis.kill().await;
                sleep(away).await;
                site.redis.start_again().await;
            }
            Self::RedisCutOff(node, time) => {
                let bus = &site.nodes[node].bus;
                bus.stall();
                sleep(time).await;
                bus.pass();
            }
            Self::PostgresRestarted(like_a_crash, away) => {
                if like_a_crash {
                    site.postgres.kill().await;
                } else {
                    site.postgres.stop().await;
                }
                sleep(away).await;
                site.postgres.start_again().await;
            }
            Self::ClockWrong(node, offset) => site.nodes[node].clock.jump(offset),
        }
    }

    /// Whether clients lose their connections by it.
    pub(super) fn cuts(self) -> bool {
        matches!(self, Self::NodeKilled(..) | Self::NodeFrozen(..))
    }

    /// Whether nobody can be let in, or end, meanwhile.
    pub(super) fn is_of_the_database(self) -> bool {
        matches!(self, Self::PostgresRestarted(..))
    }
}
