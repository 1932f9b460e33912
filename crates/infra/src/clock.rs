//! The one place that asks what time it is, and for random ids.

use lobby_domain::ports::{Clock, SessionIds};
use lobby_domain::presence::NodeId;
use lobby_domain::session::SessionId;
use lobby_domain::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that reads the clock")]
    fn now(&self) -> Timestamp {
        let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
        let millis =
            i64::try_from(nanos / 1_000_000).expect("the machine's clock stays within years that time knows");
        Timestamp::from_millis(millis)
    }
}

/// Session ids that sort by age (UUID version 7, RFC 9562), 74 bits of each random.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomSessionIds;

impl SessionIds for RandomSessionIds {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that makes ids")]
    fn next(&self) -> SessionId {
        SessionId(Uuid::now_v7())
    }
}

/// A random id for a new log.
#[expect(clippy::disallowed_methods, reason = "this is the adapter that makes ids")]
pub(crate) fn random_log_id() -> Uuid {
    Uuid::new_v4()
}

/// An id for a node that starts.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the adapter that makes ids")]
pub fn random_node_id() -> NodeId {
    NodeId(Uuid::new_v4())
}

/// An id for a request that came without one.
#[expect(clippy::disallowed_methods, reason = "this is the adapter that makes ids")]
pub(crate) fn random_request_id() -> Uuid {
    Uuid::new_v4()
}

/// A key for one post, which sorts by age.
#[expect(clippy::disallowed_methods, reason = "this is the adapter that makes ids")]
pub(crate) fn random_post_key() -> Uuid {
    Uuid::now_v7()
}

/// A number that tells one recoverable connection from all others.
#[expect(clippy::disallowed_methods, reason = "this is the adapter that makes ids")]
pub(crate) fn random_pid() -> u128 {
    Uuid::new_v4().as_u128()
}

/// A number for whatever is to happen by chance and needs no secrecy.
#[expect(clippy::disallowed_methods, reason = "this is the adapter that has randomness")]
pub(crate) fn random_number() -> u32 {
    let (high, ..) = Uuid::new_v4().as_fields();
    high
}

/// What tells one node's end of the bus from all others.
#[expect(clippy::disallowed_methods, reason = "this is the adapter that makes ids")]
pub(crate) fn random_origin() -> Uuid {
    Uuid::new_v4()
}
