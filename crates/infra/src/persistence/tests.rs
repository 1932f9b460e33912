use lobby_domain::auth::Authority;
use lobby_domain::client_id::ClientId;
use lobby_domain::message::{Content, LogId, Message, MessageId};
use lobby_domain::ports::{
    AppendError, ChangeError, Draft, MessageLog, NewSession, PageQuery, Posted, Presence, Rejection,
    Sessions, Span, Viewer, Woken,
};
use lobby_domain::session::SessionId;
use lobby_domain::testing::name;
use lobby_domain::timestamp::Timestamp;
use lobby_testbed::Postgres;
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use tempfile::TempDir;

use super::entities::messages;
use super::*;
use crate::clock::random_log_id;

mod accounts;
mod back;
mod in_one;
mod losses;
mod nodes;
mod outcomes;
mod plans;
mod remembered;
mod room;
mod rounds;
mod tuning;
mod upgrade;

fn settings(folder: &TempDir, durability: Durability) -> StoreSettings {
    let file = folder.path().join("lobby.db");
    at(&format!("sqlite://{}?mode=rwc", file.display()), durability)
}

fn at(url: &str, durability: Durability) -> StoreSettings {
    StoreSettings::new(url, durability, Timeouts::default()).expect("a good URL")
}

async fn sqlite() -> (Store, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The rules are the same at both, and at `normal` the suite does not wait for the disk.
    let store = Store::open(&settings(&folder, Durability::Normal)).await.expect("a new database");
    (store, folder)
}

mod on_sqlite {
    use super::sqlite;

    lobby_domain::sessions_contract!(sqlite);
    lobby_domain::message_log_contract!(sqlite);
    lobby_domain::roster_log_contract!(sqlite);
    lobby_domain::presence_contract!(sqlite);
    lobby_domain::contract_tests!(sqlite: the_nodes_own_clock_counts);
}

/// One server for a suite: a database is made in a moment, a server is not.
mod on_postgres {
    use super::{Postgres, postgres};

    mod sessions {
        lobby_domain::sessions_contract!(super::postgres, on super::Postgres::start);
    }
    mod message_log {
        lobby_domain::message_log_contract!(super::postgres, on super::Postgres::start);
    }
    mod presence {
        lobby_domain::presence_contract!(super::postgres, on super::Postgres::start);
    }
    mod roster_log {
        lobby_domain::roster_log_contract!(super::postgres, on super::Postgres::start);
    }
}

async fn postgres(server: &Postgres) -> (Store, ()) {
    let settings = at(&server.fresh_database().await, Durability::Full);
    (Store::open(&settings).await.expect("a new database"), ())
}

fn draft(sender_session: SessionId, text: &str) -> Draft {
    let content = Content::parse(text).expect("a good content");
    Draft { sender_session, authority: Authority::Token, to: None, content, client_id: None }
}

/// One that may be repeated.
fn repeatable(sender_session: SessionId, client_id: &str) -> Draft {
    let client_id = ClientId::parse(client_id).expect("a good client id");
    Draft { client_id: Some(client_id), ..draft(sender_session, "the same") }
}

async fn open(settings: &StoreSettings) -> Store {
    Store::open(settings).await.expect("a good database")
}

async fn join(store: &Store, pseudonym: &str) -> SessionId {
    let id = SessionId(random_log_id());
    let new = NewSession { id, pseudonym: name(pseudonym), claimed: false, now: Timestamp::from_millis(1) };
    store.open(new).await.expect("the name is free");
    id
}

/// A session's token is shown on purpose.
async fn claim(store: &Store, session: SessionId) -> Result<Option<Woken>, ChangeError> {
    store.wake(session, true, Timestamp::from_millis(2)).await
}

/// Appends one draft.
async fn append(store: &Store, draft: Draft) -> Result<Posted, AppendError> {
    let appended = store.append(&[draft], Timestamp::from_millis(1)).await?;
    Ok(appended.into_iter().next().expect("an answer to each").expect("the session lives"))
}

