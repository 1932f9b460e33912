//! `make bench-log`: what the log costs next to what the database costs, and whether a long log costs more than a short one.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `posting` | acknowledged messages, next to the limit |
//! | `lobby`, `raw` | the two that are compared there |
//! | `backend`, `disk` | where all that happens |
//! | `measure` | times |
//!
//! Everything is measured in rounds, what is compared one right after the other, and medians of the rounds are told: a busy
//! machine then makes all of it slow, and the ratios stay.

mod backend;
mod disk;
mod lobby;
mod measure;
mod posting;
mod raw;

use std::path::{Path, PathBuf};
use std::time::Duration;

use backend::Backend;

/// What may be set from outside, to have it faster.
pub(crate) struct Knobs {
    /// How often everything is measured.
    rounds: usize,
    /// How long one measurement of posting takes.
    time: Duration,
    /// Of posting, only combinations with this in their name.
    only: String,
}

impl Knobs {
    fn from_environment() -> Self {
        let number = |name, default| {
            std::env::var(name).map_or(default, |value| value.parse().expect("the variable is a number"))
        };
        Self {
            rounds: number("BENCH_ROUNDS", 3),
            time: Duration::from_millis(number("BENCH_MILLIS", 700) as u64),
            only: std::env::var("BENCH_ONLY").unwrap_or_default(),
        }
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a command line tool answers on standard output")]
async fn main() {
    let knobs = Knobs::from_environment();
    let folder = tempfile::tempdir_in(target()).expect("a temporary folder");
    let mut syncs = disk::syncs(folder.path());
    println!("fsync: p50 {:.2} ms, p99 {:.2} ms", syncs.quantile(0.5), syncs.quantile(0.99));
    for backend in Backend::all(folder.path()).await {
        let cells = posting::posting(&backend, &knobs).await;
        println!("{backend}");
        for cell in &cells {
            print!("{}", cell.row());
        }
        for missed in cells.iter().filter_map(|cell| cell.missed(&backend)) {
            println!("missed: {missed}");
        }
    }
}

/// Cargo's folder, which is on a disk that keeps things.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("we are a program");
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(std::env::temp_dir, Path::to_owned)
}
