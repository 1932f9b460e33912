//! wip
pub mod clock;
pub mod persistence;
pub mod token;
pub mod writer;
