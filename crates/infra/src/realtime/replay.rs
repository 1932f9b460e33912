//! Sends a connection what it missed, and joins it to the live feed without a gap and without a double.
//!
//! What it missed comes from the log, page by page, as fast as the client takes it, until all that is left is among the
//! hub's recent messages. From there the last step is one that nothing can come between: the shard notes up to where it has
//! sent, and from then on sends what the feed brings behind that.

use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use lobby_domain::message::{LogId, MessageId};
use lobby_domain::ports::{Page, PageQuery, Span, Unavailable, Viewer};
use lobby_domain::session::SessionId;

use super::encode::Encoded;
use super::hub::{Hub, Ticket};
use super::shard::Shard;
use super::sink::Sink;

/// Messages of one read: enough to make the read worth it. What there is no room for is read again.
const PAGE: usize = 64;

/// How much of the recent messages is sent at once, by [`Encoded::weight`]. With one long message more, and what queueing
/// each takes, that is less than half of the smallest outbox there may be: as much as there is room for.
const PORTION: usize = 32 * 1024;

/// Between two reads from a log that is away.
const RETRY: Duration = Duration::from_secs(1);

/// Runs until the member is live, or its connection ends. `log` is the one that its position is of.
pub(super) async fn run(shard: Rc<Shard>, ticket: Ticket, sink: Sink, viewer: Option<SessionId>, log: LogId) {
    // The shard is at work on this member; this goes on when it is done.
    while let Some(position) = shard.position_of(ticket) {
        sink.room().await;
        if let Some((messages, position, is_all)) = shard.hub.recent(position, PORTION) {
            if !shard.replayed(ticket, &messages, position, is_all) || is_all {
                return;
            }
            continue;
        }
        match read(&shard.hub, position, viewer).await {
            Ok(page) if page.head.log != log => return sink.go_away(),
            Ok(page) if page.head.first_id.0 > position + 1 => return sink.log_pruned(),
            Ok(page) if send_page(&shard, ticket, &sink, &page) => {}
            Ok(_) => return,
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn read(hub: &Hub, position: i64, viewer: Option<SessionId>) -> Result<Page, Unavailable> {
    let _turn = hub.replays.acquire().await.map_err(Unavailable::new)?;
    let viewer = viewer.map_or(Viewer::Nobody, Viewer::Session);
    hub.log.page(PageQuery { span: Span::After(MessageId(position)), limit: PAGE, viewer }).await
}

/// Sends as much of a page as there is room for: nothing is held for a client that takes its time. `false` if it takes
/// nothing any more.
fn send_page(shard: &Shard, ticket: Ticket, sink: &Sink, page: &Page) -> bool {
    for message in &page.messages {
        if sink.room().now_or_never().is_none() {
            return true;
        }
        let encoded = Encoded::message(message.clone(), page.head.log);
        if !shard.replayed(ticket, &[encoded], message.id.0, false) {
            return false;
        }
    }
    // What lies between is not for this viewer.
    page.has_more || shard.replayed(ticket, &[], page.head.last_id.0, false)
}
