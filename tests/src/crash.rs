//! The lobby is killed again and again while people talk: nothing that was acknowledged is lost, nothing is stored or
//! shown twice, and everybody sees everything, in order.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `LOBBY_CRASH_ROUNDS` | how often it is killed |
//! | `LOBBY_CRASH_POSTGRES_ROUNDS` | the same with PostgreSQL |
//! | `LOBBY_CRASH_SEED` | what chance decides by; the one of a failed test is printed |
//! | `LOBBY_CRASH_DATABASE` | the URL of another database than a new SQLite file |

use std::ops::Range;
use std::time::Duration;

use lobby_testbed::Postgres;
use tokio::time::{sleep, timeout};

use crate::checker::{Log, Post, Record};
use crate::crowd::{Crowd, assert_faultless};
use crate::harness::{Database, Program, Random, tell, variable};

/// How often it is killed where nobody says how often.
const ROUNDS: u32 = 6;
/// The same with PostgreSQL, which is a few milliseconds further away.
const POSTGRES_ROUNDS: u32 = 3;
/// How many people talk.
const PEOPLE: usize = 20;
/// How long the lobby lives, in milliseconds after it was ready.
const LIFE: Range<u64> = 50..400;
/// Or how many acknowledgements somebody gets before it is killed.
const ANSWERS: Range<u64> = 1..8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_it_is_killed_nothing_is_lost_doubled_or_out_of_order() {
    let database = variable("LOBBY_CRASH_DATABASE").map_or(Database::Sqlite, Database::At);
    crash(database, variable("LOBBY_CRASH_ROUNDS").unwrap_or(ROUNDS)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_it_is_killed_a_server_keeps_everything_too() {
    let server = Postgres::start().await;
    let database = Database::At(server.fresh_database().await);
    crash(database, variable("LOBBY_CRASH_POSTGRES_ROUNDS").unwrap_or(POSTGRES_ROUNDS)).await;
}

/// Kills a lobby with this database so many times. Ends by itself, whatever happens.
async fn crash(database: Database, rounds: u32) {
    let seed = variable("LOBBY_CRASH_SEED").unwrap_or_else(Random::any_seed);
    tell(&format!("LOBBY_CRASH_SEED={seed}"));
    let limit = Duration::from_mins(1) + rounds * Duration::from_secs(5);
    let (log, records) =
        timeout(limit, talk_and_kill(database, rounds, seed)).await.expect("it ends in time");
    tell(&summary(&log, &records));
    assert_faultless(&log, &records, &format!("with seed {seed}"));
}

async fn talk_and_kill(database: Database, rounds: u32, seed: u64) -> (Log, Vec<Record>) {
    let mut random = Random::new(seed);
    let mut program = Program::start(database).await;
    let crowd = Crowd::gather(&[program.address()], PEOPLE, &mut random).await;
    for _ in 0..rounds {
        moment(&crowd, &mut random).await;
        program.kill().await;
        program.start_again().await;
    }
    let outcome = crowd.settle().await;
    program.stop().await;
    outcome
}

/// Waits for a bad moment: any, or the one at which somebody has just been told that a message is stored.
async fn moment(crowd: &Crowd, random: &mut Random) {
    if *random.one_of(&[true, false]) {
        sleep(random.milliseconds(LIFE)).await;
    } else {
        for _ in 0..random.within(ANSWERS) {
            crowd.anybody(random).next_acknowledgement().await;
        }
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
