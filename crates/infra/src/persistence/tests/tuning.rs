//! How connections are set up, each of a pool: they are told apart only while all of them are in use.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::DatabaseTransaction;

use super::*;
use crate::persistence::connect::READERS;

/// Not the usual ones, and so long that no connection is lost while the others are asked.
const PATIENT: Timeouts = Timeouts {
    lock: Duration::from_secs(31),
    statement: Duration::from_secs(32),
    idle: Duration::from_secs(33),
};

async fn all_connections(store: &Store) -> Vec<DatabaseTransaction> {
    let mut all = vec![store.begin().await.expect("the writer")];
    for _ in 0..READERS {
        all.push(store.begin_snapshot().await.expect("a reader"));
    }
    all
}

#[tokio::test]
async fn every_connection_to_a_file_is_tuned_as_the_settings_say() {
    for (durability, synchronous) in [(Durability::Full, 2), (Durability::Normal, 1)] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = open(&settings(&folder, durability)).await;
        for connection in all_connections(&store).await {
            let number = async |pragma| {
                let statement = Statement::from_string(DbBackend::Sqlite, pragma);
                let row = connection.query_one_raw(statement).await.expect("a look").expect("a row");
                row.try_get_by_index::<i32>(0).expect("a number")
            };
            assert_eq!(look_up(&connection, "PRAGMA journal_mode").await, "wal");
            assert_eq!(number("PRAGMA synchronous").await, synchronous);
            assert_eq!(number("PRAGMA foreign_keys").await, 1);
            assert_eq!(number("PRAGMA wal_autocheckpoint").await, 4_096);
        }
    }
}

#[tokio::test]
async fn every_connection_to_a_server_waits_for_commits_whatever_the_server_does_by_itself() {
    let server = Postgres::start_with(&[("synchronous_commit", "off")]).await;
    for (durability, expected) in [(Durability::Full, "on"), (Durability::Normal, "off")] {
        let url = server.fresh_database().await;
        let store = open(&StoreSettings::new(&url, durability, PATIENT).expect("a good URL")).await;
        server
            .psql("postgres", &format!("ALTER ROLE lobby SET synchronous_commit = {}", other(expected)))
            .await;
        // Those that come later are asked too.
        store.renew_writer().await.expect("it is renewed");
        for connection in all_connections(&store).await {
            assert_eq!(look_up(&connection, "SHOW synchronous_commit").await, expected);
        }
    }
}

fn other(setting: &str) -> &str {
    if setting == "on" { "off" } else { "on" }
}

#[tokio::test]
async fn every_connection_to_a_server_has_the_time_limits_of_the_settings() {
    let server = Postgres::start().await;
    let limits = [
        ("lock_timeout", PATIENT.lock),
        ("statement_timeout", PATIENT.statement),
        ("idle_in_transaction_session_timeout", PATIENT.idle),
    ];
    let url = server.fresh_database().await;
    let store = open(&StoreSettings::new(&url, Durability::Full, PATIENT).expect("a good URL")).await;
    let connections = all_connections(&store).await;
    for connection in &connections {
        for (name, limit) in limits {
            let set = format!("SELECT setting FROM pg_settings WHERE name = '{name}'");
            assert_eq!(look_up(connection, &set).await, limit.as_millis().to_string(), "{name}");
        }
    }
    let mut backends = BTreeSet::new();
    for connection in &connections {
        backends.insert(look_up(connection, "SELECT CAST(pg_backend_pid() AS TEXT)").await);
    }
    assert_eq!(backends.len(), connections.len(), "each of them was asked");
}
