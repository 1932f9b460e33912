use std::sync::atomic::AtomicI64;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use lobby_migration::{Migrator, alone, newer};
use sea_orm::sqlx::{self, Connection, PgConnection};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, EntityTrait, RuntimeErr, sea_query};
use sea_orm_migration::MigratorTrait;

use super::Store;
use super::checkpoint::AT_MOST;
use super::entities::log_head;
use super::outcome::answered;
use super::remembered::{Changes, Remembered};
use super::settings::{Durability, OpenStoreError, Place, StoreSettings, shown};
use super::whole::renew_if_restarted;
use crate::clock::random_log_id;

/// How long a statement waits for a free connection, or on SQLite for another process' lock, before it counts as failed:
/// far above what a commit takes, well below what a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same for a database on a network, which refuses connections while it is away: whoever asks is told soon.
const NETWORK_PATIENCE: Duration = Duration::from_secs(2);

/// How long a connection to a network may rest and not be tried before it is used.
const RESTED: Duration = Duration::from_secs(1);

/// Readers at a time. A read takes well below a millisecond; more than the cores would only wait for each
/// other.
pub const READERS: u32 = 4;

impl Store {
    /// Opens the database, makes it if the URL says so, and brings its schema up to date.
    pub async fn open(settings: &StoreSettings) -> Result<Self, OpenStoreError> {
        let lock = settings.lock()?;
        let migrating = Self::open_unmigrated(settings).await?;
        let migrated = async {
            let migrate = async {
                bring_up(&migrating).await?;
                answered(begin_log(&migrating)).await
            };
            alone(&migrating, migrate).await?;
            migrating.close().await
        };
        migrated.await.map_err(OpenStoreError::Migrate)?;
        let remembered = Arc::new(Remembered::default());
        let write = connect(settings, Purpose::Write(remembered.changes())).await?;
        let read = connect(settings, Purpose::Read).await?;
        let store = Self {
            settings: settings.clone(),
            read,
            write: Arc::new(RwLock::new(write)),
            seen: Arc::new(AtomicI64::new(0)),
            remembered,
            lock: lock.map(Arc::new),
        };
        answered(store.log_is_open()).await.map_err(OpenStoreError::Migrate)?;
        Ok(store)
    }

    /// The same database, with a connection of its own to read from: whoever uses it waits behind nobody else's reads.
    pub async fn with_own_reader(&self) -> Result<Self, OpenStoreError> {
        let read = connect(&self.settings, Purpose::ReadAlone).await?;
        Ok(Self { read, ..self.clone() })
    }

    /// The same database, with a connection of its own to write through, on a network: whoever waits there for a database that
    /// is away keeps nobody else from finding it back. A file has one writer.
    pub async fn with_own_writer(&self) -> Result<Self, OpenStoreError> {
        if let Place::File(_) = self.settings.place {
            return Ok(self.clone());
        }
        let write = connect(&self.settings, Purpose::Write(self.remembered.changes())).await?;
        Ok(Self { write: Arc::new(RwLock::new(write)), ..self.clone() })
    }

    /// A connection for migrating, with the schema left as it is. Its statements may take their time.
    pub async fn open_unmigrated(settings: &StoreSettings) -> Result<DatabaseConnection, OpenStoreError> {
        match settings.place {
            Place::File(_) => settings.make_private(),
            Place::Network => {
                settings.check_certificates()?;
                knock(settings).await?;
            }
        }
        connect(settings, Purpose::Migrate).await
    }

    /// Writes through a new connection from here on; the old one ends when nobody uses it any more. For databases on a
    /// network alone: a file has no connection that could be dead.
    pub(super) async fn renew_writer(&self) -> Result<(), DbErr> {
        if let Place::File(_) = self.settings.place {
            return Ok(());
        }
        let fresh = Database::connect(options(&self.settings, Purpose::Renew)).await?;
        *self.write.write().expect("nothing panics while it holds the handle") = fresh;
        Ok(())
    }
}

/// What a connection is for.
#[derive(Debug, Clone)]
enum Purpose {
    Read,
    /// The same, for one reader alone.
    ReadAlone,
    /// And tells of changes to sessions, where nobody else could make any.
    Write(Changes),
    /// To write, once the database is back.
    Renew,
    Migrate,
}

async fn connect(settings: &StoreSettings, purpose: Purpose) -> Result<DatabaseConnection, OpenStoreError> {
    let connected = Database::connect(options(settings, purpose)).await;
    connected.map_err(|source| OpenStoreError::Connect { database: shown(&settings.url), source })
}

/// Connects once and lets go: a pool of connections would try again and again, and then not say what was wrong.
async fn knock(settings: &StoreSettings) -> Result<(), OpenStoreError> {
    let knocking = async { PgConnection::connect(&settings.url).await?.close().await };
    let knocked = tokio::time::timeout(PATIENCE, knocking).await;
    let knocked = knocked.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
    knocked.map_err(|error| OpenStoreError::Connect {
        database: shown(&settings.url),
        source: DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))),
    })
}

