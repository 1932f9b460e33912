use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Who was answered within this long and has not spoken since may be about to: the time in which an announcement to a thousand gets
/// out, some ten milliseconds on one core, and the answers of those who waited for it come in.
pub(super) const LATELY: Duration = Duration::from_millis(25);

/// Fewer are not worth waiting for: whoever talks in a small room, or seldom, is never held up.
const CROWD: usize = 8;

/// How long a commit waits for those who are missing, from when they have been answered and told.
pub(super) const PATIENCE: Duration = Duration::from_millis(1);

/// How many were answered lately and have not spoken since: where everybody waits for an answer before speaking again, those who are
/// about to.
#[derive(Default)]
pub(super) struct Crowd {
    answered: VecDeque<(Instant, usize)>,
    missing: usize,
}

impl Crowd {
    pub(super) fn answered(&mut self, count: usize, now: Instant) {
        self.forget(now);
        self.answered.push_back((now, count));
        self.missing += count;
    }

    /// So many have spoken, who may have been answered before or not.
    pub(super) fn spoke(&mut self, mut count: usize) {
        while let Some((_, waiting)) = self.answered.front_mut() {
            let back = count.min(*waiting);
            *waiting -= back;
            self.missing -= back;
            count -= back;
            if *waiting > 0 {
                return;
            }
            self.answered.pop_front();
        }
    }

    /// Whether enough of them are missing that it is worth waiting for them.
    pub(super) fn is_missed(&mut self, now: Instant) -> bool {
        self.forget(now);
        self.missing >= CROWD
    }

    fn forget(&mut self, now: Instant) {
        while let Some((_, gone)) = self.answered.pop_front_if(|(at, _)| now - *at > LATELY) {
            self.missing -= gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_answered_is_missed_until_he_speaks_or_it_is_long_ago() {
        let (mut crowd, start) = (Crowd::default(), Instant::now());
        crowd.answered(CROWD, start);
        crowd.answered(2 * CROWD, start + LATELY);
        crowd.spoke(1);
        assert_eq!(crowd.missing, 3 * CROWD - 1);
        assert!(crowd.is_missed(start + LATELY * 2));
        assert_eq!(crowd.missing, 2 * CROWD, "those who were answered first are forgotten first");
        crowd.spoke(CROWD);
        assert!(crowd.is_missed(start + LATELY * 2));
        assert!(!crowd.is_missed(start + LATELY * 3));
    }

    #[test]
    fn nobody_waits_for_a_few() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        crowd.answered(CROWD - 1, now);
        assert!(!crowd.is_missed(now));
        crowd.answered(1, now);
        assert!(crowd.is_missed(now));
        crowd.spoke(1);
        assert!(!crowd.is_missed(now));
    }

    #[test]
    fn more_may_speak_than_were_answered() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        crowd.answered(3, now);
        crowd.spoke(100);
        assert_eq!(crowd.missing, 0);
    }
}
