use std::ops::Range;
use std::time::Duration;

use lobby_testbed::{Postgres, Redis};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::site::{NODES, Node, Site};
use crate::harness::Random;

/// How long what is killed stays away, in milliseconds.
const AWAY: Range<u64> = 100..3_000;
/// How long a node is cut off.
const CUT_OFF: Range<u64> = 1_000..6_000;
/// How long there is peace in between.
const PEACE: Range<u64> = 200..3_000;
/// How wrong a wall clock is: as at first, or by an hour.
const CLOCKS: [&str; 3] = [RIGHT, "+3600", "-3600"];
const RIGHT: &str = "+0";

/// What goes wrong, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NodeKilled(usize, Duration),
    NodeFrozen(usize, Duration),
    RedisKilled(Duration),
    RedisCutOff(usize, Duration),
    /// `true`: like a crash.
    PostgresRestarted(bool, Duration),
    ClockJumps(usize, &'static str),
}

/// How many kinds of trouble there are: one fault of each kind, or two at a time.
const KINDS: usize = 7;

/// One trouble after the other: first each kind once, in any order, then whatever comes.
pub(super) struct Faults {
    random: Random,
    /// How long a node stands still.
    freeze: Duration,
    once: Vec<usize>,
    /// What the clock of each node shows.
    clocks: [&'static str; NODES],
}

/// One fault, or two of what does not depend on each other, and whether it is the first of its kind.
pub(super) struct Trouble {
    pub(super) faults: Vec<Fault>,
    pub(super) is_first: bool,
}

impl Faults {
    pub(super) fn new(mut random: Random, freeze: Duration) -> Self {
        let mut left: Vec<_> = (0..KINDS).collect();
        let once = (0..KINDS).map(|_| left.swap_remove(random.index(left.len()))).collect();
        Self { random, freeze, once, clocks: [RIGHT; NODES] }
    }

    /// Whether each kind has come.
    pub(super) fn had_all(&self) -> bool {
        self.once.is_empty()
    }

    pub(super) fn next(&mut self) -> Trouble {
        let first = self.once.pop();
        let kind = first.unwrap_or_else(|| self.random.index(KINDS));
        let faults = match kind {
            0 => vec![self.node_killed()],
            1 => vec![self.node_frozen()],
            2 => vec![self.redis_killed()],
            3 => vec![self.redis_cut_off()],
            4 => vec![self.postgres_restarted()],
            5 => vec![self.clock_jumps()],
            _ => self.two(),
        };
        Trouble { faults, is_first: first.is_some() }
    }

    /// Of a node, and of what all nodes need.
    fn two(&mut self) -> Vec<Fault> {
        let of_a_node = if self.flip() { self.node_killed() } else { self.node_frozen() };
        vec![of_a_node, if self.flip() { self.redis_killed() } else { self.postgres_restarted() }]
    }

    fn node_killed(&mut self) -> Fault {
        Fault::NodeKilled(self.node(), self.random.milliseconds(AWAY))
    }

    fn node_frozen(&mut self) -> Fault {
        Fault::NodeFrozen(self.node(), self.freeze)
    }

    fn redis_killed(&mut self) -> Fault {
        Fault::RedisKilled(self.random.milliseconds(AWAY))
    }

    fn redis_cut_off(&mut self) -> Fault {
        Fault::RedisCutOff(self.node(), self.random.milliseconds(CUT_OFF))
    }

    fn postgres_restarted(&mut self) -> Fault {
        Fault::PostgresRestarted(self.flip(), self.random.milliseconds(AWAY))
    }

    /// To where it was not before: one that is right becomes wrong by an hour.
    fn clock_jumps(&mut self) -> Fault {
        let node = self.node();
        let others: Vec<_> = CLOCKS.into_iter().filter(|clock| *clock != self.clocks[node]).collect();
        self.clocks[node] = self.random.one_of::<&str>(&others);
        Fault::ClockJumps(node, self.clocks[node])
    }

    fn node(&mut self) -> usize {
        self.random.index(NODES)
    }

    fn flip(&mut self) -> bool {
        *self.random.one_of(&[true, false])
    }

    /// How long nothing happens.
    pub(super) fn peace(&mut self) -> Duration {
        self.random.milliseconds(PEACE)
    }
}

impl Trouble {
    /// All of it happens at the same time, and is mended again. For how long the database was away is added to `away`.
    pub(super) async fn happen(&self, site: &mut Site, away: &watch::Sender<Duration>) {
        let Site { nodes, redis, postgres, .. } = site;
        let to_nodes = async {
            for fault in &self.faults {
                fault.happen_to_a_node(nodes).await;
            }
        };
        let to_redis = async {
            for fault in &self.faults {
                fault.happen_to_redis(redis).await;
            }
        };
        let to_postgres = async {
            for fault in &self.faults {
                let began = Instant::now();
                fault.happen_to_postgres(postgres).await;
                away.send_modify(|away| *away += began.elapsed());
            }
        };
        tokio::join!(to_nodes, to_redis, to_postgres);
    }

    /// Whether clients lose their connections by it.
    pub(super) fn cuts(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::NodeKilled(..) | Fault::NodeFrozen(..)))
    }
}

impl Fault {
    async fn happen_to_a_node(self, nodes: &mut [Node]) {
        match self {
            Self::NodeKilled(node, away) => {
                let program = &mut nodes[node].program;
                program.kill().await;
                sleep(away).await;
                program.start_again().await;
            }
            Self::NodeFrozen(node, time) => {
                let program = &nodes[node].program;
                program.signal("STOP").await;
                sleep(time).await;
                program.signal("CONT").await;
            }
            Self::RedisCutOff(node, time) => {
                let bus = &nodes[node].bus;
                bus.stall();
                sleep(time).await;
                bus.pass();
            }
            Self::ClockJumps(node, offset) => nodes[node].clock.jump(offset),
            Self::RedisKilled(_) | Self::PostgresRestarted(..) => {}
        }
    }

    async fn happen_to_redis(self, redis: &mut Redis) {
        if let Self::RedisKilled(away) = self {
            redis.kill().await;
            sleep(away).await;
            redis.start_again().await;
        }
    }

    /// Nobody can be let in, or end, meanwhile.
    async fn happen_to_postgres(self, postgres: &mut Postgres) {
        if let Self::PostgresRestarted(like_a_crash, away) = self {
            if like_a_crash {
                postgres.kill().await;
            } else {
                postgres.stop().await;
            }
            sleep(away).await;
            postgres.start_again().await;
        }
    }
}
