use async_trait::async_trait;

use crate::event::Event;

/// Tells everybody what has happened.
#[async_trait]
pub trait Announcer: Send + Sync {
    /// Tells `events`, which are committed, to everybody who may know, in this order and after all that was
    /// announced before. MUST NOT wait for any receiver.
    async fn announce(&self, events: Vec<Event>);
}
