use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_socketio::NodeName;
use lobby_domain::presence::NodeId;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::address::{Address, name_of};
use crate::persistence::Store;

/// How long nobody looks which nodes are up, where nobody asks: as good as a second.
const LOOK_AFTER: Duration = Duration::from_millis(900);

/// Between two looks, where somebody asks for one that is not known: it may have started just now. Whoever makes names up has no more
/// looked for than this.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long a request waits for such looks.
const PATIENCE: Duration = Duration::from_millis(500);

/// Which nodes are up, and where. Clones share it.
#[derive(Clone)]
pub struct Nodes {
    store: Store,
    known: watch::Sender<Known>,
    /// Somebody has asked for a node that is not known.
    asked: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Known {
    addresses: HashMap<String, Address>,
}

impl Nodes {
    /// Knows none, before [`Self::follow`] has looked.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, known: watch::Sender::default(), asked: Arc::default() }
    }

    /// Looks again and again. While the database is away, those count that were up before.
    pub async fn follow(self) {
        loop {
            match self.store.addresses().await {
                Ok(rows) => self.know(rows),
                Err(error) => tracing::debug!(%error, "it stays unknown which nodes are up"),
            }
            sleep(LOOK_AGAIN).await;
            let _due = timeout(LOOK_AFTER, self.asked.notified()).await;
        }
    }

    /// Where a node is reached, if it is up and can be. One that is not known may be about to say so: it is looked for again
    /// for a moment.
    pub(super) async fn find(&self, node: &NodeName) -> Option<Address> {
        let mut known = self.known.subscribe();
        let looking = async {
            loop {
                if let Some(address) = known.borrow_and_update().addresses.get(node.as_str()) {
                    return Some(address.clone());
                }
                self.asked.notify_one();
                known.changed().await.ok()?;
            }
        };
        // Where the database is away nobody waits for long either.
        timeout(PATIENCE, looking).await.ok()?
    }

    /// Waits until a node is not up any more.
    pub(super) async fn gone(&self, node: &NodeName) {
        let mut known = self.known.subscribe();
        let gone = known.wait_for(|known| !known.addresses.contains_key(node.as_str())).await;
        drop(gone.expect("the sending half is ours"));
    }

    /// A node with an address that makes no sense cannot be reached.
    fn know(&self, rows: Vec<(NodeId, String)>) {
        let known =
            |(node, address): (NodeId, String)| Some((name_of(node).to_string(), address.parse().ok()?));
        let addresses = rows.into_iter().filter_map(known).collect();
        self.known.send_replace(Known { addresses });
    }
}
