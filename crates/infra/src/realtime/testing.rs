//! For tests of the hub.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::follow::follow;
use super::hub::Hub;

/// Somebody who keeps a hub up, until this is dropped.
pub(super) struct Following(JoinHandle<()>);

impl Following {
    pub(super) fn start(hub: &Arc<Hub>) -> Self {
        Self(tokio::spawn(follow(hub.clone())))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}
