//! The bus of nodes that share a process. The usual lobby is the only one, and pays for it with a look at an empty list.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use lobby_domain::ports::{Bus, Hint, Link, Standing};

use super::counts::Counts;
use super::queue::Queue;

/// Hints that may wait to be fetched: each of at most one transaction's events.
const INBOX: usize = 256;

/// One node's end of the bus.
pub struct InProcess {
    nodes: Arc<Nodes>,
    inbox: Arc<Inbox>,
}

/// Everybody on the bus.
#[derive(Default)]
struct Nodes {
    /// A std mutex: it is held while hints are put into inboxes, which never waits.
    inboxes: Mutex<Vec<Arc<Inbox>>>,
}

struct Inbox {
    hints: Queue<Arc<Hint>>,
    counts: Counts,
}

impl Default for InProcess {
    /// A node alone on a bus of its own.
    fn default() -> Self {
        Self::on(Arc::default())
    }
}

impl InProcess {
    /// One more node on the same bus.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::on(self.nodes.clone())
    }

    fn on(nodes: Arc<Nodes>) -> Self {
        let inbox = Arc::new(Inbox { hints: Queue::new(INBOX), counts: Counts::default() });
        nodes.inboxes().push(inbox.clone());
        Self { nodes, inbox }
    }
}

impl Nodes {
    fn inboxes(&self) -> MutexGuard<'_, Vec<Arc<Inbox>>> {
        self.inboxes.lock().expect("nothing panics while it looks for nodes")
    }
}

#[async_trait]
impl Bus for InProcess {
    fn publish(&self, hint: &Hint) {
        let inboxes = self.nodes.inboxes();
        let mut others = inboxes.iter().filter(|inbox| !Arc::ptr_eq(inbox, &self.inbox)).peekable();
        if others.peek().is_none() {
            return;
        }
        let hint = Arc::new(hint.clone());
        for other in others {
            if !other.hints.push(hint.clone(), 1) {
                other.counts.dropped.add(1);
            }
        }
        self.inbox.counts.published.add(1);
    }

    async fn hear(&self) -> Hint {
        let hint = self.inbox.hints.next().await;
        self.inbox.counts.heard.add(1);
        Arc::unwrap_or_clone(hint)
    }

    fn standing(&self) -> Standing {
        self.inbox.counts.standing(Link::InProcess)
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.nodes.inboxes().retain(|inbox| !Arc::ptr_eq(inbox, &self.inbox));
    }
}
