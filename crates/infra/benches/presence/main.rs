//! `make bench-presence`: what it costs to keep many online, and how long a crowd that is cut off takes to be back.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `rounds` | heartbeats, arrivals and departures, as a node has them recorded |
//! | `storm` | everybody is cut off at once, and comes back |
//! | `client` | a light client, for thousands of them |
//! | `cpu` | the time that processes take |
//! | `common` | what all benches share |

mod client;
#[path = "../common/mod.rs"]
mod common;
mod cpu;
mod rounds;
mod storm;

use std::path::PathBuf;

use client::Protocol;
use common::backend::Backend;
use common::page::Page;
use common::{disk, target, variable};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` runs this too, and means no measurement.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let only: Option<String> = variable("BENCH_ONLY");
    let is_wanted = |name: &str| only.as_ref().is_none_or(|only| name.contains(only));
    let clients = variable("BENCH_CLIENTS").unwrap_or(5_000);
    allow_files(clients);
    let folder = tempfile::tempdir_in(target()).expect("a temporary folder");
    let mut page = Page::new("bench-presence", &mut disk::syncs(folder.path()));
    let backends = Backend::all(folder.path()).await;
    for backend in backends.iter().filter(|backend| is_wanted(&format!("{backend} rounds"))) {
        rounds::tell(&mut page, backend, &Box::pin(rounds::rounds(backend)).await);
    }
    let mut storms = Vec::new();
    for backend in &backends {
        for protocol in [Protocol::Plain, Protocol::SocketIo] {
            if is_wanted(&format!("{backend} {protocol} storm")) {
                storms.push(storm::storm(backend, protocol, clients).await);
            }
        }
    }
    storm::tell(&mut page, clients, &mut storms);
    if let Some(file) = variable::<PathBuf>("BENCH_PAGE") {
        page.write_into(&file);
    }
}

/// Each client is a file here and one in the lobby, which inherits the limit.
fn allow_files(clients: usize) {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    assert!(most > clients as u64 + 500, "`ulimit -Hn` is {most}: too few files for {clients} clients");
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).expect("it is not above the hard limit");
}
