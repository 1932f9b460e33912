use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use super::app;
use super::door::{Door, WAYS, sessions};
use super::tab::{Seen, Tab};
use crate::harness::{LoggedIn, Random, becomes_so};
use crate::roster::{List, lists, without_dashes};

const PEOPLE: usize = 20;
const STEPS: usize = 40;

/// One who comes and goes, with what all tabs have seen until they were gone.
struct Person {
    door: Door,
    name: String,
    session: LoggedIn,
    tabs: Vec<(bool, Tab)>,
    seen: Vec<(bool, Seen)>,
    random: Random,
}

impl Person {
    async fn come(door: Door, n: usize, random: Random) -> Self {
        let name = format!("name-{n}");
        let session = door.log_in(&name).await;
        Self { door, name, session, tabs: Vec::new(), seen: Vec::new(), random }
    }

    async fn come_and_go(mut self) -> Self {
        for _ in 0..STEPS {
            match self.random.within(0..8) {
                0 => self.log_out().await,
                1..4 => self.open().await,
                _ => self.close().await,
            }
            sleep(self.random.milliseconds(0..150)).await;
        }
        self.open().await;
        self
    }

    async fn open(&mut self) {
        let in_batches = self.random.within(0..2) == 0;
        let data = json!({"token": self.session.token, "batch": in_batches});
        let way = *self.random.one_of(&WAYS);
        self.tabs.push((in_batches, Tab::open(&self.door, way, &data).await));
    }

    /// In good order, or not.
    async fn close(&mut self) {
        if self.tabs.is_empty() {
            return;
        }
        let (in_batches, tab) = self.tabs.swap_remove(self.random.index(self.tabs.len()));
        self.seen.push((in_batches, tab.seen()));
        if self.random.within(0..2) == 0 {
            tab.close().await;
        }
    }

    async fn log_out(&mut self) {
        // One that ran out is brought back, to end for good.
        self.door.log_out(&self.name, &self.session).await;
        for (_, tab) in &mut self.tabs {
            tab.ended().await;
        }
        self.tabs.clear();
        self.session = self.door.log_in(&self.name).await;
    }
}

/// At its first moment a list is always that of its revision; later, where changes are told one by one, only at some.
fn assert_right(lists: &BTreeMap<i64, List>, in_batches: bool, seen: &Seen) {
    let certain = if in_batches { seen.lists.len() } else { 1 };
    for (revision, list) in &seen.lists[..certain] {
        assert_eq!(&without_dashes(list), &lists[revision], "revision {revision}, batches {in_batches}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_and_goes_all_have_the_servers_list_at_any_moment() {
    let settings = [
        ("presence.grace", "150ms"),
        ("presence.snapshot", "1000"),
        ("socketio.ping_interval", "500ms"),
        ("socketio.ping_timeout", "2s"),
    ];
    let app = Arc::new(app(&settings).await);
    let door = Door::from(&*app);
    let mut random = Random::new(Random::any_seed());
    let crowd = (0..PEOPLE).map(|n| {
        let (door, random) = (door.clone(), random.fork());
        tokio::spawn(async move { Person::come(door, n, random).await.come_and_go().await })
    });
    let mut people: Vec<_> =
        join_all(crowd).await.into_iter().map(|person| person.expect("no fault")).collect();
    let gone = people.split_off(PEOPLE / 2);
    let stay = sessions(people.iter().map(|person| &person.session));
    let seen: Vec<_> = gone.into_iter().flat_map(|person| person.seen).collect();
    becomes_so("all who are gone to leave", async || door.roster().await.sessions == stay).await;

    let end = door.roster().await;
    let all_told =
        || people.iter().flat_map(|person| &person.tabs).all(|(_, tab)| tab.seen().revision == end.revision);
    becomes_so("all to be told", async || all_told()).await;
    let lists = lists(&app).await;
    assert!(lists.len() > 2 * PEOPLE, "{}", lists.len());
    for (in_batches, tab) in people.iter().flat_map(|person| &person.tabs) {
        assert!(tab.is_open());
        assert_eq!(tab.seen().sessions, stay);
        assert_right(&lists, *in_batches, &tab.seen());
    }
    for (in_batches, seen) in people.iter().flat_map(|person| &person.seen).chain(&seen) {
        assert_right(&lists, *in_batches, seen);
    }
}
