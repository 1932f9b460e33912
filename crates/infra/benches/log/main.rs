//! `make bench-log`: what the log costs next to what the database costs, and whether a long log costs more than a short one.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `posting` | acknowledged messages, next to the limit |
//! | `long` | a log of a million messages, next to one of a thousand |
//! | `lobby`, `raw` | the two that are compared there |
//! | `backend`, `disk` | where all that happens |
//! | `measure` | times |
//!
//! Everything is measured in rounds, what is compared one right after the other, and medians of the rounds are told: a busy
//! machine then makes all of it slow, and the ratios stay.

mod backend;
mod disk;
mod lobby;
mod long;
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
    let report = report(&knobs).await;
    println!("{report}");
    if let Ok(page) = std::env::var("BENCH_PAGE") {
        put_into(&PathBuf::from(page), &report);
    }
}

async fn report(knobs: &Knobs) -> String {
    let folder = tempfile::tempdir_in(target()).expect("a temporary folder");
    let mut syncs = disk::syncs(folder.path());
    let [usual, slow] = [0.5, 0.99].map(|share| syncs.quantile(share));
    let disk =
        format!("A sync of the disk (4 KiB and `fdatasync`): p50 {usual:.2} ms, p99 {slow:.2} ms.\n\n");
    let backends = Backend::all(folder.path()).await;
    let (mut parts, mut missed) = (vec![disk], Vec::new());
    for backend in &backends {
        let cells = posting::posting(backend, knobs).await;
        parts.push(format!("### {backend}\n\n{}", posting::HEAD));
        parts.extend(cells.iter().map(posting::Cell::row));
        parts.push("\n".to_owned());
        missed.extend(cells.iter().filter_map(|cell| cell.missed(backend)));
    }
    if !missed.is_empty() {
        parts.push(format!("Less than is wanted:\n\n- {}\n\n", missed.join("\n- ")));
    }
    parts.push(LONG_HEAD.to_owned());
    let mut grown = Vec::new();
    for backend in &backends {
        let (rows, kib) = long::long(backend).await;
        parts.push(rows);
        grown.push(format!("{kib} KiB with {backend}"));
    }
    parts.push(format!("\nThe process grew meanwhile by {}.\n", grown.join(" and ")));
    parts.concat()
}

const LONG_HEAD: &str = "### A long log\n\n| | what | 1,000 messages: ms | 1,000,000 messages: ms | ratio |\n\
                         | --- | --- | --- | --- | --- |\n";

/// Between the two lines of a page that say where it belongs.
fn put_into(page: &Path, report: &str) {
    let (begins, ends) = ("<!-- log -->\n", "<!-- end of log -->\n");
    let written = std::fs::read_to_string(page).expect("the page is there");
    let (before, rest) = written.split_once(begins).expect("the page says where the report begins");
    let (_, after) = rest.split_once(ends).expect("the page says where the report ends");
    std::fs::write(page, [before, begins, "\n", report, "\n", ends, after].concat()).expect("it is written");
}

/// Cargo's folder, which is on a disk that keeps things.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("we are a program");
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(std::env::temp_dir, Path::to_owned)
}
