use crate::session::SessionId;

/// Where new session ids come from.
pub trait SessionIds: Send + Sync {
    /// An id that was never given out before and cannot be guessed from others. Ids SHOULD sort by age.
    fn next(&self) -> SessionId;
}
