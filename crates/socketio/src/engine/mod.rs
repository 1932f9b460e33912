//! Engine.IO protocol v4 without I/O: what a request may do, packets and payloads, the session's heartbeat, and its
//! polling life with the way out of it.

pub(crate) mod handshake;
pub(crate) mod packet;
pub(crate) mod payload;
pub(crate) mod polling;
pub(crate) mod session;
