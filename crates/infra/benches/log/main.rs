//! `make bench-log`: what the log costs next to what the database costs, and whether a long log costs more than a short one.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `posting` | acknowledged messages, next to the limit |
//! | `lobby`, `raw` | the two that are compared there |
//! | `long` | a long log, next to a short one |
//! | `program` | the real program, for its start and its memory |
//! | `backend`, `disk` | where all that happens |
//! | `measure`, `report` | times, and how they are told |
//!
//! Everything is measured in rounds, what is compared one right after the other, and medians of the rounds are told: a busy
//! machine then makes all of it slow, and the ratios stay.

mod backend;
mod disk;
mod lobby;
mod long;
mod measure;
mod posting;
mod program;
mod raw;
mod report;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use backend::Backend;
use mimalloc::MiMalloc;
use report::Report;

/// As the lobby has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

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

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} cannot be '{value}'")))
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

/// Cargo's folder, which is on a disk that keeps things.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("we are a program");
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(std::env::temp_dir, Path::to_owned)
}
