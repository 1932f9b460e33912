use std::time::Duration;

use async_trait::async_trait;

use super::{ChangeError, Unavailable};
use crate::event::{Departure, Revision};
use crate::presence::{Moment, NodeId};
use crate::pseudonym::PseudonymKey;
use crate::session::{Session, SessionId};
use crate::timestamp::Timestamp;

/// The answer to a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beaten {
    /// Presence time.
    pub now: Moment,
    /// Whether nobody else has moved it on since the count that the node gave, and the node did.
    pub alone: bool,
    /// Whether the node has held its lease since its last beat that was answered: what it recorded counts. If not, nothing
    /// that it recorded does any more.
    pub held: bool,
}

/// What came of a session that arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attended {
    /// It is alive, and served by the node now.
    Living(Session),
    /// It had run out and is back, with this change of who is online; and served by the node now.
    BroughtBack(Session, Revision),
    /// It is over and cannot come back.
    Over,
}

impl Attended {
    /// The session, if it is served now.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Living(session) | Self::BroughtBack(session, _) => Some(session),
            Self::Over => None,
        }
    }
}

/// A session that is alive, and the change of who is online that made it so, if it had to be brought back.
pub type Woken = (Session, Option<Revision>);

/// Why a node could not record or end anything.
#[derive(Debug, thiserror::Error)]
pub enum AttendError {
    /// The node has no lease, or it has run out: nothing was changed, and the node has to beat.
    #[error("the node's lease has run out")]
    LeaseLost,
    /// The storage is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The storage was asked to commit and could not be asked for long enough what came of it.
    #[error("what came of this is not known")]
    OutcomeUnknown(#[source] Unavailable),
}

impl From<ChangeError> for AttendError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unavailable(error) => Self::Unavailable(error),
            ChangeError::OutcomeUnknown(error) => Self::OutcomeUnknown(error),
        }
    }
}

/// Which sessions are there, by the rules of [`crate::presence::Standing`]; and presence time, which begins at
/// `Moment(0)`.
///
/// Each method is one transaction, at the presence time that the last beat made ("now"). What a node recorded whose lease
/// has run out MUST count as gone since the lease's end, in every method that looks at it. Whoever joins or leaves MUST
/// take the next revision, without a gap, in commit order, in the same transaction, as in [`super::Sessions`]. In
/// which order locks are taken is up to the implementation; two methods that meet MUST NOT deadlock for longer than
/// it takes to try again.
///
/// `at` is the wall clock's time. It MUST decide nothing but [`Self::forget`], and be shown as when a session joined.
///
/// [`super::Sessions`] goes by the same rules: `open` begins a [`crate::presence::Standing::opened`] and MUST refuse a name
/// that a session which is over holds ([`super::OpenError::NameHeld`]), `end` logs out and frees the name at once.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Presence: Send + Sync {
    /// Moves presence time on and renews the node's lease from then.
    ///
    /// `since` is the answer to the node's last beat, and for how long its own clock has run since. Now becomes their
    /// sum, if that is later; but a time longer than a lease MUST count as nothing: who says that was frozen or cut off.
    /// Only then it is seen whether the node has held its lease ever since the answer that it names: the lease has not run
    /// out, and began no later than that. (The answer that said it was lost may itself have been lost.) If not, a new lease
    /// begins, and all that the node recorded MUST be gone when this is committed: as of the old lease's end if that has
    /// run out, else as of now.
    async fn beat(&self, node: NodeId, since: Option<(Moment, Duration)>) -> Result<Beaten, ChangeError>;

    /// Records, all in one, which sessions the node serves from now on and which it serves no more; a session is in one of
    /// the two. Answers what came of each arrival, in order.
    ///
    /// MUST refuse all of it if the node's lease has run out. An arrival that was recorded already is no error, and a
    /// departure of what the node does not serve changes nothing: so it may all be said again when the outcome was not
    /// known. A session that ran out comes back, if it may.
    async fn attend(
        &self,
        node: NodeId,
        arrivals: &[SessionId],
        departures: &[(SessionId, Moment)],
        at: Timestamp,
    ) -> Result<Vec<Attended>, AttendError>;

    /// When there will be something to reap: the next session is over that is not served, or the next lease runs out.
    async fn next_over(&self) -> Result<Option<Moment>, Unavailable>;

    /// Ends sessions that are over, those first whose time came first, at most `most` of them: fewer mean that no more
    /// are over. Each MUST be ended once, however many nodes try at the same time, and be in exactly one answer.
    ///
    /// MUST refuse it if the node's lease has run out. Nodes that are dead are forgotten here.
    async fn reap(&self, node: NodeId, most: u32, at: Timestamp) -> Result<Vec<Departure>, AttendError>;

    /// A request was made with the token of this session: touches it, claims it if asked to, and brings it back if it ran
    /// out. `None` if it is over for good, or somebody else has or holds its name, or there is no such session.
    ///
    /// What is touched so often that it need not be written SHOULD cost a read only.
    async fn wake(&self, id: SessionId, claim: bool, at: Timestamp) -> Result<Option<Woken>, ChangeError>;

    /// Somebody acts by this name alone: touches the living unclaimed session that is best meant
    /// ([`crate::session::best_match`]), or brings back the one that last had the name (by the revision with which it
    /// left), if it is unclaimed and ran out.
    /// `None` if there is no such session, or the name has or is held by a session that is claimed.
    async fn wake_named(&self, key: &PseudonymKey, at: Timestamp) -> Result<Option<Woken>, ChangeError>;

    /// The session, if it ran out and was not logged out: its token is still good, while nobody else has or holds the
    /// name, which is not looked at here.
    async fn dormant(&self, id: SessionId) -> Result<Option<Session>, Unavailable>;

    /// The node stops in good order: it serves nothing from `gone` on, and is forgotten.
    async fn leave(&self, node: NodeId, gone: Moment) -> Result<(), ChangeError>;

    /// Forgets sessions that ended before a time, with their client ids, and with the right to come back. At most `most` at a
    /// time; `true` if there may be more.
    ///
    /// An end counts as no earlier than when the last of those came who were online until then, and than the last message,
    /// whatever the wall clock said: set back for a while, it would have tokens forgotten that were used a moment ago.
    async fn forget(&self, before: Timestamp, most: u32) -> Result<bool, ChangeError>;
}
