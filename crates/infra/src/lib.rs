//! The lobby's adapters: what stands between the rules and the world.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`persistence`] | sessions and messages in a database (sea-orm) |
//! | [`bus`] | what nodes tell each other at once |
//! | [`writer`] | the one task that all changes go through |
//! | [`realtime`] | hub, shards and the two socket protocols |
//! | [`http`] | REST and problem details |
//! | [`api`] | what the API pages say that handlers and shapes do not say themselves |
//! | [`metrics`] | what operators see of a node |
//! | [`sweeper`] | deletes what is not to be kept, in the background |
//! | [`send_message`] | what a client sends to say something, over REST and sockets alike |
//! | [`cluster`] | nodes that serve the same clients: requests passed on from one to another |
//! | [`doorman`] | how often anybody may do things, and how many may be there |
//! | [`seldom`] | says what happens often only once in a while |
//! | [`identify`] | who is calling, over REST and sockets alike |
//! | [`wire`], [`refusal`] | JSON shapes and refusals, the same over REST and sockets |
//! | [`token`], [`signature`], [`clock`] | signed tokens; signing; time and random ids |
//!
//! Invariant: the domain knows nothing of this crate, and nothing in here decides what a rule of the domain
//! decides.

pub mod api;
pub mod bus;
pub mod clock;
pub mod cluster;
pub mod doorman;
pub mod http;
pub mod identify;
pub mod metrics;
pub mod persistence;
pub mod presence;
pub mod realtime;
pub mod refusal;
pub mod seldom;
pub mod send_message;
pub mod signature;
pub mod sweeper;
pub mod token;
pub mod wire;
pub mod writer;
