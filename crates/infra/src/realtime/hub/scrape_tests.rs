//! What scraping asks of the workers.

use actix_socketio::{Config, SocketIo};
use lobby_domain::ports::Sessions;
use lobby_domain::presence::Limits;
use lobby_domain::testing::MemoryStore;

use super::*;
use crate::bus::in_process::InProcess;
use crate::http::Readiness;
use crate::metrics::{Metrics, Sources};
use crate::presence::Attendants;
use crate::writer::{Health, QueueDepth};

#[tokio::test(start_paused = true)]
async fn workers_are_asked_once_for_all_who_scrape_at_the_same_time() {
    let store = Arc::new(MemoryStore::default());
    let (online, head) = (store.online().await.expect("a look"), store.head().await.expect("a look"));
    let hub = Arc::new(Hub::new(online, head, 200, store.clone(), store.clone()));
    let (_feed, mut worker) = hub.attach();
    let bus = Arc::new(InProcess::default());
    let attendants = Attendants::new(&Limits::default());
    let metrics = Metrics::default();
    metrics.watch(Sources {
        hub,
        readiness: Readiness::new(store, Health::new(), attendants, bus.clone()),
        bus,
        queue: QueueDepth::of_nothing(),
        socketio: SocketIo::new(Config::default()),
    });
    // The worker does not answer in time, which nobody is kept from an answer by.
    let all = futures_util::future::join_all((0..100).map(|_| metrics.text())).await;
    assert!(all.iter().all(|text| text == &all[0] && text.starts_with(b"# HELP lobby_")));
    let mut asked = 0;
    while worker.try_recv().is_ok() {
        asked += 1;
    }
    assert_eq!(asked, 1);
    metrics.text().await;
    assert!(worker.try_recv().is_ok(), "whoever scrapes later sees what is so then");
}
