//! Where the data is, how safe, and why it cannot be opened.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use lobby_domain::presence::Limits;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{DbErr, RuntimeErr};
use url::{Url, form_urlencoded};

/// Parameters of a URL that name files, as the driver knows them.
const CERTIFICATES: [&str; 7] =
    ["sslrootcert", "ssl-root-cert", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key"];

/// Where the data is, and how safe.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    pub(super) url: String,
    pub(super) place: Place,
    durability: Durability,
    pub(super) timeouts: Timeouts,
    limits: Limits,
    address: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Place {
    File(PathBuf),
    Network,
}

/// How long one node may hold up the others, on PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// How long a statement waits for another node's lock.
    pub lock: Duration,
    /// How long a statement may take, waiting for locks included.
    pub statement: Duration,
    /// How long a transaction may stand still, as that of a frozen node does, before the database ends it.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { lock: Duration::from_secs(2), statement: Duration::from_secs(3), idle: Duration::from_secs(1) }
    }
}

impl StoreSettings {
    /// `url` is `sqlite://PATH`, with `?mode=rwc` behind it to make the file where there is none, or
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub fn new(url: &str, durability: Durability, timeouts: Timeouts) -> Result<Self, OpenStoreError> {
        let malformed = |error| OpenStoreError::Connect {
            database: shown(url),
            source: DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))),
        };
        let place = match url.split_once("://") {
            Some(("sqlite", _)) => {
                let options = SqliteConnectOptions::from_str(url).map_err(malformed)?;
                Place::File(options.get_filename().to_owned())
            }
            Some(("postgres" | "postgresql", _)) => {
                PgConnectOptions::from_str(url).map_err(malformed)?;
                Place::Network
            }
            Some((kind, _)) => return Err(OpenStoreError::UnknownKind(kind.to_owned())),
            // No more of it than that: there may be a password in the rest.
            None => {
                let kind = url.split(':').next().unwrap_or_default();
                return Err(OpenStoreError::UnknownKind(kind.to_owned()));
            }
        };
        Ok(Self {
            url: url.to_owned(),
            place,
            durability,
            timeouts,
            limits: Limits::default(),
            address: None,
        })
    }

    /// With other limits of presence than the default ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// For a node that the others reach at this address; what there is to say about it is up to them.
    #[must_use]
    pub fn with_address(self, address: Option<String>) -> Self {
        Self { address, ..self }
    }

    pub(super) fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Keeps every other lobby away from a database that is a file until what is returned is dropped: each would tell
    /// its own clients only half of what happens.
    pub fn lock(&self) -> Result<Option<File>, OpenStoreError> {
        let Some(path) = self.beside("-lock") else { return Ok(None) };
        let failed = |source| OpenStoreError::Lock { path: path.clone(), source };
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(OpenStoreError::InUse(shown(&self.url))),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Makes the database's file, where there is none and the URL has one made, for its owner alone: private messages are in it. The files beside
    /// it are as SQLite finds this one.
    pub(super) fn make_private(&self) {
        let Place::File(file) = &self.place else { return };
        if is_made(&self.url) {
            let mut options = File::options();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            // It is there already, or SQLite fails likewise, and says so.
            let _ = options.open(file);
        }
    }

    /// A file beside the database's, whose name has `suffix` behind it; none where the database is no file.
    #[must_use]
    pub fn beside(&self, suffix: &str) -> Option<PathBuf> {
        let Place::File(file) = &self.place else { return None };
        let mut path = file.clone().into_os_string();
        path.push(suffix);
        Some(path.into())
    }

    /// Which database it is, without its password.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.url)
    }

    /// Looks whether the files can be read that the URL names for TLS: to its driver that would be one more reason why there is no connection.
    pub(super) fn check_certificates(&self) -> Result<(), OpenStoreError> {
        let Ok(url) = Url::parse(&self.url) else { return Ok(()) };
        for (parameter, file) in url.query_pairs().filter(|(name, _)| CERTIFICATES.contains(&&**name)) {
            File::open(&*file).map_err(|source| OpenStoreError::Certificate {
                parameter: parameter.to_string(),
                file: file.to_string(),
                source,
            })?;
        }
        Ok(())
    }

    pub(super) fn durability(&self) -> Durability {
        self.durability
    }
}

/// What may be shown of a URL: not the password, which stands before the host or in the query.
pub(super) fn shown(url: &str) -> String {
    let Some((kind, place)) = url.split_once("://") else { return url.to_owned() };
    if kind == "sqlite" {
        return url.to_owned();
    }
    let (place, query) = place.split_once(['?', '#']).unwrap_or((place, ""));
    match place.rsplit_once('@') {
        Some((_, host)) => format!("{kind}://…@{host}"),
        // That may be a password with a '?' in it which is not escaped as it should be.
        None if query.contains('@') => format!("{kind}://…"),
        None => format!("{kind}://{place}"),
    }
}

/// What an acknowledged commit survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Everything, a power cut too: each commit is synced to the disk.
    #[default]
    Full,
    /// A crash of the lobby. A power cut may take the last moments, on PostgreSQL a crash of the database too.
    Normal,
}

/// Why the database could not be opened. [`Self::may_pass`] says whether to try again.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// A kind of database that is not served.
    #[error(
        "database.url has to begin with 'sqlite://' or 'postgres://', as in 'sqlite://lobby.db?mode=rwc' or \
         'postgres://lobby@localhost/lobby'; it begins with '{0}'"
    )]
    UnknownKind(String),
    /// A file that the URL names for TLS.
    #[error("database.url: the file '{file}', which '{parameter}' names, cannot be read: {source}")]
    Certificate {
        /// By which parameter.
        parameter: String,
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// No file, no server, no permission, no database.
    #[error("the database '{database}' cannot be opened: {source}")]
    Connect {
        /// Which.
        database: String,
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
    /// A step of the schema failed, or the schema is not one of ours.
    #[error("the database schema cannot be brought up to date: {0}")]
    Migrate(#[source] DbErr),
}

/// Whether a database that is not there is made. The path, which is not looked at, need not be good in a URL as such.
fn is_made(url: &str) -> bool {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    form_urlencoded::parse(parameters.as_bytes()).any(|(name, value)| name == "mode" && value == "rwc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_made_where_its_url_says_so_whatever_its_path() {
        for path in ["lobby.db", "my lobby.db", "/var/lib/my%20data/lobby.db", "/some where/lobby.db"] {
            assert!(is_made(&format!("sqlite://{path}?mode=rwc")), "{path}");
            assert!(is_made(&format!("sqlite://{path}?cache=private&mode=rwc")), "{path}");
            for other in ["", "?mode=rw", "?mode=ro&cache=rwc"] {
                assert!(!is_made(&format!("sqlite://{path}{other}")), "{path}{other}");
            }
        }
    }
}
