//! `make bench-cluster`: starts PostgreSQL, with its data on the disk, and Redis, and has `lobby-load scale` measure nodes on
//! them. Where there are two processors all servers share one, and the generator has the other.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::str::FromStr;

use lobby_testbed::{Postgres, Redis};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The clusters of a round.
const CLUSTERS: usize = 5;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs this too, and means no measurement.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let rounds = variable("BENCH_ROUNDS").unwrap_or(3);
    let all = sched_getaffinity(None).expect("Linux tells");
    stay_on_the_first_processor();
    let (postgres, redis, databases) = runtime.block_on(backends(rounds * CLUSTERS));
    sched_setaffinity(None, &all).expect("it was allowed before");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut scale = Command::new(env!("CARGO_BIN_EXE_lobby-load"));
    scale.arg("scale").arg("--lobby").arg(lobby()).arg("--folder").arg(folder.path());
    scale.args(["--database-pid", &postgres.pid().to_string()]);
    scale.args(["--bus", &redis.url(), "--bus-pid", &redis.pid().to_string()]);
    scale.args(["--rounds", &rounds.to_string()]);
    scale.args(databases.iter().flat_map(|url| ["--database", url]));
    for (flag, name) in [("--page", "BENCH_PAGE"), ("--json", "BENCH_JSON")] {
        if let Some(file) = variable::<PathBuf>(name) {
            scale.arg(flag).arg(file);
        }
    }
    let flags: String = variable("BENCH_FLAGS").unwrap_or_default();
    let status = scale.args(flags.split_whitespace()).status().expect("lobby-load runs");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn backends(databases: usize) -> (Postgres, Redis, Vec<String>) {
    let (postgres, redis) = tokio::join!(Postgres::start_with(&[("fsync", "on")]), Redis::start());
    let mut urls = Vec::new();
    for _ in 0..databases {
        urls.push(postgres.fresh_database().await);
    }
    (postgres, redis, urls)
}

/// Whatever is started meanwhile stays there.
fn stay_on_the_first_processor() {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2) {
        let mut first = CpuSet::new();
        first.set(0);
        sched_setaffinity(None, &first).expect("the first processor may be used");
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} cannot be '{value}'")))
}

/// Where `cargo build --release --bin lobby` puts it: beside the folder of this program.
fn lobby() -> PathBuf {
    let ours = std::env::current_exe().expect("we are a program");
    let lobby = ours.ancestors().nth(2).map(|folder: &Path| folder.join("lobby"));
    lobby.filter(|lobby| lobby.is_file()).expect("the lobby is to be built first, in release mode")
}
