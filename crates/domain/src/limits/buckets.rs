use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::time::Duration;

use super::Quota;
use super::quota::Bucket;

/// A bucket for each who has been there lately. There are two generations of them: who has not been there for a whole one has a
/// full bucket again, and is forgotten with the whole generation, so that nothing has to be looked through.
#[derive(Debug)]
pub struct Buckets<K> {
    quota: Quota,
    recent: HashMap<K, Bucket>,
    older: HashMap<K, Bucket>,
    turned: Duration,
}

impl<K: Eq + Hash + Copy> Buckets<K> {
    /// The most of one generation, some 6 MB of both. Beyond it the older one is forgotten too early: those who were in it may have
    /// a burst more than they should, and what all have together is not touched by it.
    pub const MOST: usize = 1 << 16;

    pub(super) fn new(quota: Quota) -> Self {
        Self { quota, recent: HashMap::new(), older: HashMap::new(), turned: Duration::ZERO }
    }

    /// What would become of a bucket; or how long to wait. Nothing is taken yet.
    pub(super) fn look(&self, key: K, now: Duration) -> Result<Bucket, Duration> {
        let bucket = self.recent.get(&key).or_else(|| self.older.get(&key));
        bucket.copied().unwrap_or_default().spend(self.quota, now)
    }

    /// What has become of it.
    pub(super) fn keep(&mut self, key: K, bucket: Bucket, now: Duration) {
        if now >= self.turned + self.quota.fills_within() || self.recent.len() >= Self::MOST {
            self.older = mem::take(&mut self.recent);
            self.turned = now;
        }
        self.recent.insert(key, bucket);
    }

    /// How many are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.recent.len() + self.older.len()
    }
}
