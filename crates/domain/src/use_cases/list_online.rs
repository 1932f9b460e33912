use std::sync::Arc;

use crate::ports::{Online, Sessions, Unavailable};
use crate::session::{Session, SessionId};
use crate::timestamp::Timestamp;

/// Says who is online.
pub struct ListOnline {
    sessions: Arc<dyn Sessions>,
}

/// In which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortBy {
    /// By name, small and capital letters alike.
    #[default]
    Pseudonym,
    /// Who has been online longest comes first.
    ConnectedAt,
}

impl ListOnline {
    /// Over these sessions.
    pub fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self { sessions }
    }

    /// Everybody who is online.
    pub async fn execute(&self, sort_by: SortBy) -> Result<Online, Unavailable> {
        let mut online = self.sessions.online().await?;
        match sort_by {
            SortBy::Pseudonym => online.sessions.sort_by_cached_key(by_name),
            SortBy::ConnectedAt => online.sessions.sort_by_key(by_age),
        }
        Ok(online)
    }
}

/// By what is read, not by the key, in which `m` is `rn`.
fn by_name(session: &Session) -> (String, SessionId) {
    (session.pseudonym.as_str().to_lowercase(), session.id)
}

fn by_age(session: &Session) -> (Timestamp, SessionId) {
    (session.connected_at, session.id)
}
