use crate::session::SessionId;

/// Which sessions have somebody listening who has certainly proved to be them.
pub trait Reach: Send + Sync {
    /// Whether a connection that has shown the session's token or cookie is there.
    fn reaches(&self, session: SessionId) -> bool;
}
