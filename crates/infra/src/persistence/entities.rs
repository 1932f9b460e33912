//! One file a table.

#![expect(
    unreachable_pub,
    reason = "sea-orm's derives need the same visibility on a model and on what they write beside it"
)]

pub(super) mod attendance;
pub(super) mod client_ids;
pub(super) mod log_head;
pub(super) mod messages;
pub(super) mod nodes;
pub(super) mod presence_clock;
pub(super) mod roster_changes;
pub(super) mod roster_head;
pub(super) mod sessions;
pub(super) mod users;
