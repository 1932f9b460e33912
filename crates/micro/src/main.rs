//! `make bench-micro`: what every message goes through, piece by piece, without sockets and databases.
//!
//! | module | what it measures |
//! | --- | --- |
//! | `encode` | a message becomes a frame for all connections of a kind |
//! | `parse` | what a client sends becomes a request of the domain |
//! | `timeline` | what is heard of the log is put into its order |
//! | `shard` | messages are delivered to the outboxes of a worker's connections |
//! | `sample` | the messages that they work on |

mod encode;
mod parse;
mod sample;
mod shard;
mod timeline;

use std::time::Duration;

use criterion::Criterion;

/// What the lobby allocates with.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    let mut criterion = criterion.configure_from_args();
    encode::measure(&mut criterion);
    parse::measure(&mut criterion);
    timeline::measure(&mut criterion);
    shard::measure(&mut criterion);
    criterion.final_summary();
}
