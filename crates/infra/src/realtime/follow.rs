//! Keeps a hub up with the log and with who is online.

use std::sync::Arc;
use std::time::Duration;

use lobby_domain::event::Revision;
use lobby_domain::message::MessageId;
use lobby_domain::ports::{Changes, Page, PageQuery, Span, Unavailable, Viewer};
use lobby_domain::roster::Change;
use lobby_domain::session::SessionId;
use lobby_domain::timeline::Answer;
use tokio::time::{Instant, sleep_until};

use super::encode::Encoded;
use super::hub::{Core, Happened, Hub};

/// Between two looks how far the log has come, and how far the list: how long a message or a change can stay unheard of if
/// its announcement got lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Messages, or changes, of one read.
const PAGE: usize = 256;

/// Reads what the hub's timelines miss from storage, and tells what has waited long enough, until this is dropped.
/// Announcements, a node's own or others', are hints only: what they do not bring comes from here.
pub async fn follow(hub: Arc<Hub>) {
    tokio::join!(follow_log(&hub), follow_roster(&hub), publish(&hub));
}

async fn follow_log(hub: &Hub) {
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
        fill_gaps(hub).await;
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

async fn follow_roster(hub: &Hub) {
    let mut next_look = Instant::now() + LOOK_EVERY;
    loop {
        let now = hub.now();
        let gap = hub.core().changes.wake_at().map(|at| Instant::now() + at.saturating_sub(now));
        tokio::select! {
            () = sleep_until(gap.map_or(next_look, |gap| gap.min(next_look))) => {}
            () = hub.change.notified() => {}
        }
        if Instant::now() >= next_look {
            // What cannot be read is looked at again.
            let _looked = look(hub).await;
            next_look = Instant::now() + LOOK_EVERY;
        }
        fill_gaps_in_roster(hub).await;
        let _settled = settle_doubts(hub).await;
    }
}

/// Takes in how far the list has come. One that has gone back is another one: of a backup, or of a database that has lost
/// its last moments.
async fn look(hub: &Hub) -> Result<(), Unavailable> {
    let known = hub.core().revision();
    let revision = hub.roster.revision().await?;
    if revision < known {
        return begin_anew(hub).await;
    }
    hub.core().changes.look(revision.0, hub.now());
    Ok(())
}

async fn begin_anew(hub: &Hub) -> Result<(), Unavailable> {
    let online = hub.roster.online().await?;
    tracing::warn!(revision = online.revision.0, "changes of who is online are lost: the list begins anew");
    hub.begin_anew(online).await;
    Ok(())
}

async fn fill_gaps_in_roster(hub: &Hub) {
    let ask = || hub.core().changes.ask(hub.now());
    while let Some(after) = ask() {
        let filled = match hub.roster.changes(Revision(after), PAGE).await {
            Ok(missing) if missing.first_kept.0 > after + 1 => begin_anew(hub).await,
            Ok(missing) => {
                let answer = answer_of(missing);
                hub.advance_changes(|timeline, now| timeline.answer(answer, now)).await;
                Ok(())
            }
            Err(error) => Err(error),
        };
        if filled.is_err() {
            hub.core().changes.fail(hub.now());
        }
    }
}

fn answer_of(missing: Changes) -> Answer<Change> {
    let entries = missing.changes.into_iter().map(|change| (change.revision().0, change));
    Answer { first_kept: missing.first_kept.0, entries: entries.collect() }
}

/// Looks up sessions with connections of which it is not known that they are alive. One that is will be known soon, and its
/// end after that.
async fn settle_doubts(hub: &Hub) -> Result<(), Unavailable> {
    let doubts: Vec<_> = hub.core().doubts.iter().copied().collect();
    for id in doubts {
        // Before it is looked up: whoever is let in meanwhile is in doubt anew.
        hub.core().doubts.remove(&id);
        match hub.roster.find(id).await {
            Ok(Some(_)) => {}
            Ok(None) => hub.happen(|core, _| over_unless_in_doubt(core, id)).await,
            Err(error) => {
                hub.core().doubts.insert(id);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Whoever was let in since the session was looked up may have brought it back.
fn over_unless_in_doubt(core: &Core, id: SessionId) -> Happened {
    let ends = if core.doubts.contains(&id) { Vec::new() } else { vec![id] };
    Happened { ends, ..Happened::default() }
}

/// Tells what changed, as soon as it is time.
async fn publish(hub: &Hub) {
    loop {
        match hub.publish_at() {
            Some(at) => {
                sleep_until(at).await;
                hub.happen(Core::due).await;
            }
            None => hub.pending.notified().await,
        }
    }
}

#[cfg(test)]
mod tests;