async fn say(store: &Store, sender_session: SessionId, text: &str) -> i64 {
    append(store, draft(sender_session, text)).await.expect("it is appended").message.id.0
}

/// All that is kept, in order.
async fn stored(store: &Store) -> Vec<Message> {
    let query = PageQuery { span: Span::After(MessageId(0)), limit: 1_000, viewer: Viewer::Lobby };
    store.page(query).await.expect("a page").messages
}

async fn log_of(store: &Store) -> LogId {
    store.head().await.expect("a look").log
}

/// The first column of the first row.
async fn look_up(database: &impl ConnectionTrait, statement: &str) -> String {
    let statement = Statement::from_string(database.get_database_backend(), statement);
    let row = database.query_one_raw(statement).await.expect("a look").expect("a row");
    row.try_get_by_index(0).expect("a text")
}

#[tokio::test]
async fn users_messages_and_ids_go_on_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = settings(&folder, Durability::Full);
    let store = Store::open(&settings).await.expect("a new database");
    let john = join(&store, "JohnDoe").await;
    assert_eq!(say(&store, john, "before").await, 1);
    let before = (store.head().await.expect("a look"), store.online().await.expect("a look"));
    store.close().await.expect("it closes");

    let store = Store::open(&settings).await.expect("the same database");
    assert_eq!((store.head().await.expect("a look"), store.online().await.expect("a look")), before);
    assert_eq!(say(&store, john, "after").await, 2);
    let stored = messages::Entity::find().all(&store.read).await.expect("a look");
    assert_eq!(stored.iter().map(|m| m.content.as_str()).collect::<Vec<_>>(), ["before", "after"]);
}

#[tokio::test]
async fn a_refused_change_leaves_nothing_behind() {
    let (store, _folder) = sqlite().await;
    let john = join(&store, "JohnDoe").await;
    store.end(john, Authority::Name, Timestamp::from_millis(2)).await.expect("it ends");
    let draft = draft(john, "late");
    let appended = store.append(&[draft], Timestamp::from_millis(3)).await.expect("an answer");
    assert_eq!(appended, [Err(Rejection::Silenced)]);
    assert_eq!(store.head().await.expect("a look").last_id, MessageId(0));
    assert_eq!(messages::Entity::find().all(&store.read).await.expect("a look"), []);
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_refused_with_its_name() {
    let nowhere = at("sqlite:///no/such/folder/lobby.db", Durability::Full);
    let error = Store::open(&nowhere).await.err().expect("it is refused");
    assert!(error.to_string().contains("/no/such/folder/lobby.db"), "{error}");
    for (url, expected) in [("mysql://localhost/lobby", "'mysql'"), ("lobby.db", "'lobby.db'"), ("", "''")] {
        let settings = StoreSettings::new(url, Durability::Full, Timeouts::default());
        let error = settings.expect_err("it is refused");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_password_is_not_shown_wherever_it_stands_in_a_url() {
    let urls = [
        "postgres://lobby:hush@127.0.0.1:1/lobby",
        "postgres://127.0.0.1:1/lobby?user=lobby&password=hush",
        "postgresql://lobby@127.0.0.1:1/lobby?password=hush@hush",
        "postgres://lobby:hush?hush@127.0.0.1:1/lobby?sslmode=disable",
    ];
    for url in urls {
        let opened =
            async { Store::open(&StoreSettings::new(url, Durability::Full, Timeouts::default())?).await };
        let error = opened.await.err().expect("nobody listens there").to_string();
        assert!(!error.contains("hush"), "{error}");
    }
    let shown = Store::open(&at(urls[1], Durability::Full)).await.err().expect("nobody listens there");
    assert!(shown.to_string().contains("postgres://127.0.0.1:1/lobby'"), "{shown}");
    let no_url = StoreSettings::new("postgres:lobby:hush@host", Durability::Full, Timeouts::default());
    let error = no_url.expect_err("it is refused").to_string();
    assert!(!error.contains("hush"), "{error}");
}

#[tokio::test]
async fn many_names_are_looked_up_at_once_and_each_session_is_found_once() {
    let (store, _folder) = sqlite().await;
    let mut sessions = [join(&store, "Ann").await, join(&store, "Bob").await];
    let keys = |n| ["Ann".to_owned(), format!("Nobody{n}"), "bob".to_owned()];
    let keys: Vec<_> = (0..100).flat_map(keys).map(|text| name(&text).key().clone()).collect();
    let named = store.named(&keys).await.expect("a look");
    let mut found: Vec<_> = named.iter().map(|session| session.id).collect();
    sessions.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, sessions);
}

#[tokio::test]
async fn the_schema_can_be_taken_back_and_made_again() {
    use sea_orm_migration::MigratorTrait;

    let (store, _folder) = sqlite().await;
    lobby_migration::Migrator::down(&store.writer(), None).await.expect("it goes down");
    assert!(store.head().await.is_err());
    lobby_migration::Migrator::up(&store.writer(), None).await.expect("it comes up again");
    assert!(store.online().await.is_ok());
}

#[tokio::test]
async fn a_second_lobby_on_the_same_database_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = settings(&folder, Durability::Normal);
    let first = Store::open(&settings).await.expect("a new database");
    let refused = Store::open(&settings).await.err().expect("it is refused");
    assert!(matches!(refused, OpenStoreError::InUse(_)), "{refused}");
    let still_held = first.clone();
    first.close().await.expect("it closes");
    Store::open(&settings).await.expect("it is free again");
    drop(still_held);
}

/// SQLite keeps its files beside the database for as long as one connection is there.
#[tokio::test]
async fn connections_of_their_own_are_closed_as_well() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = settings(&folder, Durability::Normal);
    let store = open(&settings).await;
    let others = [store.with_own_reader().await, store.with_own_writer().await];
    let others = others.map(|other| other.expect("a connection"));
    let kept = others.clone();
    join(&store, "JohnDoe").await;
    let beside = settings.beside("-wal").expect("it is a file");
    assert!(beside.exists());
    store.close_with(others).await.expect("they close");
    assert!(!beside.exists());
    for store in kept {
        store.online().await.expect_err("it has no connection left");
    }
}

