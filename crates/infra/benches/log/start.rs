//! What a start of the real program takes.

use crate::common::measure::now;
use crate::common::program::Program;

pub(crate) struct StartUp {
    pub(crate) millis: f64,
    pub(crate) mebibytes: f64,
}

/// Starts the lobby on this database, waits until it is ready, and reads the history before a message.
pub(crate) fn start_up(url: &str, before: i64) -> StartUp {
    let start = now();
    let lobby = Program::start(url);
    let millis = (now() - start).as_secs_f64() * 1e3;
    let page = lobby.get(&format!("/messages?before={before}&limit=50")).expect("it answers");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    StartUp { millis, mebibytes: resident(lobby.id()) }
}

/// In mebibytes.
fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is among them");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes / 1024.0
}
