#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! - `engine`: Engine.IO v4 without I/O: which requests may open a session, packets, the heartbeat.
//! - `packet`: Socket.IO v5 packets: `decode` over borrowed text, `encode` once for all receivers.
//! - `namespaces`: which namespaces a connection is in, and which packets fit that; pure.
//! - `member`, `socket`, `acks`, `args`: one socket, from the connection's and from the application's side.
//! - `connection`: the task of one connection, around the state machines.
//! - `transport`: moves bytes; `link` is the sending half that sockets share.
//! - `service`, `handler`, `config`, `sid`: the door, the application's part, the settings, identifiers.
//!
//! Invariant: `engine`, `packet` and `namespaces` do no I/O and read no clock; every call that needs the time is told.
//! Invariant: nothing that a client sends makes the server hold more than a bound of [`Config`].
//! Invariant: sending never waits; whoever does not keep up is cut.
//! Invariant: each [`Handler::connected`] is followed by exactly one [`Handler::disconnected`].
//! Invariant: a connection has one owner, its task; sockets hold only the sending half.

mod acks;
mod args;
mod config;
mod connection;
mod engine;
mod handler;
mod link;
mod member;
mod namespaces;
mod packet;
mod service;
mod sid;
mod socket;
mod transport;

pub use acks::{Ack, AckError};
pub use args::Args;
pub use config::{AllowRequest, Config};
pub use handler::{ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Handshake};
pub use packet::encode::Packet;
pub use service::SocketIo;
pub use socket::{SendError, Socket};
