#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! - `engine`: Engine.IO v4 without I/O: what a request may do, packets and payloads, the heartbeat, polling and the way
//!   out of it.
//! - `packet`: Socket.IO v5 packets: `decode` over borrowed text, `assemble` with attachments, `encode` once for all.
//! - `namespaces`: which namespaces a connection is in, and which packets fit that; pure.
//! - `member`, `socket`, `acks`, `args`: one socket, from the connection's and from the application's side.
//! - `connection`: the task of one Socket.IO connection, around the state machines; `engine_io`: without Socket.IO.
//! - `wire`: one Engine.IO session under either; `link` is its sending half, which sockets share.
//! - `transport`: moves bytes; `channel` does so between workers.
//! - `door`: answers requests: opens sessions, or finds the worker of one through the `registry`; `cors`.
//! - `elsewhere`: what is asked for requests whose session another server has.
//! - `properties`: what holds for any bytes, for tests and fuzzing; `micro`: what micro-benchmarks measure.
//! - `service`, `handler`, `config`, `sid`: the server, the application's part, the settings, identifiers.
//!
//! Requests of a polling session come over several connections, which are spread over the workers. The session stays on
//! the worker of its handshake; what lands elsewhere is passed to it, and so are the bytes of a WebSocket that takes over.
//!
//! Invariant: `engine`, `packet` and `namespaces` do no I/O and read no clock; every call that needs the time is told.
//! Invariant: nothing that a client sends makes the server hold more than a bound of [`Config`].
//! Invariant: sending never waits; whoever does not keep up is cut.
//! Invariant: each [`Handler::connected`] is followed by exactly one [`Handler::disconnected`].
//! Invariant: what waits between two workers is bounded in bytes or in number; nothing waits under a lock.
//! Invariant: a connection has one owner, its task; sockets hold only the sending half.

mod acks;
mod args;
mod channel;
mod config;
mod connection;
mod cors;
mod door;
mod elsewhere;
mod engine;
mod engine_io;
mod handler;
mod link;
mod member;
#[cfg(feature = "micro")]
#[doc(hidden)]
pub mod micro;
mod namespaces;
mod packet;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;
mod registry;
mod service;
mod sid;
mod socket;
mod transport;
mod wire;

pub use acks::{Ack, AckError};
pub use args::{Args, Placeholder};
pub use config::{Admit, AllowRequest, Config, Permit, TooMany, Transport};
pub use cors::Cors;
pub use elsewhere::{Elsewhere, InvalidNodeName, NodeName, Passed, PassedBody, PassedOn};
pub use engine_io::{EngineHandler, EngineIo, EngineSocket, Message};
pub use handler::{ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Handshake};
pub use packet::encode::{Packet, Packets};
pub use service::SocketIo;
pub use socket::{SendError, Socket};
