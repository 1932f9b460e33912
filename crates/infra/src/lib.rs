//! The lobby's adapters: what stands between the rules and the world.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`persistence`] | sessions and messages in a database (sea-orm) |
//! | [`writer`] | the one task that all changes go through |
//! | [`realtime`] | hub, shards and the two socket protocols |
//! | [`http`] | REST and problem details |
//! | [`identify`] | who is calling, over REST and sockets alike |
//! | [`wire`], [`refusal`] | JSON shapes and refusals, the same over REST and sockets |
//! | [`token`], [`clock`] | signed tokens; time and random ids |
//!
//! Invariant: the domain knows nothing of this crate, and nothing in here decides what a rule of the domain
//! decides.

pub mod clock;
pub mod http;
pub mod identify;
pub mod persistence;
pub mod realtime;
pub mod refusal;
pub mod token;
pub mod wire;
pub mod writer;
