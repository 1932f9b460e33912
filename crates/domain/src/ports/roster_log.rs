use async_trait::async_trait;

use super::{Sessions, Unavailable};
use crate::event::Revision;
use crate::roster::Change;

/// How many changes a storage keeps at least: what happens while a node is cut off for a while. A node that has missed more
/// reads the list anew.
pub const CHANGES_KEPT: i64 = 4_096;

/// What follows a revision, all of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The first change that is kept; one more than the newest if none is.
    pub first_kept: Revision,
    /// In order, without a gap.
    pub changes: Vec<Change>,
}

/// The newest changes of who is online, and the list itself.
///
/// [`Sessions::open`], [`Sessions::end`] and whatever else changes who is online MUST add the change in the transaction that
/// takes its revision. At least the newest [`CHANGES_KEPT`] MUST be kept, except those of a time before there was
/// a log of changes.
#[async_trait]
pub trait RosterLog: Sessions {
    /// The newest change.
    async fn revision(&self) -> Result<Revision, Unavailable>;

    /// The kept changes behind `after`, at most `most` of them.
    async fn changes(&self, after: Revision, most: usize) -> Result<Changes, Unavailable>;
}
