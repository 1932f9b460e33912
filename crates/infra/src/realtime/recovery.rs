//! Socket.IO's connection state recovery, served from the log.
//!
//! A client that asks for it gets a `pid` when it connects, and with each message the message's id as its offset. When it
//! comes back it shows both. All that is needed to go on is in the `pid` itself, so recovery works after a restart, in a quiet
//! room, and as often as it takes: nothing is kept for clients that are away.

use lobby_domain::message::{LogId, MessageId};
use lobby_domain::session::SessionId;
use uuid::Uuid;

use crate::clock::random_pid;
use crate::signature::{SecretKeys, Signer};

/// Log, start, session and number.
const BYTES: usize = 16 + 8 + 16 + 16;

/// What a `pid` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pid {
    /// The log that offsets belong to.
    pub(super) log: LogId,
    /// Where the first connection began: what counts until a message has brought an offset.
    pub(super) start: MessageId,
    /// Whose connection it is; nobody else may go on with it.
    pub(super) session: Option<SessionId>,
    /// Tells connections apart.
    pub(super) number: u128,
}

/// Makes and checks what clients show to go on.
#[derive(Clone)]
pub struct Pids {
    signer: Signer,
}

impl Pids {
    /// With keys of their own, made of the secrets.
    #[must_use]
    pub fn new(secrets: &SecretKeys) -> Self {
        Self { signer: Signer::new(secrets, b"lobby connection pid v1") }
    }

    /// A new one, and its text.
    pub(super) fn issue(&self, log: LogId, start: MessageId, session: Option<SessionId>) -> (Pid, String) {
        let pid = Pid { log, start, session, number: random_pid() };
        (pid, self.signer.sign(&pid.to_bytes()))
    }

    /// What a text says, if it is one of ours.
    pub(super) fn verify(&self, text: &str) -> Option<Pid> {
        self.signer.verify::<BYTES>(text).map(|bytes| Pid::from_bytes(&bytes))
    }
}

impl Pid {
    /// Where a client goes on that saw the message of this offset last. Clients keep their last offset also when they have
    /// begun anew in another log since: such a one says nothing.
    pub(super) fn position(&self, offset: Option<&str>) -> MessageId {
        let own = offset.and_then(|offset| offset.strip_suffix(&suffix(self.log)));
        let seen = own.and_then(|id| id.parse().ok()).map(MessageId);
        seen.map_or(self.start, |seen| seen.max(self.start))
    }

    fn to_bytes(self) -> [u8; BYTES] {
        let session = self.session.map_or(Uuid::nil(), |session| session.0);
        let mut bytes = [0; BYTES];
        bytes[..16].copy_from_slice(self.log.0.as_bytes());
        bytes[16..24].copy_from_slice(&self.start.0.to_be_bytes());
        bytes[24..40].copy_from_slice(session.as_bytes());
        bytes[40..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; BYTES]) -> Self {
        let wide = |at: usize| u128::from_be_bytes(bytes[at..at + 16].try_into().expect("16 bytes"));
        let session = Uuid::from_u128(wide(24));
        Self {
            log: LogId(Uuid::from_u128(wide(0))),
            start: MessageId(i64::from_be_bytes(bytes[16..24].try_into().expect("8 bytes"))),
            session: (!session.is_nil()).then_some(SessionId(session)),
            number: wide(40),
        }
    }
}

/// What comes with a message, for its receiver to show when it comes back: its id, and the beginning of its log's.
pub(super) fn offset(id: MessageId, log: LogId) -> String {
    format!("{}{}", id.0, suffix(log))
}

fn suffix(log: LogId) -> String {
    let (beginning, ..) = log.0.as_fields();
    format!("@{beginning:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId(Uuid::from_u128(1 << 100));

    #[test]
    fn a_pid_says_what_it_was_made_of() {
        let pids = Pids::new(&"secret".into());
        for session in [None, Some(SessionId(Uuid::from_u128(7)))] {
            let (pid, text) = pids.issue(LOG, MessageId(i64::MAX), session);
            assert_eq!(pids.verify(&text), Some(pid));
            assert_eq!((pid.log, pid.start, pid.session), (LOG, MessageId(i64::MAX), session));
            assert_ne!(pids.issue(LOG, MessageId(0), session).0.number, pid.number);
        }
    }

    #[test]
    fn a_pid_of_anybody_else_is_none() {
        let (_, text) = Pids::new(&"another secret".into()).issue(LOG, MessageId(1), None);
        let pids = Pids::new(&"secret".into());
        for forged in ["", "x", &text, &text[1..], &"A".repeat(118), &"A".repeat(100_000)] {
            assert_eq!(pids.verify(forged), None, "{forged:.10}");
        }
    }

    #[test]
    fn a_pid_of_the_previous_key_is_still_good() {
        let (pid, text) = Pids::new(&"old".into()).issue(LOG, MessageId(1), None);
        let rotated = Pids::new(&SecretKeys::new("new".into(), Some("old".into())));
        assert_eq!(rotated.verify(&text), Some(pid));
        assert_eq!(Pids::new(&"new".into()).verify(&text), None);
    }

    #[test]
    fn the_later_of_start_and_offset_counts() {
        let (pid, _) = Pids::new(&"secret".into()).issue(LOG, MessageId(10), None);
        let of = |id, log| offset(MessageId(id), log);
        let other = LogId(Uuid::from_u128(3 << 100));
        assert_eq!(of(9, LOG), "9@00000010");
        for (shown, position) in [
            (None, 10),
            (Some(of(9, LOG)), 10),
            (Some(of(11, LOG)), 11),
            (Some(of(100, LOG)), 100),
            (Some(of(100, other)), 10),
            (Some("100".to_owned()), 10),
            (Some("nonsense@00000010".to_owned()), 10),
            (Some("-1@00000010".to_owned()), 10),
        ] {
            assert_eq!(pid.position(shown.as_deref()), MessageId(position), "{shown:?}");
        }
    }
}
