use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Who was answered within this long may be about to speak again: the time in which an announcement to a room gets out, and the
/// answers of those who waited for it come in.
const LATELY: Duration = Duration::from_millis(5);

/// Fewer are not worth waiting for: whoever talks in a small room, or seldom, is never held up.
const CROWD: usize = 8;

/// How long a commit waits at most for those who are expected.
pub(super) const PATIENCE: Duration = Duration::from_millis(1);

/// How many posts were answered lately, which is how many are to be expected where those who wait for their answer speak again.
#[derive(Default)]
pub(super) struct Crowd {
    batches: VecDeque<(Instant, usize)>,
    posts: usize,
}

impl Crowd {
    pub(super) fn answered(&mut self, posts: usize, now: Instant) {
        self.forget(now);
        self.batches.push_back((now, posts));
        self.posts += posts;
    }

    /// 0 where nobody is.
    pub(super) fn expected(&mut self, now: Instant) -> usize {
        self.forget(now);
        if self.posts < CROWD { 0 } else { self.posts }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((_, posts)) = self.batches.pop_front_if(|(at, _)| now - *at > LATELY) {
            self.posts -= posts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_expected_as_were_answered_lately() {
        let (mut crowd, start) = (Crowd::default(), Instant::now());
        crowd.answered(10, start);
        crowd.answered(20, start + LATELY);
        assert_eq!(crowd.expected(start + LATELY), 30);
        assert_eq!(crowd.expected(start + LATELY * 2), 20);
        assert_eq!(crowd.expected(start + LATELY * 3), 0);
    }

    #[test]
    fn nobody_waits_for_a_few() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        crowd.answered(CROWD - 1, now);
        assert_eq!(crowd.expected(now), 0);
        crowd.answered(1, now);
        assert_eq!(crowd.expected(now), CROWD);
    }
}
