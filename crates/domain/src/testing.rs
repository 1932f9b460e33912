//! What tests of this crate and of the adapters share.
//!
//! [`MemoryStore`] is the fake of the storage ports. [`sessions_contract!`](crate::sessions_contract),
//! [`roster_log_contract!`](crate::roster_log_contract), [`message_log_contract!`](crate::message_log_contract) and
//! [`presence_contract!`](crate::presence_contract) make one test of each rule in [`contract`], for the fake and the real
//! thing alike; [`bus_contract!`](crate::bus_contract) does so for both buses.

pub mod contract;
mod fakes;
mod memory_store;

pub use fakes::{FixedClock, Listeners, NumberedIds, PlainTokens, RecordingAnnouncer, Talkers};
pub use memory_store::MemoryStore;

use crate::pseudonym::{NamePolicy, Pseudonym};

/// A name that the usual policy allows.
///
/// # Panics
/// If it does not.
#[must_use]
pub fn name(raw: &str) -> Pseudonym {
    names().parse(raw).expect("an allowed name")
}

/// The usual policy.
#[must_use]
pub fn names() -> NamePolicy {
    NamePolicy::new(2, 32, ["admin"])
}
