//! Who is online: what clients make of what they are told is the server's list, at any moment.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `pages` | `GET /users` a page at a time |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{App, Auth, Connection, Protocol, Random, Received};

mod pages;

/// Somebody who comes last of all and stays.
const LAST: &str = "the-last";

/// The sessions that are online.
pub(crate) type List = BTreeSet<String>;

/// A client that does as the documentation says.
struct Watcher {
    connection: Connection,
    list: List,
    revision: i64,
    /// Each list, and of which revision it was.
    seen: Vec<(i64, List)>,
    has_seen_the_last: bool,
}

impl Watcher {
    async fn enter(app: &App, protocol: Protocol, in_batches: bool) -> Self {
        let (connection, session) =
            Box::pin(Connection::enter_with(app, protocol, &json!({"batch": in_batches}))).await;
        let mut watcher =
            Self { connection, list: List::new(), revision: 0, seen: Vec::new(), has_seen_the_last: false };
        let users = session["users"].as_array().expect("a list");
        assert_eq!(session["users_total"], users.len(), "none is left out");
        for user in users {
            watcher.joined(user);
        }
        watcher.note(&session);
        watcher
    }

    /// Takes in the next event, and is told its name.
    async fn next(&mut self) -> String {
        let Received::Event(name, data) = self.connection.receive().await else { panic!("an event") };
        match name.as_str() {
            "user_joined" => self.joined(&data["user"]),
            "user_left" => self.left(&data),
            "users_changed" => {
                for user in data["left"].as_array().expect("a list") {
                    self.left(user);
                }
                for user in data["joined"].as_array().expect("a list") {
                    self.joined(user);
                }
            }
            other => panic!("nobody says anything, and still there is {other}"),
        }
        self.note(&data);
        name
    }

    async fn watch_to_the_end(&mut self) {
        while !self.has_seen_the_last {
            self.next().await;
        }
    }

    fn joined(&mut self, user: &Value) {
        assert!(self.list.insert(text(&user["session"])), "{user} is there already");
        self.has_seen_the_last |= user["pseudonym"] == LAST;
    }

    fn left(&mut self, user: &Value) {
        assert!(self.list.remove(&text(&user["session"])), "{user} is not there");
    }

