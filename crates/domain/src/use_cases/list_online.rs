use std::sync::Arc;

use crate::ports::{Online, OnlinePage, OnlineQuery, Sessions, Unavailable};
use crate::roster::{Place, SortBy};

/// The most sessions of one page.
pub const MAX_USERS: usize = 1_000;

/// Says who is online.
pub struct ListOnline {
    sessions: Arc<dyn Sessions>,
}

impl ListOnline {
    /// Over these sessions.
    pub fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self { sessions }
    }

    /// Everybody who is online.
    pub async fn execute(&self, sort_by: SortBy) -> Result<Online, Unavailable> {
        let mut online = self.sessions.online().await?;
        online.sessions.sort_by_cached_key(|session| Place::of(session, sort_by));
        Ok(online)
    }

    /// Some of those who are online, at most [`MAX_USERS`]. Whoever stays is in just one of the pages that follow each
    /// other, whoever else comes and goes.
    pub async fn page(&self, query: OnlineQuery) -> Result<OnlinePage, Unavailable> {
        let most = query.most.clamp(1, MAX_USERS);
        self.sessions.online_page(OnlineQuery { most, ..query }).await
    }
}
