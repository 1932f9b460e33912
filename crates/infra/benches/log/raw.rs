//! The limit: the same rows into the same tables and indexes, as fast as the driver takes them. Nobody is asked who may
//! speak, and ids come from a counter.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use lobby_domain::session::Session;
use lobby_infra::persistence::Durability;
use sea_orm::sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, Arguments, AssertSqlSafe, ConnectOptions, Connection};
use uuid::Uuid;

const MESSAGES: &str = "messages (id, sender_session, sender_id, sender, to_session, to_name, content, client_id, \
                        timestamp, post_key)";
const CLIENT_IDS: &str =
    "client_ids (session, client_id, fingerprint, message_id, to_session, to_name, timestamp)";

/// Any time will do.
const TIMESTAMP: i64 = 1_700_000_000_000;

/// A connection that is tuned as the lobby's own.
pub(crate) struct Raw {
    driver: Driver,
    last_id: i64,
    /// Statements by their table and how many rows they insert.
    statements: HashMap<(&'static str, usize), Arc<str>>,
}

enum Driver {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A message, and what its client id leaves behind.
struct Row<'a> {
    id: i64,
    sender: &'a Session,
    content: &'a str,
    client_id: Option<String>,
}

/// Both drivers have the same methods, and no type that says so.
macro_rules! bound {
    ($arguments:expr; $($value:expr),+) => {{
        $($arguments.add($value).expect("any value can be said");)+
    }};
}

macro_rules! insert {
    ($connection:expr, $arguments:ty, $rows:expr, $messages:expr, $client_ids:expr) => {{
        let mut transaction = $connection.begin().await?;
        let mut messages = <$arguments>::default();
        for row in $rows {
            let key = Uuid::from_u128(row.id.unsigned_abs().into());
            bound!(messages; row.id, row.sender.id.0, row.sender.user.id.0, row.sender.pseudonym.as_str());
            bound!(messages; None::<Uuid>, None::<&str>, row.content, row.client_id.as_deref(), TIMESTAMP, key);
        }
        sqlx::query_with(AssertSqlSafe($messages), messages).execute(&mut *transaction).await?;
        if let Some(client_ids) = $client_ids {
            let mut used = <$arguments>::default();
            for row in $rows {
                bound!(used; row.sender.id.0, row.client_id.as_deref(), &[7_u8; 32][..], row.id);
                bound!(used; None::<Uuid>, None::<&str>, TIMESTAMP);
            }
            sqlx::query_with(AssertSqlSafe(client_ids), used).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }};
}

impl Raw {
    pub(crate) async fn open(url: &str, durability: Durability, last_id: i64) -> Self {
        let is_full = durability == Durability::Full;
        let driver = if url.starts_with("sqlite") {
            let options = SqliteConnectOptions::from_str(url).expect("a good URL");
            let synchronous = if is_full { "FULL" } else { "NORMAL" };
            let options = options.pragma("journal_mode", "WAL").pragma("synchronous", synchronous);
            Driver::Sqlite(options.connect().await.expect("it opens"))
        } else {
            let options = PgConnectOptions::from_str(url).expect("a good URL");
            let synchronous = if is_full { "on" } else { "off" };
            let options = options.options([("synchronous_commit", synchronous)]);
            Driver::Postgres(options.connect().await.expect("it opens"))
        };
        Self { driver, last_id, statements: HashMap::new() }
    }

    /// The newest message.
    pub(crate) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// One transaction with a message of each sender.
    pub(crate) async fn commit(&mut self, senders: &[Session], content: &str, with_client_ids: bool) {
        let row = |(id, sender)| {
            let client_id = with_client_ids.then(|| format!("{id:036}"));
            Row { id, sender, content, client_id }
        };
        let rows: Vec<_> = (self.last_id + 1..).zip(senders).map(row).collect();
        let messages = self.statement(MESSAGES, rows.len());
        let client_ids = with_client_ids.then(|| self.statement(CLIENT_IDS, rows.len()));
        self.driver.insert(&rows, messages, client_ids).await.expect("there is room");
        self.last_id += i64::try_from(rows.len()).expect("they are in memory");
    }

    pub(crate) async fn close(self) {
        match self.driver {
            Driver::Sqlite(connection) => connection.close().await,
            Driver::Postgres(connection) => connection.close().await,
        }
        .expect("it closes");
    }

    fn statement(&mut self, table: &'static str, rows: usize) -> Arc<str> {
        let is_sqlite = matches!(self.driver, Driver::Sqlite(_));
        let made = || {
            let columns = table.split(',').count();
            let row = |row| {
                let value =
                    |column| if is_sqlite { "?".to_owned() } else { format!("${}", row * columns + column) };
                format!("({})", (1..=columns).map(value).collect::<Vec<_>>().join(","))
            };
            let rows = (0..rows).map(row).collect::<Vec<_>>().join(",");
            format!("INSERT INTO {table} VALUES {rows}").into()
        };
        self.statements.entry((table, rows)).or_insert_with(made).clone()
    }
}

impl Driver {
    async fn insert(
        &mut self,
        rows: &[Row<'_>],
        messages: Arc<str>,
        client_ids: Option<Arc<str>>,
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => insert!(connection, SqliteArguments, rows, messages, client_ids),
            Self::Postgres(connection) => insert!(connection, PgArguments, rows, messages, client_ids),
        }
    }
}
