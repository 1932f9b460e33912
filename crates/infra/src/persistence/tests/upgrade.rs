//! A database of the first version, with messages in it.

use lobby_domain::event::Revision;
use lobby_domain::ports::{Changes, OnlineQuery, Retention, RosterLog};
use lobby_domain::roster::SortBy;
use lobby_domain::session::Session;
use lobby_migration::Migrator;
use sea_orm_migration::MigratorTrait;

use super::*;

/// What the first version has written. `$1` and `$2` stand for the log's id and a session's.
const WRITTEN: &str = "
    INSERT INTO users (pseudonym, folded, lookalike, crossed, created_at) VALUES ('Zoë', 'zoë', 'zoe', 'zoe', 1);
    INSERT INTO sessions (id, user_id, pseudonym, folded, lookalike, crossed, claimed, opened_at)
        VALUES ($2, 1, 'Zoë', 'zoë', 'zoe', 'zoe', true, 1);
    UPDATE roster_head SET revision = 41;
    INSERT INTO log_head (id, log, last_id, last_timestamp) VALUES (1, $1, 2, 5000);
    INSERT INTO messages (id, sender_session, sender_id, sender, content, timestamp)
        VALUES (1, $2, 1, 'Zoë', 'one', 4000), (2, $2, 1, 'Zoë', 'two', 5000)";

async fn a_database_of_the_first_version_is_served(settings: &StoreSettings) {
    let (log, session) = (random_log_id(), random_log_id());
    let old = Store::open_unmigrated(settings).await.expect("a new database");
    Migrator::up(&old, Some(1)).await.expect("the first step");
    let written = [("$1", log), ("$2", session)].iter().fold(WRITTEN.to_owned(), |text, (place, id)| {
        text.replace(place, &literal(old.get_database_backend(), *id))
    });
    old.execute_unprepared(&written).await.expect("rows");
    old.close().await.expect("it closes");

    let store = open(settings).await;
    let zoe = store.find(SessionId(session)).await.expect("a look").expect("she is still online");
    assert_eq!((zoe.pseudonym.as_str(), zoe.claimed), ("Zoë", true));
    roster_goes_on(&store, &zoe).await;
    assert_eq!(log_of(&store).await, LogId(log));
    assert_eq!(say(&store, zoe.id, "three").await, 3);
    let stored = stored(&store).await;
    let said: Vec<_> = stored.iter().map(|m| (m.id.0, m.sender.as_str(), m.content.as_str())).collect();
    assert_eq!(said, [(1, "Zoë", "one"), (2, "Zoë", "two"), (3, "Zoë", "three")]);
    assert_eq!(stored[1].timestamp, Timestamp::from_millis(5_000));
    assert!(stored[2].timestamp >= stored[1].timestamp);
    assert!(stored.iter().all(|message| message.to.is_none() && message.sender_session == zoe.id));
}

/// Who came before is listed in order; of what changed before nothing is known.
async fn roster_goes_on(store: &Store, zoe: &Session) {
    let begins = store.changes(Revision(0), 10).await.expect("a look");
    assert_eq!(begins, Changes { first_kept: Revision(42), changes: vec![] });
    let ann = join(store, "zoa").await;
    let begins = store.changes(Revision(0), 10).await.expect("a look");
    assert_eq!((begins.first_kept, begins.changes.len()), (Revision(42), 1));
    let query = OnlineQuery { sort_by: SortBy::Pseudonym, after: None, most: 10 };
    let listed = store.online_page(query).await.expect("a page").online.sessions;
    assert_eq!(listed.iter().map(|session| session.id).collect::<Vec<_>>(), [ann, zoe.id]);
}

async fn a_step_back_and_forth_leaves_the_beginning_where_it_was(settings: &StoreSettings) {
    let store = open(settings).await;
    let ann = join(&store, "Ann").await;
    for (said, kept, first_id) in [(5, 2, 4), (0, 0, 6)] {
        for _ in 0..said {
            say(&store, ann, "hello").await;
        }
        let keep = Retention { at_most: Some(kept), since: None };
        store.prune(keep, 100).await.expect("it is pruned");
        let head = store.head().await.expect("a look");
        assert_eq!(head.first_id, MessageId(first_id));
        let all_but_the_first = u32::try_from(Migrator::migrations().len() - 1).expect("a few");
        Migrator::down(&store.writer(), Some(all_but_the_first)).await.expect("it goes down");
        Migrator::up(&store.writer(), None).await.expect("it comes up again");
        assert_eq!(store.head().await.expect("a look"), head);
    }
}

/// A node of the next release was here, and has added to the schema.
async fn a_schema_that_has_grown_since_is_served(settings: &StoreSettings) {
    open(settings).await.close().await.expect("it closes");
    let newer = Store::open_unmigrated(settings).await.expect("a database");
    let grown = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_what_comes', 0); \
        ALTER TABLE nodes ADD COLUMN something TEXT; ALTER TABLE sessions ADD COLUMN something TEXT; \
        ALTER TABLE messages ADD COLUMN something TEXT";
    newer.execute_unprepared(grown).await.expect("it grows");
    newer.close().await.expect("it closes");

    let store = open(settings).await;
    let ann = join(&store, "Ann").await;
    let node = lobby_domain::presence::NodeId(random_log_id());
    assert!(!store.beat(node, None).await.expect("a beat").held);
    assert_eq!(say(&store, ann, "hello").await, 1);
    assert_eq!(stored(&store).await.len(), 1);
}

fn literal(backend: DbBackend, id: uuid::Uuid) -> String {
    if backend == DbBackend::Sqlite { format!("X'{}'", id.simple()) } else { format!("'{id}'") }
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_and_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    a_database_of_the_first_version_is_served(&settings(&folder, Durability::Full)).await;
}

#[tokio::test]
async fn a_pruned_file_begins_where_it_did_after_a_step_back_and_forth() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    a_step_back_and_forth_leaves_the_beginning_where_it_was(&settings(&folder, Durability::Full)).await;
}

#[tokio::test]
async fn a_pruned_server_begins_where_it_did_after_a_step_back_and_forth() {
    let server = Postgres::start().await;
    let settings = at(&server.fresh_database().await, Durability::Full);
    a_step_back_and_forth_leaves_the_beginning_where_it_was(&settings).await;
}

#[tokio::test]
async fn a_server_with_a_database_of_the_first_version_is_brought_up_and_served() {
    let server = Postgres::start().await;
    a_database_of_the_first_version_is_served(&at(&server.fresh_database().await, Durability::Full)).await;
}

#[tokio::test]
async fn a_file_of_the_next_version_is_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    a_schema_that_has_grown_since_is_served(&settings(&folder, Durability::Full)).await;
}

#[tokio::test]
async fn a_server_with_a_database_of_the_next_version_is_served() {
    let server = Postgres::start().await;
    a_schema_that_has_grown_since_is_served(&at(&server.fresh_database().await, Durability::Full)).await;
}