    fn note(&mut self, event: &Value) {
        let revision = event["revision"].as_i64().expect("a number");
        assert!(revision > self.revision || self.seen.is_empty(), "revisions only grow");
        self.revision = revision;
        self.seen.push((revision, self.list.clone()));
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The server's list of each revision. Whoever joins was not there, and whoever leaves was.
pub(crate) async fn lists(app: &App) -> BTreeMap<i64, List> {
    let changes = "SELECT revision, joined, lower(hex(session)) FROM roster_changes ORDER BY revision";
    let (mut list, mut lists) = (List::new(), BTreeMap::from([(0, List::new())]));
    for (expected, change) in (1..).zip(app.ask_database(changes).await.as_array().expect("rows")) {
        let session = text(&change[2]);
        let is_a_change = if change[1] == 1 { list.insert(session) } else { list.remove(&session) };
        assert!(is_a_change, "{change}");
        assert_eq!(change[0], expected);
        lists.insert(expected, list.clone());
    }
    lists
}

/// As the database has them.
pub(crate) fn without_dashes(list: &List) -> List {
    list.iter().map(|session| session.replace('-', "")).collect()
}

/// Comes and goes; every fourth time it stays away, or there, for a moment.
async fn come_and_go(app: Arc<App>, name: String, times: usize, mut random: Random) {
    for _ in 0..times {
        app.log_in(&name).await;
        if random.within(0..4) == 0 {
            sleep(random.milliseconds(0..150)).await;
        }
        app.log_out(&name, &[]).await;
        if random.within(0..4) == 0 {
            sleep(random.milliseconds(0..150)).await;
        }
    }
    app.log_in(&name).await;
}

/// Four kinds of clients, of which one after the other comes in while others come and go.
async fn watch(app: Arc<App>, kind: usize, mut random: Random) -> Vec<(bool, Watcher)> {
    const EACH: usize = 4;

    let protocol = if kind.is_multiple_of(2) { Protocol::Plain } else { Protocol::SocketIo };
    let in_batches = kind < 2;
    let mut watchers = Vec::new();
    for _ in 0..EACH {
        let mut watcher = Watcher::enter(&app, protocol, in_batches).await;
        for _ in 0..random.within(0..10) {
            if !watcher.has_seen_the_last {
                watcher.next().await;
            }
        }
        watchers.push((in_batches, watcher));
    }
    join_all(watchers.iter_mut().map(|(_, watcher)| watcher.watch_to_the_end())).await;
    watchers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_client_has_the_servers_list_at_any_moment_whoever_comes_and_goes() {
    const PEOPLE: usize = 12;
    const TIMES: usize = 15;

    let mut random = Random::new(Random::any_seed());
    let app = Arc::new(App::spawn_with(&[("presence.snapshot", "1000")]).await);
    let watching: Vec<_> = (0..4).map(|kind| tokio::spawn(watch(app.clone(), kind, random.fork()))).collect();
    let crowd = (0..PEOPLE)
        .map(|n| tokio::spawn(come_and_go(app.clone(), format!("name-{n}"), TIMES, random.fork())));
    for person in join_all(crowd).await {
        person.expect("nobody has failed");
    }
    app.log_in(LAST).await;
    let watchers: Vec<_> =
        join_all(watching).await.into_iter().flat_map(|watched| watched.expect("no fault")).collect();

    let lists = lists(&app).await;
    assert_eq!(lists.len(), 1 + PEOPLE * (2 * TIMES + 1) + 1);
    let batches: BTreeSet<_> = watchers
        .iter()
        .filter(|(in_batches, _)| *in_batches)
        .flat_map(|(_, watcher)| watcher.seen.iter().map(|(revision, _)| *revision))
        .collect();
    assert!(batches.len() > 10, "{batches:?}");
    for (in_batches, watcher) in &watchers {
        let end = watcher.seen.last().expect("a list");
        assert_eq!(end.0, i64::try_from(lists.len()).expect("a small number") - 1);
        // One by one, the list is that of a revision with the last of those that are told together.
        let is_whole = |revision| *in_batches || batches.contains(&revision);
        for (revision, list) in watcher.seen.iter().filter(|(revision, _)| is_whole(*revision)) {
            assert_eq!(&without_dashes(list), &lists[revision], "revision {revision}, batches {in_batches}");
        }
    }
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn whoever_asks_for_batches_and_whoever_does_not_see_the_same_list(#[case] protocol: Protocol) {
    const PEOPLE: usize = 40;

    let app = App::spawn().await;
    let mut batched = Watcher::enter(&app, protocol, true).await;
    let mut single = Watcher::enter(&app, protocol, false).await;
    for n in 0..PEOPLE {
        app.log_in(&format!("name-{n}")).await;
    }
    for n in (0..PEOPLE).step_by(3) {
        app.log_out(&format!("name-{n}"), &[]).await;
    }
    app.log_in(LAST).await;
    while !batched.has_seen_the_last {
        assert_eq!(batched.next().await, "users_changed");
    }
    while !single.has_seen_the_last {
        assert_ne!(single.next().await, "users_changed");
    }
    assert_eq!((batched.revision, &batched.list), (single.revision, &single.list));
    let users = app.get("/users").await;
    let users: List =
        users.body.as_array().expect("a list").iter().map(|user| text(&user["session"])).collect();
    assert_eq!(batched.list, users);
    assert!(batched.seen.len() < single.seen.len(), "{} {}", batched.seen.len(), single.seen.len());
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn a_batch_has_the_shape_of_the_contract(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let (mut connection, _) = Box::pin(Connection::enter_with(&app, protocol, &json!({"batch": true}))).await;
    let zoe = app.log_in("Zoë").await;
    let joined = connection.event("users_changed").await;
    assert_eq!(joined, json!({"joined": app.get("/users").await.body, "left": [], "revision": 1}));
    app.log_out("Zoë", &[]).await;
    let left = json!({"id": 1, "pseudonym": "Zoë", "session": zoe.session, "reason": "logout"});
    assert_eq!(connection.event("users_changed").await, json!({"joined": [], "left": [left], "revision": 2}));
}

/// While others come and go all the time, what is told is told in few writes.
#[tokio::test]
async fn whoever_comes_and_goes_at_once_is_not_told_of() {
    let app = App::spawn().await;
    let mut watcher = Watcher::enter(&app, Protocol::Plain, false).await;
    for _ in 0..30 {
        app.log_in("restless").await;
        app.log_out("restless", &[]).await;
    }
    app.log_in(LAST).await;
    watcher.watch_to_the_end().await;
    assert_eq!(watcher.revision, 61);
    assert!(watcher.seen.len() < 61, "all of it was told");
    assert_eq!(watcher.list.len(), 1);
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn whether_to_batch_is_said_by_a_boolean(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let mut connection =
        Box::pin(Connection::connecting_with(&app, protocol, &[], &json!({"batch": "yes"}))).await;
    match connection.receive().await {
        Received::Closed(code, reason) => assert_eq!((code, reason.as_str()), (4400, "connect_first")),
        Received::ConnectError(error) => assert_eq!(error["data"]["code"], "invalid_auth"),
        other => panic!("{other:?}"),
    }
}

/// Also if the one who asks has the session's token.
#[tokio::test]
async fn a_log_out_closes_connections_without_waiting_to_be_told() {
    let app = App::spawn().await;
    let zoe = app.log_in_claimed("Zoë").await;
    let (mut connection, _) = Box::pin(Connection::enter(&app, Protocol::Plain, Auth::Token(&zoe))).await;
    app.log_in("another").await;
    app.log_out("Zoë", &[("authorization", &zoe.bearer())]).await;
    assert_eq!(connection.closed().await, (4401, "session_over".to_owned()));
}
