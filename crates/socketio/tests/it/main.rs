//! The transports from outside: a real server, and clients that speak raw packets.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

mod binary;
mod bounds;
mod client;
mod clients;
mod elsewhere;
mod fire;
mod http;
mod pace;
mod polling;
mod server;
mod shutdown;
mod upgrade;
mod websocket;

use std::time::Duration;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);
