use std::time::Duration;

use lobby_testbed::Postgres;
use tokio::time::Instant;

use super::door::{Door, Roster, WAYS, Way, sessions};
use super::tab::{Change, Tab};
use super::{app, program};
use crate::harness::{Database, LoggedIn, Program, Received, becomes_so};

const GRACE: Duration = Duration::from_secs(2);
const LEASE: Duration = Duration::from_secs(1);

async fn database() -> (Postgres, String) {
    let server = Postgres::start().await;
    let url = server.fresh_database().await;
    (server, url)
}

/// A node that can be killed.
async fn node(url: &str, settings: &[(&'static str, &str)]) -> Program {
    program(Database::At(url.to_owned()), settings).await
}

async fn log_in_all<const N: usize>(door: &Door, names: [&str; N]) -> Vec<LoggedIn> {
    let mut people = Vec::new();
    for name in names {
        people.push(door.log_in(name).await);
    }
    people
}

async fn open_all(doors: &[&Door], people: &[LoggedIn]) -> Vec<Tab> {
    let mut tabs = Vec::new();
    for (n, who) in people.iter().enumerate() {
        tabs.push(doors[n % doors.len()].open(WAYS[n % WAYS.len()], who).await);
    }
    tabs
}

#[tokio::test]
async fn who_is_connected_to_two_servers_counts_once() {
    let (_server, url) = database().await;
    let settings = [("database.url", url.as_str()), ("presence.grace", "2s")];
    let apps = [app(&settings).await, app(&settings).await];
    let [here, there] = apps.each_ref().map(Door::from);
    let mut observers = [here.observe().await, there.observe().await];
    let zoe = here.log_in("Zoë").await;
    let at_both = [here.open(Way::Plain, &zoe).await, there.open(Way::Polling, &zoe).await];
    let moved = there.open(Way::SocketIo, &zoe).await;
    let [first, last] = at_both;
    first.close().await;
    moved.close().await;
    observers[1].burn_a_candle(&here).await;
    assert!(last.is_open());
    for observer in &mut observers {
        observer.sees("the candle to go", |seen| seen.revision == 3).await;
        assert_eq!(observer.told_of(&zoe), [Change::joined(&zoe)]);
    }

    let closed = Instant::now();
    last.close().await;
    for observer in &mut observers {
        observer.sees_leave(&zoe).await;
        assert!(closed.elapsed() >= GRACE, "{:?}", closed.elapsed());
    }
    observers[0].burn_a_candle(&there).await;
    assert_eq!(observers[0].told_of(&zoe), [Change::joined(&zoe), Change::expired(&zoe)]);
    assert_eq!(here.roster().await.revision, 6);
}

#[tokio::test]
async fn of_one_of_three_servers_that_is_killed_those_who_go_to_another_were_never_gone_and_the_rest_leaves_once()
 {
    let (_server, url) = database().await;
    let mut killed = node(&url, &[("LOBBY_PRESENCE__GRACE", "2s")]).await;
    let settings = [("database.url", url.as_str()), ("presence.grace", "2s")];
    let apps = [app(&settings).await, app(&settings).await];
    let doors = apps.each_ref().map(Door::from);
    let door = Door::from(&killed);
    let stay = log_in_all(&door, ["Ann", "Ben", "Cem"]).await;
    let go = log_in_all(&door, ["Dan", "Eva", "Finn", "Gül"]).await;
    let _tabs = [open_all(&[&door], &stay).await, open_all(&[&door], &go).await];
    let mut observers = [doors[0].observe().await, doors[1].observe().await];

    let end = Instant::now();
    killed.kill().await;
    let tabs = open_all(&[&doors[0], &doors[1]], &stay).await;
    for who in &go {
        for observer in &mut observers {
            observer.sees_leave(who).await;
        }
        // A lease that has just been renewed is younger than a third of it.
        assert!(end.elapsed() >= LEASE / 2 + GRACE, "{:?}", end.elapsed());
    }
    observers[0].burn_a_candle(&doors[1]).await;
    observers[1].sees("the candle to go", |seen| seen.revision == 7 + 4 + 2).await;
    observers[0].sees("the same", |seen| seen.revision == 7 + 4 + 2).await;
    for observer in &observers {
        assert!(go.iter().all(|who| observer.times_expired(who) == 1));
        assert!(stay.iter().all(|who| observer.times_expired(who) == 0), "{:?}", observer.seen().changes);
        assert_eq!(observer.seen().sessions, sessions(&stay));
    }
    assert!(tabs.iter().all(Tab::is_open));
    killed.start_again().await;
    let all = Roster { revision: 7 + 4 + 2, sessions: sessions(&stay) };
    for door in [&doors[0], &doors[1], &door] {
        assert_eq!(door.roster().await, all);
    }
    let late = door.observe().await.seen();
    assert_eq!((late.revision, late.sessions), (all.revision, all.sessions));
    killed.stop().await;
}

/// It says itself that all are gone: nobody waits for its lease.
#[tokio::test]
async fn of_a_server_that_stops_in_order_those_who_stay_away_have_their_grace_only() {
    let (server, url) = database().await;
    let settings = [("database.url", url.as_str()), ("presence.grace", "2s")];
    let (stops, stays) = (app(&settings).await, app(&settings).await);
    let (door, other) = (Door::from(&stops), Door::from(&stays));
    let people = log_in_all(&door, ["Ann", "Ben", "Cem", "Dan"]).await;
    let _tabs = open_all(&[&door], &people).await;
    let mut observer = other.observe().await;
    let stop = Instant::now();
    stops.stop().await;
    let known =
        server.psql("fresh_0", "SELECT (SELECT count(*) FROM nodes), (SELECT count(*) FROM attendance)");
    assert_eq!(known.await, "1|0", "the one that is left, which serves nobody");
    let back = other.open(Way::Plain, &people[0]).await;
    for who in &people[1..] {
        observer.sees_leave(who).await;
    }
    assert!(stop.elapsed() >= GRACE, "{:?}", stop.elapsed());
    assert_eq!(observer.times_expired(&people[0]), 0);
    assert!(back.is_open());
}

#[tokio::test]
async fn nobody_is_told_of_a_restart_of_one_server_after_the_other() {
    let (_server, url) = database().await;
    let settings = [("LOBBY_PRESENCE__GRACE", "4s")];
    let mut nodes = [node(&url, &settings).await, node(&url, &settings).await];
    let doors = nodes.each_ref().map(Door::from);
    let people = log_in_all(&doors[0], ["Ann", "Ben", "Cem", "Dan", "Eva", "Finn"]).await;
    let mut tabs = open_all(&[&doors[0], &doors[1]], &people).await;
    let before = doors[0].roster().await;
    for stopping in [0, 1] {
        nodes[stopping].stop_for_now().await;
        tabs = open_all(&[&doors[1 - stopping]], &people).await;
        nodes[stopping].start_again().await;
    }
    assert_eq!(doors[1].roster().await, before);
    let mut observer = doors[0].observe().await;
    observer.burn_a_candle(&doors[1]).await;
    assert_eq!(observer.seen().changes.len(), 2, "{:?}", observer.seen().changes);
    assert!(tabs.iter().all(Tab::is_open));
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_server_that_stood_still_for_long_has_lost_its_people_once_and_agrees_with_the_others_afterwards() {
    let (_server, url) = database().await;
    let frozen = node(&url, &[("LOBBY_PRESENCE__GRACE", "1s"), ("LOBBY_AUTH__HOLD", "300ms")]).await;
    let settings = [("database.url", url.as_str()), ("presence.grace", "1s"), ("auth.hold", "300ms")];
    let awake = app(&settings).await;
    let doors = [Door::from(&frozen), Door::from(&awake)];
    let people = log_in_all(&doors[0], ["Ann", "Ben", "Cem"]).await;
    let mut tabs = open_all(&[&doors[0]], &people).await;
    let taken = doors[0].log_in("taken").await;
    let mut replaced = doors[0].open(Way::Plain, &taken).await;
    let mut observers = [doors[0].observe().await, doors[1].observe().await];

    frozen.signal("STOP").await;
    for who in people.iter().chain([&taken]) {
        observers[1].sees_leave(who).await;
    }
    observers[1].burn_a_candle(&doors[1]).await;
    assert_eq!(doors[1].roster().await.sessions, sessions([]));
    becomes_so("the name to be free", async || doors[1].try_log_in("taken", true).await.is_ok()).await;
    frozen.signal("CONT").await;

    assert_eq!(replaced.ended().await, Received::Closed(4401, "session_over".to_owned()));
    agree(&doors, &observers).await;
    becomes_so("tabs and list to fit", async || {
        let online = doors[0].roster().await.sessions;
        tabs.iter().zip(&people).all(|(tab, who)| tab.is_open() == online.contains(&who.session))
    })
    .await;
    for (who, tab) in people.iter().zip(&mut tabs) {
        if !tab.is_open() {
            *tab = doors[0].open(Way::SocketIo, who).await;
        }
    }
    observers[1].burn_a_candle(&doors[0]).await;
    agree(&doors, &observers).await;
    assert!(tabs.iter().all(Tab::is_open));
    assert!(doors[1].roster().await.sessions.is_superset(&sessions(&people)));
    assert_eq!(observers[1].times_expired(&taken), 1);
    frozen.stop().await;
}

/// What all are told comes to be one list.
async fn agree(doors: &[Door; 2], observers: &[Tab; 2]) {
    becomes_so("all to agree", async || {
        let rosters = [doors[0].roster().await, doors[1].roster().await];
        let told = |n: usize| {
            let seen = observers[n].seen();
            seen.revision == rosters[n].revision && seen.sessions == rosters[n].sessions
        };
        rosters[0] == rosters[1] && told(0) && told(1)
    })
    .await;
}
