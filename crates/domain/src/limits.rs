//! How much anybody may do, and how many may be there: pure rules, which are told what time it is.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`Place`] | where somebody comes from, as far as it is told apart |
//! | [`Holder`] | who acts, as far as it is told apart |
//! | [`Quota`] | how often something may be done: a token bucket |
//! | [`Quotas`], [`Limiter`] | one thing that is done, limited by place, by holder, and in all |
//! | [`Seats`], [`Room`] | how many connections there may be, likewise |
//!
//! Invariant: what is refused takes nothing of what a place, or all, have together; what was taken of that before it turned out whose it
//! is, is given back.
//! Invariant: nobody takes a token of a session without having shown its proof. Who speaks as one and has shown nothing, where a name is
//! enough, is counted by place and session: from another address nobody can be silenced by limits.
//! Invariant: memory is bounded, whoever comes from wherever: see [`Buckets::MOST`] and [`Seats`].

mod buckets;
mod limiter;
mod place;
mod quota;
mod seats;
#[cfg(test)]
mod tests;

pub use buckets::Buckets;
pub use limiter::{Exceeded, Limiter, Quotas, Visitor};
pub use place::{Holder, Place};
pub use quota::Quota;
pub use seats::{NoSeat, Room, Seats};

/// Whose limit it is that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// That of one session.
    Holder,
    /// That of one place.
    Place,
    /// That of all together.
    All,
}
