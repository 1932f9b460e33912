//! What has come of hints. Each number stands for itself, so no order between them is asked for.

use std::sync::atomic::{AtomicU64, Ordering};

use lobby_domain::ports::{Link, Standing};

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) published: Count,
    pub(super) heard: Count,
    pub(super) dropped: Count,
    pub(super) skipped: Count,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Counts {
    pub(super) fn standing(&self, link: Link) -> Standing {
        Standing {
            link,
            published: self.published.get(),
            heard: self.heard.get(),
            dropped: self.dropped.get(),
            skipped: self.skipped.get(),
        }
    }
}

impl Count {
    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
