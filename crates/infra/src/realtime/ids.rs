//! What a connection is called in the log.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::HeaderMap;
use tracing::Span;

use crate::http::requests::REQUEST_ID;
use crate::metrics::Ending;

/// A number of its own, which a node gives in turn, and the id of the request that has opened it.
pub(super) struct Ids {
    connection: u64,
    /// Copied: the header is a piece of the buffer that the whole request was read to.
    request: Option<Box<str>>,
}

impl Ids {
    /// Of a connection that was opened with these headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);

        let connection = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let request = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        Self { connection, request: request.map(Into::into) }
    }

    /// What is logged in there has the ids, whatever is logged. It is for what does not take long: for each connection at all times it
    /// would be a tenth of the memory that an idle one takes.
    pub(super) fn span(&self) -> Span {
        tracing::error_span!(parent: None, "connection", id = self.connection, request = self.request())
    }

    /// The same at all times, where so much is logged that it matters no more.
    pub(super) fn debug_span(&self) -> Span {
        tracing::debug_span!(parent: None, "connection", id = self.connection, request = self.request())
    }

    fn request(&self) -> Option<&str> {
        self.request.as_deref()
    }

    /// Tells of the end of a connection that had been let in. Who was cut off may complain.
    pub(super) fn tell_of_end(&self, ending: Ending, how: &dyn Display) {
        let reason = ending.as_str();
        self.span().in_scope(|| match ending {
            Ending::TooSlow | Ending::Protocol => tracing::info!(reason, %how, "a connection was cut off"),
            Ending::Client | Ending::Lost | Ending::Server => {
                tracing::debug!(reason, %how, "a connection has ended");
            }
        });
    }

    /// Tells that a connection was not let in, and why. Of a crowd that may come back soon each would be a line too many, just when there
    /// is a lot to do.
    pub(super) fn tell_of_refusal(&self, reason: &str, passes: bool) {
        self.span().in_scope(|| {
            if passes {
                tracing::debug!(reason, "a connection was refused");
            } else {
                tracing::info!(reason, "a connection was refused");
            }
        });
    }
}