#[tokio::test]
async fn a_schema_that_cannot_be_made_whole_is_not_made_in_part() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = settings(&folder, Durability::Normal);
    let database = Store::open_unmigrated(&settings).await.expect("a new database");
    let in_the_way = database.execute_unprepared("CREATE TABLE roster_head (x)").await;
    in_the_way.expect("it is made");
    let failed = Store::open(&settings).await.err().expect("it fails");
    assert!(matches!(failed, OpenStoreError::Migrate(_)), "{failed}");
    database.execute_unprepared("DROP TABLE roster_head").await.expect("it is dropped");
    Store::open(&settings).await.expect("nothing is in the way any more");
}

/// Private messages are in them, and on a machine there may be others.
#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_its_owners_alone_and_one_that_is_there_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = settings(&folder, Durability::Full);
    let modes = || {
        ["lobby.db", "lobby.db-wal", "lobby.db-shm"].map(|name| {
            let file = folder.path().join(name);
            std::fs::metadata(file).expect("it is there").permissions().mode() & 0o777
        })
    };
    let store = Store::open(&settings).await.expect("a new database");
    assert_eq!(modes(), [0o600; 3]);
    drop(store);
    let shared = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(folder.path().join("lobby.db"), shared).expect("the file is ours");
    let _store = Store::open(&settings).await.expect("it is good");
    assert_eq!(modes()[0], 0o640);
}

#[tokio::test]
async fn a_database_file_is_named_as_its_url_says() {
    let named = |url| at(url, Durability::Full).beside("-key");
    assert_eq!(named("sqlite://lobby.db?mode=rwc"), Some("lobby.db-key".into()));
    let escaped = named("sqlite:///var/lib/my%20data/lobby.db");
    assert_eq!(escaped, Some("/var/lib/my data/lobby.db-key".into()));
    assert_eq!(named("postgres://lobby@localhost/lobby"), None);
}
