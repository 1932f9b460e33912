//! Going on where a connection left off.

use crate::message::{LogId, MessageId};
use crate::ports::LogHead;

/// Where a client says it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// Which log it means, if it says so.
    pub log: Option<LogId>,
    /// The last message that it saw, 0 for none.
    pub after: MessageId,
}

/// Why a client cannot go on where it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotResumable {
    /// It means another log, or an id that this one has not reached.
    #[error("this position is not of this log, which is {log} and ends at {last}", log = .0.log.0, last = .0.last_id.0)]
    OtherLog(LogHead),
    /// Some of what it misses is not kept any more.
    #[error("what follows this position is not kept any more: the log begins at {first}", first = .0.first_id.0)]
    Pruned(LogHead),
}

impl Resume {
    /// Whether all that it misses can be had from a log that stands at `head`.
    pub fn check(&self, head: &LogHead) -> Result<(), NotResumable> {
        if self.log.is_some_and(|log| log != head.log) || self.after > head.last_id {
            return Err(NotResumable::OtherLog(*head));
        }
        if self.after.0 < head.first_id.0 - 1 {
            return Err(NotResumable::Pruned(*head));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use uuid::Uuid;

    use super::*;

    const OURS: LogId = LogId(Uuid::from_u128(1));
    const OTHER: LogId = LogId(Uuid::from_u128(2));

    /// The log keeps 11 to 20.
    #[rstest]
    #[case(None, 10, "resumes")]
    #[case(Some(OURS), 10, "resumes")]
    #[case(Some(OURS), 15, "resumes")]
    #[case(Some(OURS), 20, "resumes")]
    #[case(Some(OURS), 9, "pruned")]
    #[case(None, 0, "pruned")]
    #[case(None, -1, "pruned")]
    #[case(Some(OURS), 21, "other log")]
    #[case(None, i64::MAX, "other log")]
    #[case(Some(OTHER), 15, "other log")]
    #[case(Some(OTHER), 0, "other log")]
    fn a_position_is_good_from_just_before_the_first_kept_to_the_last(
        #[case] log: Option<LogId>,
        #[case] after: i64,
        #[case] expected: &str,
    ) {
        let head = LogHead { log: OURS, first_id: MessageId(11), last_id: MessageId(20) };
        let verdict = match (Resume { log, after: MessageId(after) }).check(&head) {
            Ok(()) => "resumes",
            Err(NotResumable::OtherLog(_)) => "other log",
            Err(NotResumable::Pruned(_)) => "pruned",
        };
        assert_eq!(verdict, expected);
    }

    #[test]
    fn an_empty_log_is_resumed_at_its_end_only() {
        let check = |first, last, after| {
            let head = LogHead { log: OURS, first_id: MessageId(first), last_id: MessageId(last) };
            Resume { log: None, after: MessageId(after) }.check(&head).is_ok()
        };
        assert!(check(1, 0, 0) && !check(1, 0, 1));
        assert!(check(8, 7, 7) && !check(8, 7, 6), "everything was pruned");
    }
}
