//! What the API pages say that is not said by the handlers and shapes themselves.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`asyncapi`] | the events, as AsyncAPI 3 |
//! | `closes` | how a plain WebSocket is closed |
//! | `refusals` | what each operation over REST may refuse |
//! | `examples` | the people and things of all examples |
//!
//! `http::openapi` puts the handlers together.
//!
//! Invariant: schemas come from the types that are parsed and sent, and examples are made of values of these types.

pub mod asyncapi;
mod closes;
mod events;
pub(crate) mod examples;
pub(crate) mod refusals;

/// What is said of the lobby on every page.
pub(crate) const LICENCE: &str = "MIT OR Apache-2.0";

/// Which lobby the pages are of.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
