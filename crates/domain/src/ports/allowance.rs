use crate::limits::{Exceeded, Place};
use crate::session::SessionId;

/// How often anybody may speak as a session that has no claim, and of which they have shown nothing.
pub trait Allowance: Send + Sync {
    /// Somebody speaks as a session from a place. Whatever is refused there MUST NOT keep anybody else from speaking as it.
    fn speak_as(&self, session: SessionId, from: Option<Place>) -> Result<(), Exceeded>;
}
