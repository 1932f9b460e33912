//! `make bench-log`: what the log costs next to what the database costs, and whether a long log costs more than a short one.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `posting` | acknowledged messages, next to the limit |
//! | `lobby`, `raw` | the two that are compared there |
//! | `long` | a long log, next to a short one |
//! | `start` | what a start of the real program takes |
//! | `report` | how it is told |
//! | `common` | what all benches share |
//!
//! Everything is measured in rounds, what is compared one right after the other, and medians of the rounds are told: a busy
//! machine then makes all of it slow, and the ratios stay.

#[path = "../common/mod.rs"]
mod common;
mod lobby;
mod long;
mod posting;
mod raw;
mod report;
mod start;

use std::path::PathBuf;
use std::time::Duration;

use common::backend::Backend;
use common::{disk, target, variable};
use report::Report;

/// What may be set from outside.
pub(crate) struct Knobs {
    /// How often posting is measured.
    rounds: usize,
    /// How long one measurement of it takes.
    time: Duration,
    /// Combinations with this in their name are measured, and nothing else.
    only: Option<String>,
    /// The length of the long log.
    messages: i64,
    /// The page that the report goes into.
    page: Option<PathBuf>,
}

impl Knobs {
    fn from_environment() -> Self {
        Self {
            rounds: variable("BENCH_ROUNDS").unwrap_or(3),
            time: Duration::from_millis(variable("BENCH_MILLIS").unwrap_or(700)),
            only: variable("BENCH_ONLY"),
            messages: variable("BENCH_MESSAGES").unwrap_or(1_000_000),
            page: variable("BENCH_PAGE"),
        }
    }
}

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` runs this too, and means no measurement.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let knobs = Knobs::from_environment();
    let folder = tempfile::tempdir_in(target()).expect("a temporary folder");
    let mut report = Report::new(&mut disk::syncs(folder.path()));
    let backends = Backend::all(folder.path()).await;
    for backend in &backends {
        report.posting(backend, &posting::posting(backend, &knobs).await);
    }
    if knobs.only.is_none() {
        for backend in &backends {
            report.long(backend, knobs.messages, &long::long(backend, &knobs).await);
        }
    }
    if let Some(page) = &knobs.page {
        report.write_into(page);
    }
}
