//! Real servers for tests and benchmarks: started from local binaries in a temporary folder, on the loopback
//! interface only, and ended with the value that owns them.
//!
//! - [`Postgres`] is a PostgreSQL server of one's own.
//! - [`Nginx`] is a load balancer in front of several servers.
//! - [`Caddy`] is one too, with a file of somebody's own.
//! - [`Redis`] is a Redis server of one's own.
//! - [`Certificates`] are what servers that speak TLS show, and whom clients of theirs have to trust.
//! - [`Proxy`] stands between a client and such a server, and breaks what is between them when told to.
//!
//! It is a dev-dependency, and knows nothing of the lobby. It runs on Unix.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test without its server has failed: all that goes wrong here panics, and says why"
)]

mod caddy;
mod nginx;
mod ports;
mod postgres;
mod proxy;
mod redis;
mod supervised;
mod tls;

pub use caddy::Caddy;
pub use nginx::Nginx;
pub use postgres::Postgres;
pub use proxy::{Fired, Proxy, When};
pub use redis::Redis;
pub use tls::Certificates;
