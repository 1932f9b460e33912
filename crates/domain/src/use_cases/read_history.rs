use std::sync::Arc;

use crate::auth::Caller;
use crate::message::MessageId;
use crate::ports::{MessageLog, Page, PageQuery, Span, Unavailable, Viewer};
use crate::resume::{NotResumable, Resume};

/// The most messages of one page.
pub const MAX_PAGE: usize = 200;
/// Messages of a page where nobody says how many.
pub const DEFAULT_PAGE: usize = 50;

/// Reads what was said.
pub struct ReadHistory {
    log: Arc<dyn MessageLog>,
}

/// What somebody wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// What follows a message, in full or not at all.
    After(Resume),
    /// What came before a message, as far as it is kept.
    Before(MessageId),
    /// The newest.
    Newest,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// What follows the message cannot be had in full.
    #[error(transparent)]
    NotResumable(#[from] NotResumable),
    /// The storage is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl ReadHistory {
    /// From this log.
    pub fn new(log: Arc<dyn MessageLog>) -> Self {
        Self { log }
    }

    /// At most `limit` messages that `caller` may see, 1 to [`MAX_PAGE`] of them.
    pub async fn execute(
        &self,
        caller: &Caller,
        passage: Passage,
        limit: usize,
    ) -> Result<Page, HistoryError> {
        let span = match passage {
            Passage::After(resume) => Span::After(resume.after),
            Passage::Before(id) => Span::Before(id),
            Passage::Newest => Span::Before(MessageId(i64::MAX)),
        };
        let viewer = caller.session().map_or(Viewer::Nobody, |session| Viewer::Session(session.id));
        let page = self.log.page(PageQuery { span, limit: limit.clamp(1, MAX_PAGE), viewer }).await?;
        if let Passage::After(resume) = passage {
            resume.check(&page.head)?;
        }
        Ok(page)
    }
}
