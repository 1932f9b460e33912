//! The lobby's server: settings, wiring, start and stop.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`settings`] | everything that can be set, typed and checked |
//! | [`environment`] | environment variables and `.env` |
//! | [`secret`] | `SECRET_KEY`, given or made |
//! | [`application`] | wires the adapters, runs, and stops in order |
//! | [`front`] | where clients come in: the address, and TLS |
//! | [`tls`] | the certificate and its key |
//! | `goodbye` | how a server stops serving |
//! | [`backends`] | the database and the bus, by the settings |
//! | `limits` | the settings of limits, as the layers below want them |
//! | `sockets` | the settings of sockets, as the layers below want them |
//! | [`probe`] | asks a lobby that runs whether it is ready |
//! | [`telemetry`] | logs |
//! | [`reload`] | settings that are taken while the lobby runs |
//! | [`metrics`] | serves the metrics |
//! | [`open_files`] | how many files and sockets may be open |
//! | [`cli`] | `lobby`, its flags and commands |
//! | [`waiting`] | opens the database, and waits for one that is away |
//! | [`welcome`] | where to go next, printed at the start |
//!
//! Invariant: no rule of the lobby is decided in here.

pub mod application;
pub mod backends;
pub mod cli;
pub mod environment;
pub mod front;
mod goodbye;
mod limits;
pub mod metrics;
#[cfg(unix)]
pub mod open_files;
pub mod probe;
pub mod reload;
pub mod secret;
pub mod settings;
mod sockets;
pub mod telemetry;
pub mod tls;
pub mod waiting;
pub mod welcome;
