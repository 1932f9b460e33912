use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use super::Quota;
use super::quota::Bucket;

/// A bucket for each who has been there lately. One that is full again is as if it had never been used, and is forgotten when room is
/// needed; no other ever is. Who comes where there is no room shares one bucket with all who come so.
///
/// So nobody ever gets more than their quota; and nobody gets less, unless more than half as many as may be remembered have buckets that
/// are not full.
#[derive(Debug)]
pub struct Buckets<K> {
    quota: Quota,
    most: usize,
    own: HashMap<K, Bucket>,
    /// That of all who are not remembered. It is full unless there was no room for somebody.
    others: Bucket,
    /// How many are remembered when it is looked for those who need not be.
    look_at: usize,
    /// When it is looked again, after a look that has found few.
    look_again: Duration,
}

impl<K: Eq + Hash + Copy> Buckets<K> {
    /// The most that are remembered, at some 65 bytes each: 4 MB.
    pub const MOST: usize = 1 << 16;

    /// So few that it is not worth a look.
    pub(super) const FEW: usize = 1 << 10;

    /// Looks that find few are made so many times at most while a bucket fills.
    const LOOKS: u32 = 8;

    pub(super) fn new(quota: Quota) -> Self {
        Self::of_at_most(Self::MOST, quota)
    }

    pub(super) fn of_at_most(most: usize, quota: Quota) -> Self {
        let (own, others) = (HashMap::new(), Bucket::default());
        Self { quota, most, own, others, look_at: Self::FEW.min(most), look_again: Duration::ZERO }
    }

    /// What would become of a bucket; or how long to wait. Nothing is taken yet.
    pub(super) fn look(&self, key: K, now: Duration) -> Result<Bucket, Duration> {
        self.own.get(&key).copied().unwrap_or(self.others).spend(self.quota, now)
    }

    /// What has become of it.
    pub(super) fn keep(&mut self, key: K, bucket: Bucket, now: Duration) {
        if let Some(own) = self.own.get_mut(&key) {
            *own = bucket;
            return;
        }
        if self.own.len() >= self.look_at && now >= self.look_again {
            self.forget_the_full(now);
        }
        if self.own.len() < self.most {
            self.own.insert(key, bucket);
        } else {
            self.others = bucket;
        }
    }

    /// A token is given back. Who is not remembered any more has all of them.
    pub(super) fn give_back(&mut self, key: K) {
        if let Some(own) = self.own.get_mut(&key) {
            *own = own.regain(self.quota);
        }
    }

    /// Each look goes through as many as have come since the one before at least, or there are few looks: so it costs each who comes
    /// next to nothing.
    fn forget_the_full(&mut self, now: Duration) {
        self.own.retain(|_, bucket| !bucket.is_full(now));
        self.look_at = (self.own.len() * 2).max(Self::FEW).min(self.most);
        if self.own.len() * 2 > self.most {
            self.look_again = now + self.quota.fills_within() / Self::LOOKS;
        }
    }

    /// How many are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.own.len()
    }
}
