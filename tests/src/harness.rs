//! The lobby under test, and clients for it.

mod app;
mod connection;
pub mod contract;
mod network;
mod participant;
mod polling;
mod program;
mod random;
mod raw;
mod recorder;
mod wall_clock;

use std::env;
use std::fs;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Client;
use tokio::time::sleep;

pub use app::{Answer, App, LoggedIn, SECRET_KEY};
pub use connection::{Auth, Connection, Protocol, Received, Recovery};
pub use network::Network;
pub use participant::{Kind, Participant};
pub use polling::Polling;
pub use program::{Database, Launch, PROGRAM_SECRET, Program, binary, free_port};
pub use random::Random;
pub use raw::RawSocket;
pub use recorder::{Address, Recorder};
pub use wall_clock::WallClock;

/// How long a test waits for what has to come. Far above what anything takes, so that only what never comes
/// fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what has to come.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// For requests over HTTP. The lobby hangs up on connections that are idle for 5 s, and whoever asks just then gets no answer: so
/// they are idle for a second at most.
pub fn http_client() -> Client {
    Client::builder().pool_idle_timeout(Duration::from_secs(1)).build().expect("a client")
}

/// Asks until it is so: nobody is told when that happens. Who asks without a pause leaves the others no processor.
pub async fn becomes_so(what: &str, is_so: impl AsyncFn() -> bool) {
    const AGAIN: Duration = Duration::from_millis(20);

    let asking = async {
        while !is_so().await {
            sleep(AGAIN).await;
        }
    };
    Box::pin(in_time(what, asking)).await;
}

/// What a process has in memory, in KiB.
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux says");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// What a variable of the environment says, if it is there.
pub fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not what it should be")))
}

/// Says something to whoever reads what a test has printed.
#[expect(clippy::print_stderr, reason = "that is where a test is explained")]
pub fn tell(what: &str) {
    eprintln!("{what}");
}
