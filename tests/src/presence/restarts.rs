use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::door::{Door, WAYS, sessions};
use super::program;
use super::tab::{Change, Tab};
use crate::harness::{Connection, Database, LoggedIn, Program, Protocol};

const GRACE: Duration = Duration::from_secs(4);
const LEASE: Duration = Duration::from_secs(1);
const SETTINGS: [(&str, &str); 1] = [("LOBBY_PRESENCE__GRACE", "4s")];

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    InOrder,
}

impl End {
    async fn of(self, program: &mut Program) {
        match self {
            Self::Killed => program.kill().await,
            Self::InOrder => program.stop_for_now().await,
        }
    }

    /// What those have at least who do not come back. A lease that has just been renewed is younger than a third of it.
    fn time_to_come_back(self) -> Duration {
        match self {
            Self::Killed => GRACE + LEASE / 2,
            Self::InOrder => GRACE,
        }
    }
}

/// Logs some people in, each with a tab.
async fn gather(door: &Door, names: &[&str]) -> Vec<(LoggedIn, Tab)> {
    let mut people = Vec::new();
    for (name, way) in names.iter().zip(WAYS.into_iter().cycle()) {
        let who = door.log_in(name).await;
        let tab = door.open(way, &who).await;
        people.push((who, tab));
    }
    people
}

fn who(people: &[(LoggedIn, Tab)]) -> impl Iterator<Item = &LoggedIn> {
    people.iter().map(|(who, _)| who)
}

#[rstest]
#[tokio::test]
async fn after_a_restart_who_comes_back_was_never_gone_and_the_others_leave_once(
    #[values(End::Killed, End::InOrder)] end: End,
) {
    let mut program = program(Database::Sqlite, &SETTINGS).await;
    let door = Door::from(&program);
    let stay = gather(&door, &["Ann", "Ben", "Cem"]).await;
    let go = gather(&door, &["Dan", "Eva", "Finn"]).await;
    let before = door.roster().await;
    assert_eq!(before.revision, 6);

    let ended = Instant::now();
    end.of(&mut program).await;
    program.start_again().await;
    let mut observer = door.observe().await;
    assert_eq!((observer.seen().revision, &observer.seen().sessions), (before.revision, &before.sessions));
    let mut back = Vec::new();
    for ((who, _), way) in stay.iter().zip(WAYS) {
        back.push(door.open(way, who).await);
    }
    assert_eq!(door.roster().await, before);

    for who in who(&go) {
        observer.sees_leave(who).await;
        assert!(ended.elapsed() >= end.time_to_come_back(), "{:?}", ended.elapsed());
    }
    observer.burn_a_candle(&door).await;
    for who in who(&go) {
        assert_eq!(observer.told_of(who), [Change::expired(who)]);
    }
    assert!(who(&stay).all(|who| observer.told_of(who).is_empty()));
    let after = door.roster().await;
    assert_eq!((after.revision, after.sessions), (before.revision + 3 + 2, sessions(who(&stay))));
    assert!(back.iter().all(Tab::is_open));
    observer.close().await;
    program.stop().await;
}

/// Also of those who have time for no more than one request between two kills.
#[tokio::test]
async fn however_often_it_is_killed_nobody_leaves_who_comes_back() {
    let mut program = program(Database::Sqlite, &SETTINGS).await;
    let door = Door::from(&program);
    let mut people = gather(&door, &["Ann", "Ben", "Cem"]).await;
    let before = door.roster().await;
    for _ in 0..4 {
        program.kill().await;
        program.start_again().await;
        for ((who, tab), way) in people.iter_mut().zip(WAYS) {
            *tab = door.open(way, who).await;
        }
    }
    assert_eq!(door.roster().await, before);
    let mut observer = door.observe().await;
    observer.burn_a_candle(&door).await;
    assert_eq!(observer.seen().changes.len(), 2);
    assert!(people.iter().all(|(_, tab)| tab.is_open()));
    program.stop().await;
}

/// A client that does not answer the goodbye can hold up the end of the program for some seconds.
#[tokio::test]
async fn a_stop_that_takes_longer_than_the_grace_ends_nobody() {
    const GRACE: Duration = Duration::from_secs(1);

    let mut program = program(Database::Sqlite, &[("LOBBY_PRESENCE__GRACE", "1s")]).await;
    let door = Door::from(&program);
    let people = gather(&door, &["Ann", "Ben", "Cem"]).await;
    let before = door.roster().await;
    let is_never_read = Connection::connecting_at(door.address, Protocol::Plain, &json!({})).await;
    let stop = Instant::now();
    program.stop_for_now().await;
    assert!(stop.elapsed() > GRACE + 2 * LEASE, "{:?}", stop.elapsed());
    drop(is_never_read);

    program.start_again().await;
    let mut tabs = Vec::new();
    for ((who, _), way) in people.iter().zip(WAYS) {
        tabs.push(door.open(way, who).await);
    }
    assert_eq!(door.roster().await, before);
    program.stop().await;
}

/// Time in which nobody could come back counts for nobody.
#[tokio::test]
async fn while_no_server_is_up_nobodys_time_runs() {
    const AWAY: Duration = Duration::from_millis(3_500);

    let mut program = program(Database::Sqlite, &[("LOBBY_PRESENCE__GRACE", "2s")]).await;
    let door = Door::from(&program);
    let people = gather(&door, &["Ann", "Ben", "Cem"]).await;
    program.kill().await;
    // Longer than their grace and the lease.
    sleep(AWAY).await;
    program.start_again().await;
    let mut tabs = Vec::new();
    for ((who, _), way) in people.iter().zip(WAYS) {
        tabs.push(door.open(way, who).await);
    }
    assert_eq!(door.roster().await.revision, 3);
    door.observe().await.burn_a_candle(&door).await;
    assert_eq!(door.roster().await.revision, 5);
    program.stop().await;
}
