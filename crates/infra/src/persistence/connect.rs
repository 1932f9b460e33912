use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use lobby_migration::Migrator;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, EntityTrait, RuntimeErr, sea_query};
use sea_orm_migration::MigratorTrait;

use super::Store;
use super::entities::log_head;
use crate::clock::random_log_id;

/// How long a statement waits for a free connection or for another process' lock before it counts as failed:
/// far above what a commit takes, well below what a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Readers at a time. A read takes well below a millisecond; more than the cores would only wait for each
/// other.
const READERS: u32 = 4;

/// Where the data is, and how safe.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    url: String,
    file: PathBuf,
    durability: Durability,
}

impl StoreSettings {
    /// `url` is `sqlite://PATH`, with `?mode=rwc` behind it to make the file where there is none.
    pub fn new(url: &str, durability: Durability) -> Result<Self, OpenStoreError> {
        match url.split_once("://") {
            Some(("sqlite", _)) => {}
            Some((kind, _)) => return Err(OpenStoreError::UnknownKind(kind.to_owned())),
            None => return Err(OpenStoreError::UnknownKind(url.to_owned())),
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|error| OpenStoreError::Connect {
            url: url.to_owned(),
            source: DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))),
        })?;
        Ok(Self { url: url.to_owned(), file: options.get_filename().to_owned(), durability })
    }

    /// Keeps every other lobby away from the database until the file is dropped: each would tell its own clients only
    /// half of what happens.
    pub fn lock(&self) -> Result<File, OpenStoreError> {
        let path = self.beside("-lock");
        let failed = |source| OpenStoreError::Lock { path: path.clone(), source };
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(OpenStoreError::InUse(self.url.clone())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// A file beside the database's, whose name has `suffix` behind it.
    #[must_use]
    pub fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.file.clone().into_os_string();
        path.push(suffix);
        path.into()
    }
}

/// What an acknowledged commit survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Everything, a power cut too: each commit is synced to the disk.
    #[default]
    Full,
    /// A crash of the lobby. A power cut may take the last moments.
    Normal,
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// A kind of database that is not served.
    #[error(
        "database.url has to begin with 'sqlite://', as in 'sqlite://lobby.db?mode=rwc'; it begins with '{0}'"
    )]
    UnknownKind(String),
    /// No file, no permission, no database.
    #[error("the database '{url}' cannot be opened: {source}")]
    Connect {
        /// Which.
        url: String,
        /// Why.
        source: DbErr,
    },
    /// Another lobby serves it.
    #[error("the database '{0}' is in use by another lobby: stop that one first")]
    InUse(String),
    /// The file that keeps others away cannot be made.
    #[error("the file '{path}', which keeps other lobbies away, cannot be used: {source}")]
    Lock {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A step of the schema failed, or the schema is of a newer version.
    #[error("the database schema cannot be brought up to date: {0}")]
    Migrate(#[source] DbErr),
}

impl Store {
    /// Opens the database, makes it if the URL says so, and brings its schema up to date.
    pub async fn open(settings: &StoreSettings) -> Result<Self, OpenStoreError> {
        let lock = settings.lock()?;
        let write = connect(settings, 1).await?;
        let migrated = async {
            Migrator::up(&write, None).await?;
            begin_log(&write).await
        };
        migrated.await.map_err(OpenStoreError::Migrate)?;
        let read = connect(settings, READERS).await?;
        Ok(Self { read, write, _lock: Arc::new(lock) })
    }

    /// A connection for migrating, with the schema left as it is.
    pub async fn open_unmigrated(settings: &StoreSettings) -> Result<DatabaseConnection, OpenStoreError> {
        connect(settings, 1).await
    }
}

async fn connect(settings: &StoreSettings, connections: u32) -> Result<DatabaseConnection, OpenStoreError> {
    let mut options = ConnectOptions::new(&settings.url);
    let synchronous = match settings.durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(PATIENCE)
        // A local file's connections do not go stale.
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", synchronous)
                .pragma("foreign_keys", "ON")
                .busy_timeout(PATIENCE)
        });
    let connected = Database::connect(options).await;
    connected.map_err(|source| OpenStoreError::Connect { url: settings.url.clone(), source })
}

/// A new database gets its log's id.
async fn begin_log(database: &DatabaseConnection) -> Result<(), DbErr> {
    let head = log_head::Model { id: 1, log: random_log_id(), last_id: 0, last_timestamp: 0 };
    log_head::Entity::insert(log_head::ActiveModel::from(head))
        .on_conflict(sea_query::OnConflict::column(log_head::Column::Id).do_nothing().to_owned())
        .exec_without_returning(database)
        .await?;
    Ok(())
}
