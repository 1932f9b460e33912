use std::time::Duration;

/// How often something may be done: so many times at once, and once more each time that an interval has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    every: Duration,
    burst: u32,
}

impl Quota {
    /// A bucket that is full within a day remembers nobody for longer.
    const LONGEST: Duration = Duration::from_hours(24);

    /// `count` times within `time`, evenly, and `burst` times at once. `None` where any of them is nothing, or where a bucket
    /// would take more than a day to fill.
    #[must_use]
    pub fn new(count: u32, time: Duration, burst: u32) -> Option<Self> {
        let every = time.checked_div(count)?;
        let quota = Self { every, burst };
        let fills = every.checked_mul(burst)?;
        (!every.is_zero() && burst > 0 && fills <= Self::LONGEST).then_some(quota)
    }

    /// How long an empty bucket takes to be full again.
    #[must_use]
    pub fn fills_within(self) -> Duration {
        self.every * self.burst
    }
}

/// A bucket: when it will be full, which is all that has to be known of it (the generic cell rate algorithm, ITU-T I.371).
/// One that is full is as if it had never been used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// The bucket with one token less; or how long it takes until there is one.
    pub(super) fn spend(self, quota: Quota, now: Duration) -> Result<Self, Duration> {
        let full_at = self.full_at.max(now) + quota.every;
        let latest = now + quota.fills_within();
        match full_at.saturating_sub(latest) {
            Duration::ZERO => Ok(Self { full_at }),
            wait => Err(wait),
        }
    }

    /// The bucket with one token more, if it is not full.
    pub(super) fn regain(self, quota: Quota) -> Self {
        Self { full_at: self.full_at.saturating_sub(quota.every) }
    }

    pub(super) fn is_full(self, now: Duration) -> bool {
        self.full_at <= now
    }
}
