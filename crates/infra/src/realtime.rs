//! Everything live: who is connected, and what each of them is told.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`hub`] | the one announcer: keeps the roster, encodes an event once for each wire format, feeds the shards |
//! | [`shard`] | the connections of one worker, and the delivery to them |
//! | `encode` | events in each wire format |
//! | [`gateway`] | what a connection may do, whatever its wire format |
//! | [`plain`], [`socketio`] | the wire formats: JSON text frames at `/ws`, Socket.IO at `/socket.io/` |
//!
//! Invariant: the feed of a shard is one sequence of deliveries and entries. A connection is let in at its
//! place in that sequence, so what its `session` event says and what follows fit without a gap or a double.
//! Invariant: delivering never waits for a receiver, takes no lock and encodes nothing.

mod encode;
pub mod gateway;
pub mod hub;
pub mod plain;
pub mod shard;
pub mod socketio;
