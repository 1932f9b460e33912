//! Keeps a hub up with the log.

use std::sync::Arc;
use std::time::Duration;

use lobby_domain::message::MessageId;
use lobby_domain::ports::{Page, PageQuery, Span, Viewer};
use lobby_domain::timeline::Answer;
use tokio::time::{Instant, sleep_until};

use super::encode::Encoded;
use super::hub::Hub;

/// Between two looks how far the log has come: how long a message can stay unheard of if its announcement got lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Messages of one read.
const PAGE: usize = 256;

/// Reads what the hub's timeline misses from the log, until this is dropped. Announcements, a node's own or others',
/// are hints only: what they do not bring comes from here.
pub async fn follow(hub: Arc<Hub>) {
    let mut next_look = Instant::now() + LOOK_EVERY;
    loop {
        let now = hub.now();
        let gap = hub.core().timeline.wake_at().map(|at| Instant::now() + at.saturating_sub(now));
        tokio::select! {
            () = sleep_until(gap.map_or(next_look, |gap| gap.min(next_look))) => {}
            () = hub.gap.notified() => continue,
        }
        if Instant::now() >= next_look {
            // A log that cannot be read is looked at again; the storage has said what it lacks.
            if let Ok(head) = hub.log.head().await {
                hub.look(head).await;
            }
            next_look = Instant::now() + LOOK_EVERY;
        }
        fill_gaps(&hub).await;
    }
}

async fn fill_gaps(hub: &Hub) {
    let ask = || hub.core().timeline.ask(hub.now());
    while let Some(after) = ask() {
        let query = PageQuery { span: Span::After(MessageId(after)), limit: PAGE, viewer: Viewer::Lobby };
        match hub.log.page(query).await {
            Ok(page) => {
                let answer = answer(&page);
                hub.advance(|timeline, now| timeline.answer(answer, now)).await;
            }
            Err(_) => hub.core().timeline.fail(hub.now()),
        }
    }
}

fn answer(page: &Page) -> Answer<Encoded> {
    let entries =
        page.messages.iter().map(|message| (message.id.0, Encoded::message(message.clone(), page.head.log)));
    Answer { first_kept: page.head.first_id.0, entries: entries.collect() }
}
