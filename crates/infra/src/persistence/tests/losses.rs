//! A log that has lost its end gets a new id: whoever saw more of it does not go on in it.

use super::super::roster_log::next_revision;
use super::*;

/// Takes the newest messages away, as a restored backup does.
async fn restore(server: &Postgres, database: &str, last_id: i64) {
    let statements = format!(
        "DELETE FROM client_ids WHERE message_id > {last_id}; DELETE FROM messages WHERE id > {last_id}; \
         UPDATE log_head SET last_id = {last_id}"
    );
    server.psql(database, &statements).await;
}

async fn start(server: &Postgres) -> (Store, SessionId) {
    server.create_database("lobby").await;
    let store = open(&at(&server.url("lobby"), Durability::Full)).await;
    let ann = join(&store, "Ann").await;
    for id in 1..=5 {
        assert_eq!(say(&store, ann, "hello").await, id);
    }
    (store, ann)
}

#[tokio::test]
async fn a_node_whose_log_went_back_gives_it_a_new_id_with_its_next_message() {
    let server = Postgres::start().await;
    let (store, ann) = start(&server).await;
    let log = log_of(&store).await;
    restore(&server, "lobby", 3).await;
    assert_eq!(say(&store, ann, "again").await, 4);
    let renewed = log_of(&store).await;
    assert_ne!(renewed, log);
    assert_eq!(say(&store, ann, "and on").await, 5);
    assert_eq!(log_of(&store).await, renewed, "once");
}

/// Whatever is done first: a post that is refused or repeated changes nothing, and must not take the new id back.
#[tokio::test]
async fn a_log_that_went_back_has_a_new_id_also_when_nothing_is_posted() {
    let server = Postgres::start().await;
    let (store, ann) = start(&server).await;
    let over = join(&store, "Bob").await;
    store.end(over, Authority::Name, Timestamp::from_millis(1)).await.expect("it ends");
    append(&store, repeatable(ann, "c-1")).await.expect("it is posted");
    for last_id in [5, 4] {
        let log = log_of(&store).await;
        say(&store, ann, "lost").await;
        restore(&server, "lobby", last_id).await;
        let refused = store.append(&[draft(over, "late")], Timestamp::from_millis(1)).await;
        assert_eq!(refused.expect("an answer"), [Err(Rejection::Silenced)]);
        assert_ne!(log_of(&store).await, log);
    }
}

/// A node hands on what others have posted, too.
#[tokio::test]
async fn a_node_that_has_only_read_notices_that_the_log_went_back() {
    let server = Postgres::start().await;
    let (writing, ann) = start(&server).await;
    let reading = open(&at(&server.url("lobby"), Durability::Full)).await;
    say(&writing, ann, "six").await;
    assert_eq!(reading.head().await.expect("a look").last_id, MessageId(6));
    let log = log_of(&reading).await;
    restore(&server, "lobby", 5).await;
    let renewed = log_of(&reading).await;
    assert_ne!(renewed, log, "a look is enough");
    assert_eq!(say(&reading, ann, "another six").await, 6);
    assert_eq!(log_of(&writing).await, renewed);
}

#[tokio::test]
async fn a_file_that_was_left_open_by_another_run_of_the_machine_is_another_log() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = settings(&folder, Durability::Normal);
    let left_open = async |machine: Option<&str>| {
        let store = open(&settings).await;
        if let Some(machine) = machine {
            let written = format!("UPDATE log_head SET machine = '{machine}'");
            store.writer().execute_unprepared(&written).await.expect("it is written");
        }
        log_of(&store).await
    };
    let log = left_open(None).await;
    assert_eq!(left_open(Some("another run")).await, log, "the machine has not stopped");
    let renewed = left_open(None).await;
    assert_ne!(renewed, log, "the machine had stopped");
    assert_eq!(left_open(None).await, renewed);
}

