//! The lobby is killed again and again while people talk: nothing that was acknowledged is lost, nothing is stored or
//! shown twice, and everybody sees everything, in order.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `LOBBY_CRASH_ROUNDS` | how often it is killed |
//! | `LOBBY_CRASH_SEED` | what chance decides by; the one of a failed test is printed |
//! | `LOBBY_CRASH_DATABASE` | the URL of another database than a new SQLite file |

use std::env;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::checker::{Log, Post, Record, check};
use crate::harness::{Database, PATIENCE, Program, Protocol, Random, Recorder, in_time};

/// How often it is killed where nobody says how often.
const ROUNDS: u32 = 6;
/// How many people talk. One more listens, who is nobody in particular.
const PEOPLE: usize = 20;
/// How long somebody thinks before the next post, in milliseconds.
const THOUGHT: Range<u64> = 0..40;
/// How long the lobby lives, in milliseconds after it was ready.
const LIFE: Range<u64> = 50..400;
/// Or how many acknowledgements somebody gets before it is killed.
const ANSWERS: Range<u64> = 1..8;
/// How many faults are shown of all.
const SHOWN: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_it_is_killed_nothing_is_lost_doubled_or_out_of_order() {
    let database = variable("LOBBY_CRASH_DATABASE").map_or(Database::Sqlite, Database::At);
    crash(database, variable("LOBBY_CRASH_ROUNDS").unwrap_or(ROUNDS)).await;
}

/// Kills a lobby with this database so many times. Ends by itself, whatever happens.
async fn crash(database: Database, rounds: u32) {
    let seed = variable("LOBBY_CRASH_SEED").unwrap_or_else(Random::any_seed);
    tell(&format!("LOBBY_CRASH_SEED={seed}"));
    let limit = Duration::from_mins(1) + rounds * Duration::from_secs(5);
    let (log, records) =
        timeout(limit, talk_and_kill(database, rounds, seed)).await.expect("it ends in time");
    tell(&summary(&log, &records));
    let faults = check(&log, &records);
    let shown: Vec<_> = faults.iter().take(SHOWN).map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{} faults with seed {seed}:\n{}", faults.len(), shown.join("\n"));
}

async fn talk_and_kill(database: Database, rounds: u32, seed: u64) -> (Log, Vec<Record>) {
    let mut random = Random::new(seed);
    let mut program = Program::start(database).await;
    let crowd = Crowd::gather(&program, &mut random).await;
    for _ in 0..rounds {
        crowd.moment(&mut random).await;
        program.kill().await;
        program.start_again().await;
    }
    let outcome = crowd.settle().await;
    program.stop().await;
    outcome
}

/// Everybody who is there.
struct Crowd {
    /// Those who talk, and the listener.
    recorders: Vec<Arc<Recorder>>,
    talks: Vec<JoinHandle<()>>,
    is_over: watch::Sender<bool>,
    /// The last id before anybody said anything.
    beginning: u64,
}

impl Crowd {
    async fn gather(program: &Program, random: &mut Random) -> Self {
        let address = program.address();
        // The database may have been used before, by people whose sessions are not over.
        let prefix = random.within(0..1 << 32);
        let mut recorders = Vec::new();
        for n in 0..PEOPLE {
            let protocol = if n.is_multiple_of(2) { Protocol::Plain } else { Protocol::SocketIo };
            let name = format!("{prefix:x}-{n}");
            recorders.push(Recorder::log_in(&address, protocol, &name, random.fork()).await);
        }
        recorders.push(Recorder::start(&address, Protocol::Plain, "the listener", None, random.fork()));
        join_all(recorders.iter().map(|recorder| recorder.connected(1))).await;
        let beginning = recorders[PEOPLE].progress().position;
        let recorders: Vec<_> = recorders.into_iter().map(Arc::new).collect();
        let (is_over, over) = watch::channel(false);
        let talks = recorders[..PEOPLE].iter().map(|who| {
            tokio::spawn(talk(Arc::clone(who), others(&recorders, who), over.clone(), random.fork()))
        });
        Self { talks: talks.collect(), recorders, is_over, beginning }
    }

    /// Waits for a bad moment: any, or the one at which somebody has just been told that a message is stored.
    async fn moment(&self, random: &mut Random) {
        if *random.one_of(&[true, false]) {
            sleep(random.milliseconds(LIFE)).await;
        } else {
            let somebody = random.one_of(&self.recorders[..PEOPLE]);
            for _ in 0..random.within(ANSWERS) {
                somebody.next_acknowledgement().await;
            }
        }
    }

    /// Waits until all is said, acknowledged and seen; then reads everything.
    async fn settle(self) -> (Log, Vec<Record>) {
        self.is_over.send_replace(true);
        for talk in self.talks {
            in_time("the talk to end", talk).await.expect("nobody has failed");
        }
        join_all(self.recorders.iter().map(|recorder| recorder.settled())).await;
        // Nothing comes after it: who has seen it has seen all, and whatever comes twice has come by then.
        let last = &self.recorders[0];
        last.post(Post::repeatable("the end", "the end")).await;
        last.settled().await;
        let readings = join_all(self.recorders.iter().map(|recorder| recorder.history(self.beginning))).await;
        let log = Log::combined(self.beginning, readings);
        let end = log.last_id();
        // Who does not get there is a fault, which the checker tells best.
        let all = join_all(self.recorders.iter().map(|recorder| recorder.reached(end)));
        let _late = timeout(PATIENCE / 2, all).await;
        let recorders = self
            .recorders
            .into_iter()
            .map(|recorder| Arc::into_inner(recorder).expect("all talks have ended").stop());
        let records = join_all(recorders).await.into_iter();
        (log, records.map(|record| Record { until: Some(end), ..record }).collect())
    }
}

/// The sessions of everybody else who has one.
fn others(recorders: &[Arc<Recorder>], own: &Recorder) -> Vec<String> {
    let sessions = recorders.iter().filter_map(|recorder| recorder.session());
    sessions.filter(|session| own.session() != Some(*session)).map(str::to_owned).collect()
}

/// Says one thing after the other, some of it to one of `others` only, until it is over.
async fn talk(recorder: Arc<Recorder>, others: Vec<String>, over: watch::Receiver<bool>, mut random: Random) {
    for n in 0.. {
        if *over.borrow() {
            return;
        }
        let post = Post::repeatable(&format!("post-{n}"), &format!("number {n}"));
        let is_private = random.within(0..4) == 0;
        recorder.post(if is_private { post.to(random.one_of(&others).as_str()) } else { post }).await;
        sleep(random.milliseconds(THOUGHT)).await;
    }
}

/// Whether the test has tested anything.
fn summary(log: &Log, records: &[Record]) -> String {
    let count = |is_so: fn(&Post) -> bool| {
        records.iter().flat_map(|record| &record.posts).filter(|post| is_so(post)).count()
    };
    let (repeated, stored) = (count(|post| post.sent > 1), count(|post| post.was_stored));
    let connections: usize = records.iter().map(|record| record.segments.len()).sum();
    let messages = log.len();
    format!(
        "{messages} messages, {repeated} sent again, {stored} stored before that, {connections} connections"
    )
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not what it should be")))
}

#[expect(clippy::print_stderr, reason = "that is where a test is explained")]
fn tell(what: &str) {
    eprintln!("{what}");
}