fn options(settings: &StoreSettings, purpose: Purpose) -> ConnectOptions {
    let mut options = ConnectOptions::new(&settings.url);
    options
        .max_connections(if matches!(purpose, Purpose::Read) { READERS } else { 1 })
        .connect_lazy(matches!(purpose, Purpose::Renew))
        .sqlx_logging(false);
    match settings.place {
        Place::File(_) => tune_sqlite(&mut options, settings.durability(), purpose),
        Place::Network => tune_postgres(&mut options, settings, purpose),
    }
    options
}

fn tune_sqlite(options: &mut ConnectOptions, durability: Durability, purpose: Purpose) {
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    options
        .min_connections(1)
        .acquire_timeout(PATIENCE)
        // A local file's connections do not go stale.
        .test_before_acquire(false)
        .map_sqlx_sqlite_pool_opts(move |pool| {
            let purpose = purpose.clone();
            // SQLite takes a transaction back by itself where a disk is full or fails. Its driver does not notice: it
            // would go on inside a transaction that nobody commits. `ping` waits for what was to be rolled back.
            let pool = pool.after_release(|connection, _| {
                Box::pin(async {
                    if connection.is_in_transaction() {
                        connection.ping().await?;
                    }
                    Ok(!connection.is_in_transaction())
                })
            });
            pool.after_connect(move |connection, _| {
                let purpose = purpose.clone();
                Box::pin(async move {
                    match purpose {
                        Purpose::Write(changes) => changes.are_noted_by(connection).await,
                        _ => Ok(()),
                    }
                })
            })
        })
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", synchronous)
                .pragma("wal_autocheckpoint", AT_MOST.to_string())
                .pragma("foreign_keys", "ON")
                .busy_timeout(PATIENCE)
        });
}

fn tune_postgres(options: &mut ConnectOptions, settings: &StoreSettings, purpose: Purpose) {
    let (timeouts, durability) = (settings.timeouts, settings.durability());
    let is_migrating = matches!(purpose, Purpose::Migrate);
    options
        // A pool that keeps some tries to replace a lost one by itself, for minutes, and waits up to a minute between two
        // attempts: nobody else gets its place meanwhile, long after the database is back.
        .min_connections(0)
        .acquire_timeout(NETWORK_PATIENCE)
        // The writer saves the round trip while it is busy. What is given to a dead connection has an unknown outcome, so one
        // that has rested is tried first.
        .test_before_acquire(matches!(purpose, Purpose::Read | Purpose::ReadAlone));
    if !options.get_test_before_acquire() {
        options.test_before_acquire_if_idle_for(RESTED);
    }
    options
        .map_sqlx_postgres_pool_opts(move |pool| {
            pool.after_connect(move |connection, _| {
                Box::pin(async move {
                    // Before that there may be no log yet.
                    if is_migrating { Ok(()) } else { renew_if_restarted(connection).await }
                })
            })
        })
        .map_sqlx_postgres_opts(move |postgres| {
            let postgres = postgres.application_name("lobby").options([
                ("synchronous_commit", synchronous_commit(durability).to_owned()),
                ("idle_in_transaction_session_timeout", millis(timeouts.idle)),
                // The database notices within seconds that a node's machine is gone, and lets go of its locks.
                ("tcp_keepalives_idle", "5".to_owned()),
                ("tcp_keepalives_interval", "2".to_owned()),
                ("tcp_keepalives_count", "3".to_owned()),
            ]);
            match purpose {
                Purpose::Migrate => postgres.options([("idle_in_transaction_session_timeout", "0")]),
                Purpose::Read | Purpose::ReadAlone | Purpose::Write(_) | Purpose::Renew => {
                    postgres.options([
                        ("lock_timeout", millis(timeouts.lock)),
                        ("statement_timeout", millis(timeouts.statement)),
                    ])
                }
            }
        });
}

/// `on` also where the server's own default is weaker.
fn synchronous_commit(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "on",
        Durability::Normal => "off",
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// A schema that is ahead is left as it is: in a cluster that is being upgraded, a node of the release before may start again.
async fn bring_up(database: &DatabaseConnection) -> Result<(), DbErr> {
    match newer(database).await? {
        Some(step) => {
            tracing::warn!(
                step,
                "the schema is of a newer release: that is good for one release, and no more"
            );
            Ok(())
        }
        None => Migrator::up(database, None).await,
    }
}

/// A new database gets its log's id.
async fn begin_log(database: &DatabaseConnection) -> Result<(), DbErr> {
    let head = log_head::Model {
        id: 1,
        log: random_log_id(),
        first_id: 1,
        last_id: 0,
        last_timestamp: 0,
        machine: None,
    };
    log_head::Entity::insert(log_head::ActiveModel::from(head))
        .on_conflict(sea_query::OnConflict::column(log_head::Column::Id).do_nothing().to_owned())
        .exec_without_returning(database)
        .await?;
    Ok(())
}
