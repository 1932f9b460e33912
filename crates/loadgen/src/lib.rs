//! `lobby-load`: what a lobby, or another server that broadcasts, takes and costs.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`cli`] | the commands and their flags |
//! | `fan`, `connect`, `churn` | the loads: senders and receivers; many connections; coming and going |
//! | `engine` | all connections of a load, in one thread |
//! | `hello`, `template`, `listener` | what is said on each protocol: to come in, to send; what is heard |
//! | `stamp`, `checker`, `latency` | what a message carries to be known by; whether each came once and in order; how late |
//! | `frame`, `target`, `login` | WebSocket frames, where the server is, sessions to come in with |
//! | `floor` | the least that a server can do |
//! | `compare` | servers side by side, and the pages and plots that come of it |
//! | `scale` | one, two and three nodes of a lobby, the same way |
//! | `process`, `files`, `clock`, `number` | what Linux says of a process, open files, time, numbers |
//! | `report`, `progress` | what is told in the end, and meanwhile |
//!
//! Invariant: one thread moves all bytes of a load, and takes no memory for a frame that arrives whole.
//!
//! Invariant: what is checked is checked for every delivery. A report without losses means that each receiver got each
//! message once, in order.
//!
//! Invariant: nothing that waits is without bound: a message that the server does not take is counted, not kept.

mod checker;
mod churn;
pub mod cli;
mod clock;
mod compare;
mod connect;
mod engine;
mod error;
mod fan;
mod files;
mod floor;
mod frame;
mod hello;
mod latency;
mod listener;
mod login;
mod measure;
mod number;
mod process;
mod progress;
mod report;
mod scale;
mod stamp;
mod target;
mod template;
