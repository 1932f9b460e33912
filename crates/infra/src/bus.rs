//! The bus between nodes: hints of what has happened, which are fast and may get lost.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`in_process`] | for nodes of one process, and for the only one |
//! | [`redis`] | for nodes anywhere: Redis or Valkey pub/sub |
//! | `envelope` | hints as JSON, of a size that is bounded |
//! | `queue` | what waits to go out, or to be fetched: bounded |
//! | `counts` | what has come of hints |
//! | `backoff` | how long to wait before trying again |
//!
//! Invariant: nothing here waits for the network on behalf of somebody who publishes, and nothing piles up.
//! Invariant: whatever comes over the bus, it is a hint or is skipped.

mod backoff;
mod counts;
mod envelope;
pub mod in_process;
mod queue;
pub mod redis;
#[cfg(test)]
mod tests;
