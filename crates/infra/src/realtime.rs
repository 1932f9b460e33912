//! Everything live: who is connected, and what each of them is told.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`hub`] | the one announcer: keeps who is online, encodes an event once for each wire format, feeds the shards |
//! | [`listen`] | takes in what other nodes tell over the bus |
//! | [`follow`] | keeps the hub up with the log and with who is online, whatever announcements get lost |
//! | `recent` | the last messages, for those who come back |
//! | [`shard`] | the connections of one worker, and the delivery to them |
//! | `replay` | sends a connection what it missed, and joins it to the live feed |
//! | [`recovery`] | Socket.IO's connection state recovery, served from the log |
//! | `typing` | who is typing: told on the side, and left out where it would be in the way |
//! | `run` | messages that are sent in one piece |
//! | `sink` | the way out to one connection |
//! | `farewell` | how connections are told that their node goes away |
//! | `encode` | events in each wire format |
//! | `micro` | what micro-benchmarks measure (feature `micro`) |
//! | [`gateway`] | what a connection may do, whatever its wire format |
//! | `participant`, `spoken_for` | who a connection is, and whom it keeps online |
//! | `ids` | what a connection is called in the log |
//! | [`plain`], [`socketio`] | the wire formats: JSON text frames at `/ws`, Socket.IO at `/socket.io/` |
//!
//! Invariant: the feed of a shard is one sequence of deliveries and entries. A connection is let in at its
//! place in that sequence, so what its `session` event says and what follows fit without a gap or a double.
//! Invariant: messages, and changes of who is online, reach the feeds through the hub's timelines alone, in the order of their
//! numbers, each once.
//! Invariant: a member is sent messages in the order of their ids: its position only grows.
//! Invariant: delivering never waits for a receiver, and encodes nothing but a connection's own `session`, and an event only if
//! nobody has done so before in that wire format.

mod encode;
mod farewell;
pub mod follow;
pub mod gateway;
pub mod hub;
mod ids;
pub mod listen;
#[cfg(feature = "micro")]
#[doc(hidden)]
pub mod micro;
mod participant;
pub mod plain;
mod recent;
pub mod recovery;
mod replay;
mod run;
pub mod shard;
mod sink;
pub mod socketio;
mod spoken_for;
#[cfg(test)]
mod testing;
mod typing;

/// What goes over sockets in JSON, besides [`crate::wire`].
pub(crate) mod shapes {
    pub(crate) use super::encode::ErrorView;
    pub(crate) use super::hub::SessionView;
    pub(crate) use super::plain::ConnectData;
    pub(crate) use super::socketio::Auth;
    pub(crate) use super::typing::TypingData;
}
