//! Engine.IO protocol v4 without I/O: what a request may open, packets, and the session's heartbeat.

pub(crate) mod handshake;
pub(crate) mod packet;
pub(crate) mod session;
