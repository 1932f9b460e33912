use sea_orm::sqlx::{self, error::DatabaseError};
use sea_orm::{DbErr, RuntimeErr};

use super::OpenStoreError;

/// Classes and codes of PostgreSQL's errors that its state explains and not what was asked for (its manual, appendix A): the
/// connection, too little room, an operator's intervention, which includes a start that is under way.
const PASSING: [&str; 3] = ["08", "53", "57"];

impl OpenStoreError {
    /// Whether the database is away, or not yet there, and may be opened later with the same settings. Else only somebody who
    /// changes something can help: a name or password that is wrong, a database that is not there, a schema that is another.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect { source, .. } | Self::Migrate(source) => is_away(source),
            Self::UnknownKind(_) | Self::Certificate { .. } | Self::InUse(_) | Self::Lock { .. } => false,
        }
    }
}

fn is_away(error: &DbErr) -> bool {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => is_passing(error),
        DbErr::ConnectionAcquire(_) => true,
        _ => false,
    }
}

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        // A host whose name is not known is a machine that has not started yet, as often as a slip.
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => is_state(error.as_ref()),
        _ => false,
    }
}

fn is_state(error: &dyn DatabaseError) -> bool {
    // SQLite's codes are numbers: a file is there or not.
    let code = error.code().filter(|code| code.len() == 5);
    code.is_some_and(|code| PASSING.iter().any(|class| code.starts_with(class)))
}
