//! Whether what clients saw and what the log holds fit together. Pure code over records of both.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `record` | what one client did and saw |
//! | `log` | what is stored |
//! | `posts`, `deliveries` | the rules |
//! | `fault` | every way to break them |

mod deliveries;
mod fault;
mod log;
mod posts;
mod record;
#[cfg(test)]
mod tests;

pub use fault::Fault;
pub use log::Log;
pub use record::{Message, Post, Record, Segment};

/// Everything that is wrong: in the log by itself, then with each client, in the order of `records`.
pub fn check(log: &Log, records: &[Record]) -> Vec<Fault> {
    let mut faults = log.faults();
    for record in records {
        faults.extend(posts::faults(log, record));
        faults.extend(deliveries::faults(log, record));
    }
    faults
}