#[tokio::test]
async fn a_file_that_was_closed_is_the_same_log_wherever_it_is_opened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = settings(&folder, Durability::Normal);
    let store = open(&settings).await;
    let log = log_of(&store).await;
    assert_ne!(noted(&store).await, "");
    store.close().await.expect("it closes");
    let database = Store::open_unmigrated(&settings).await.expect("the same file");
    assert_eq!(look_up(&database, "SELECT COALESCE(machine, '') FROM log_head").await, "");
    database.close().await.expect("it closes");
    assert_eq!(log_of(&open(&settings).await).await, log);
}

/// What is committed is on the disk then, so nothing can be lost.
#[tokio::test]
async fn at_full_durability_nothing_is_noted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(&settings(&folder, Durability::Full)).await;
    assert_eq!(noted(&store).await, "");
}

async fn noted(store: &Store) -> String {
    look_up(&store.writer(), "SELECT COALESCE(machine, '') FROM log_head").await
}

#[tokio::test]
async fn at_normal_durability_a_server_that_was_started_again_has_another_log() {
    let mut server = Postgres::start().await;
    let url = server.fresh_database().await;
    for (durability, stays) in [(Durability::Normal, false), (Durability::Full, true)] {
        let settings = at(&url, durability);
        let log = log_of(&open(&settings).await).await;
        assert_eq!(log_of(&open(&settings).await).await, log, "it was not");
        server.kill().await;
        server.start_again().await;
        assert_eq!(log_of(&open(&settings).await).await == log, stays, "{durability:?}");
    }
}

/// With nobody to start the lobby again: what is seen of the log through any connection comes after the server's crash.
#[tokio::test]
async fn at_normal_durability_a_server_that_was_started_again_has_another_log_for_those_who_stayed() {
    let mut server = Postgres::start().await;
    let settings = at(&server.fresh_database().await, Durability::Normal);
    let (first, second) = (open(&settings).await, open(&settings).await);
    let mut log = log_of(&first).await;
    for reads_first in [true, false] {
        server.kill().await;
        server.start_again().await;
        if !reads_first {
            while first.check_writable().await.is_err() {}
        }
        let renewed = log_of(&second).await;
        assert_ne!(renewed, log);
        assert_eq!(log_of(&first).await, renewed, "once");
        log = renewed;
    }
}

/// A power cut takes what is not synced, so what tells of it has to be.
#[tokio::test]
async fn that_a_file_is_open_is_in_the_file_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = settings(&folder, Durability::Normal);
    let store = open(&settings).await;
    let file = |suffix| settings.beside(suffix).expect("a file");
    assert_eq!(std::fs::metadata(file("-wal")).expect("a write-ahead log").len(), 0);
    let copy = folder.path().join("copy.db");
    std::fs::copy(file(""), &copy).expect("it is copied");
    let copied = at(&format!("sqlite://{}", copy.display()), Durability::Normal);
    let copied = Store::open_unmigrated(&copied).await.expect("a database");
    let machine = look_up(&copied, "SELECT COALESCE(machine, '') FROM log_head").await;
    assert_eq!(machine, noted(&store).await);
    assert_ne!(machine, "");
}

/// A file without what was written ahead of it, as a checkpoint leaves it.
#[tokio::test]
async fn what_was_written_ahead_is_brought_into_the_file_beside_the_writer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = settings(&folder, Durability::Normal);
    let store = open(&settings).await;
    let in_the_file = async || {
        let copy = folder.path().join("copy.db");
        std::fs::copy(settings.beside("").expect("a file"), &copy).expect("it is copied");
        let copied = at(&format!("sqlite://{}", copy.display()), Durability::Normal);
        let copied = Store::open_unmigrated(&copied).await.expect("a database");
        look_up(&copied, "SELECT CAST(COUNT(*) AS TEXT) FROM sessions").await
    };
    join(&store, "Ann").await;
    assert_eq!(in_the_file().await, "0");
    let writing = store.begin().await.expect("a transaction");
    next_revision(&writing).await.expect("the write lock");
    store.checkpoint().await.expect("it waits for nobody");
    assert_eq!(in_the_file().await, "1");
}
