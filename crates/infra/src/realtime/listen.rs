//! What other nodes tell over the bus.

use std::sync::Arc;

use lobby_domain::ports::{Hint, News};

use super::hub::Hub;

/// Takes in what comes over the hub's bus, until this is dropped. All of it is hints: see [`follow`](super::follow::follow)
/// for what becomes of those that do not come.
pub async fn listen(hub: Arc<Hub>) {
    loop {
        let hint = hub.bus.hear().await;
        heed(&hub, hint).await;
    }
}

async fn heed(hub: &Hub, hint: Hint) {
    let (log, _) = hub.position();
    if hint.log != log {
        // Of another lobby, or of one that was given another log a moment ago: the follower will see.
        return;
    }
    match hint.news {
        News::Happened(events) => hub.take_in(events, log, Vec::new()).await,
        News::Typing { from, to } => hub.show_typing(from, to),
        News::Superseded(pid) => hub.supersede_here(pid).await,
    }
}

#[cfg(test)]
mod tests;
