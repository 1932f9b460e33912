//! One text with all statements of the transaction: the driver's thread is handed it once.

use std::sync::OnceLock;

use futures_util::TryStreamExt;
use lobby_domain::client_id::ClientId;
use lobby_domain::timestamp::Timestamp;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sea_orm::sqlx::{self, Arguments, Either, Executor, Row, Sqlite};
use uuid::Uuid;

use super::Appended;
use crate::persistence::judge::{Entry, Judge};

/// There is a text for each of these numbers of rows, and another where some have client ids. What is not needed of it is null.
const SIZES: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Statements before the one that commits.
const BEFORE_COMMIT: usize = 3;

/// A batch of more than the largest size is not appended in one.
pub(super) async fn append(
    connection: PoolConnection<Sqlite>,
    judged: &Judge,
    seen: i64,
    now: Timestamp,
) -> Result<Option<Appended>, sqlx::Error> {
    let Some(size) = SIZES.iter().position(|size| *size >= judged.count()) else { return Ok(None) };
    let with_client_ids = judged.entries().any(|entry| entry.fingerprint.is_some());
    let (text, arguments) =
        (text(size, with_client_ids), arguments(judged, SIZES[size], with_client_ids, seen, now));
    let arguments = arguments.map_err(sqlx::Error::Encode)?;
    let mut lease = Lease(Some(connection));
    let mut done = Done::default();
    match run(lease.connection(), text, arguments, &mut done).await {
        Ok(()) => {
            lease.end();
            done.row.map(|row| appended(&row, judged)).transpose()
        }
        // Not even asked to commit.
        Err(error) if done.statements < BEFORE_COMMIT + usize::from(with_client_ids) => {
            tracing::debug!(%error, "a batch is not appended in one go");
            lease.roll_back().await;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A connection that goes back to the others only if all was done. Whoever is interrupted may leave a transaction open that the
/// driver knows nothing of.
struct Lease(Option<PoolConnection<Sqlite>>);

impl Lease {
    fn connection(&mut self) -> &mut SqliteConnection {
        self.0.as_mut().expect("it is there until the end")
    }

    fn end(mut self) {
        self.0 = None;
    }

    async fn roll_back(mut self) {
        let rolled_back = sqlx::raw_sql("ROLLBACK").execute(self.connection()).await;
        if rolled_back.map_or_else(|error| has_no_transaction(&error), |_| true) {
            self.end();
        }
    }
}

/// SQLite takes a transaction back by itself where a disk is full or fails, and calls this a general error.
fn has_no_transaction(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("1"))
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

/// How far it has come.
#[derive(Default)]
struct Done {
    statements: usize,
    /// Where the log's head has gone.
    row: Option<SqliteRow>,
}

async fn run(
    connection: &mut SqliteConnection,
    text: &'static str,
    arguments: SqliteArguments,
    done: &mut Done,
) -> Result<(), sqlx::Error> {
    let mut steps = connection.fetch_many(sqlx::query_with(text, arguments));
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Left(_) => done.statements += 1,
            Either::Right(row) => done.row = Some(row),
        }
    }
    Ok(())
}

fn appended(row: &SqliteRow, judged: &Judge) -> Result<Appended, sqlx::Error> {
    let last_id: i64 = row.try_get(0)?;
    Ok(Appended { before: last_id - judged.last_id, timestamp: Timestamp::from_millis(row.try_get(1)?) })
}

/// Made once for each size.
fn text(size: usize, with_client_ids: bool) -> &'static str {
    static TEXTS: [[OnceLock<String>; 2]; SIZES.len()] =
        [const { [const { OnceLock::new() }; 2] }; SIZES.len()];
    TEXTS[size][usize::from(with_client_ids)].get_or_init(|| write(SIZES[size], with_client_ids))
}

/// A log that ends before what was seen of it is left as it is.
fn write(size: usize, with_client_ids: bool) -> String {
    let rows =
        |columns: &str| (1..=size).map(|row| format!("({row},{columns})")).collect::<Vec<_>>().join(",");
    // What is bound is counted from the front, so the rows come last.
    let head =
        "WITH head AS (SELECT last_id - ? AS log_end, last_timestamp FROM log_head WHERE last_id >= ?)";
    let messages = format!(
        "{head} INSERT INTO messages (id, sender_session, sender_id, sender, to_session, to_name, content, client_id, \
         post_key, timestamp) \
         SELECT log_end + column1, column2, column3, column4, column5, column6, column7, column8, column9, last_timestamp \
         FROM (VALUES {}) CROSS JOIN head WHERE column2 IS NOT NULL;",
        rows("?,?,?,?,?,?,?,?"),
    );
    let client_ids = format!(
        "{head} INSERT INTO client_ids (session, client_id, fingerprint, message_id, to_session, to_name, timestamp) \
         SELECT sender_session, client_id, column2, id, to_session, to_name, timestamp \
         FROM (VALUES {}) CROSS JOIN head CROSS JOIN messages ON id = log_end + column1 WHERE column2 IS NOT NULL;",
        rows("?"),
    );
    format!(
        "BEGIN IMMEDIATE; \
         UPDATE log_head SET last_id = last_id + ?, last_timestamp = MAX(last_timestamp, ?) WHERE last_id >= ? \
         RETURNING last_id, last_timestamp; \
         {messages} {} COMMIT",
        if with_client_ids { &client_ids } else { "" },
    )
}

type Encoded<T> = Result<T, sqlx::error::BoxDynError>;

/// In the order of their places in the text. With client ids behind them, the messages fill up the size.
fn arguments(
    judged: &Judge,
    size: usize,
    with_client_ids: bool,
    seen: i64,
    now: Timestamp,
) -> Encoded<SqliteArguments> {
    let count = judged.last_id;
    let mut all = SqliteArguments::default();
    all.reserve(8 * size + 8, 0);
    for number in [count, now.as_millis(), seen, count, seen + count] {
        all.add(number)?;
    }
    for entry in judged.entries() {
        add_message(&mut all, &entry)?;
    }
    if with_client_ids {
        for _ in 8 * judged.count()..8 * size {
            all.add(None::<i64>)?;
        }
        all.add(count)?;
        all.add(seen + count)?;
        for entry in judged.entries() {
            all.add(entry.fingerprint)?;
        }
    }
    Ok(all)
}

fn add_message(all: &mut SqliteArguments, entry: &Entry<'_>) -> Encoded<()> {
    let message = entry.message;
    all.add(message.sender_session.0)?;
    all.add(message.sender_id.0)?;
    all.add(message.sender.as_str())?;
    all.add(message.to.as_ref().map(|to| to.session.0))?;
    all.add(message.to.as_ref().map(|to| to.pseudonym.as_str()))?;
    all.add(message.content.as_str())?;
    all.add(message.client_id.as_ref().map(ClientId::as_str))?;
    all.add::<Uuid>(entry.key)
}
