use std::time::Duration;

use async_trait::async_trait;

use super::Unavailable;
use crate::auth::Authority;
use crate::event::Revision;
use crate::pseudonym::{Pseudonym, PseudonymKey};
use crate::roster::{Place, SortBy};
use crate::session::{Session, SessionId};
use crate::timestamp::Timestamp;

/// A session that is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// The name it takes.
    pub pseudonym: Pseudonym,
    /// Whether it begins claimed.
    pub claimed: bool,
    /// When.
    pub now: Timestamp,
}

/// Why a session was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A living session has the same name.
    #[error("the name is taken")]
    NameTaken,
    /// A claimed session of the same name ran out a short while ago, and may still come back.
    #[error("the name is held")]
    NameHeld {
        /// For how long yet.
        retry_after: Duration,
    },
    /// The storage is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The storage was asked to commit and could not be asked for long enough what came of it.
    #[error("what came of this is not known")]
    OutcomeUnknown(#[source] Unavailable),
}

/// Why a session was not changed, as far as is known.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The storage is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The storage was asked to commit and could not be asked for long enough what came of it.
    #[error("what came of this is not known")]
    OutcomeUnknown(#[source] Unavailable),
}

impl From<ChangeError> for OpenError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unavailable(error) => Self::Unavailable(error),
            ChangeError::OutcomeUnknown(error) => Self::OutcomeUnknown(error),
        }
    }
}

/// Everybody who is online, and as of which change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Online {
    /// The last change the list contains.
    pub revision: Revision,
    /// The living sessions, by id.
    pub sessions: Vec<Session>,
}

/// Which part of the list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineQuery {
    /// In which order.
    pub sort_by: SortBy,
    /// Behind which place in that order; from the beginning, if nothing is said.
    pub after: Option<Place>,
    /// How many sessions at most.
    pub most: usize,
}

/// A part of the list of who is online.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlinePage {
    /// The sessions, in the order that was asked for, and the revision of just that list.
    pub online: Online,
    /// Whether somebody is behind them.
    pub has_more: bool,
}

/// The sessions that are alive, and the names they hold.
///
/// Each method is one transaction. [`Self::open`] and [`Self::end`] MUST give each change the next revision,
/// without a gap, in commit order, in the same transaction.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Opens a session. MUST refuse it while a living session's key matches, or that of one which holds its name,
    /// also between two that try at the same time.
    ///
    /// The name's user is the one of equal folded key, else of a key that matches otherwise, else a new one.
    async fn open(&self, session: NewSession) -> Result<(Session, Revision), OpenError>;

    /// Ends a session; its name is free at once. With [`Authority::Name`] only while it is unclaimed, seen in
    /// the same transaction. `None` if nothing was ended.
    async fn end(
        &self,
        id: SessionId,
        by: Authority,
        now: Timestamp,
    ) -> Result<Option<Revision>, ChangeError>;

    /// The session, if it is alive.
    async fn find(&self, id: SessionId) -> Result<Option<Session>, Unavailable>;

    /// All living sessions whose name matches one of `keys`, in no order.
    async fn named(&self, keys: &[PseudonymKey]) -> Result<Vec<Session>, Unavailable>;

    /// All names that were ever used and match one of `keys`, in no order.
    async fn used_names(&self, keys: &[PseudonymKey]) -> Result<Vec<Pseudonym>, Unavailable>;

    /// Everybody who is online, and the revision of just that list.
    async fn online(&self) -> Result<Online, Unavailable>;

    /// A part of that list, in the order of [`Place`]. MUST NOT read more of it than it takes. [`OnlineQuery::after`] is a
    /// place in the order that is asked for.
    async fn online_page(&self, query: OnlineQuery) -> Result<OnlinePage, Unavailable>;
}
