//! A guarded WebSocket connection (RFC 6455, server side) over actix-web, for any use.
//!
//! actix-ws does the handshake, its decoder the frames. This crate puts bounds around it: sizes are refused before
//! anything is buffered, what waits for a peer is bounded in bytes, a message for many peers is framed once and
//! shared, all that is pending leaves in one write, and closing, pings and timeouts are done as the RFC says.
//!
//! # Map
//!
//! - [`accept`] and [`Connection`]: the one owner of a socket, and what arrives on it ([`Incoming`], [`Closed`]).
//! - [`Outbox`]: queues [`Frame`]s for the peer; cloned freely, sends without waiting; tells when there is
//!   [room](Outbox::room).
//! - [`Frame`]: an already framed message; cloning counts a reference. [`Frames`]: several in one piece.
//! - [`Limits`], [`Heartbeat`]: the bounds, with their reasons.
//! - [`CloseCode`]: why a connection ended.
//! - [`serve`]: actix-web's server on streams that an outbox can write to, with or without [`Tls`], and with an end for peers that never
//!   read; [`refuse`]: nobody waits for one that has stopped.
//! - inside: `guard` (frame headers, pure), `reader` (bytes to events), `silence` (heartbeat, pure), `pending` (frames that
//!   wait, pure), `queue` (what an outbox and its connection share), `upgrade` (a connection that leaves actix's dispatcher),
//!   `stream` (its socket), `timed` (when a head has to be there), `flush` (when that is written to), `body` (the response's body, which drains the outbox on any other
//!   server), `alarm` (one timer for a connection), `properties` (what holds for any bytes, for tests and fuzzing).
//!
//! Invariant: a frame that breaks a limit or the protocol is refused by its header; its payload is never buffered.
//! Invariant: sending never blocks and never awaits; a peer that does not keep up is closed with 1013.
//! Invariant: a frame is written whole or not at all, and none follows a close frame.
//! Invariant: dropping the [`Connection`] ends the socket, however many [`Outbox`] clones there are.
//! Invariant: nothing that came after the peer's close frame, or after our own, is delivered.

mod alarm;
mod body;
mod close;
mod connection;
mod flush;
mod frame;
mod guard;
mod limits;
mod outbox;
mod pending;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;
mod queue;
mod reader;
mod server;
mod silence;
mod stream;
#[cfg(test)]
mod testing;
mod timed;
mod upgrade;

pub use close::{CloseCode, Closed, ClosedBy};
pub use connection::{Connection, Incoming, accept};
pub use frame::{Frame, Frames};
pub use limits::{Heartbeat, Limits};
pub use outbox::{Outbox, SendError};
pub use server::{Gate, Held, Serving, Tls, refuse, serve};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
