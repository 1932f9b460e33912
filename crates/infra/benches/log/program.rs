//! The real program.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::measure::now;

/// A busy machine is slow; one that takes longer than this is broken.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// What a start took.
pub(crate) struct StartUp {
    pub(crate) millis: f64,
    pub(crate) mebibytes: f64,
}

/// Ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the lobby on this database, waits until it is ready, and reads the history before a message.
pub(crate) fn start_up(url: &str, before: i64) -> StartUp {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let address = port.expect("a port is free");
    let start = now();
    let mut lobby = Command::new(program());
    lobby.current_dir(folder.path()).env_clear().stdout(Stdio::null());
    lobby.env("LOBBY_DATABASE__URL", url).env("LOBBY_SERVER__PORT", address.port().to_string());
    lobby.env("SECRET_KEY", "a secret of the bench").env("LOBBY_LOG__LEVEL", "error");
    let mut running = Running(lobby.spawn().expect("the lobby starts"));
    while !get(address, "/health/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        assert!(now() < start + READY_WITHIN, "the lobby is not ready");
        assert!(running.0.try_wait().expect("it is ours").is_none(), "the lobby has ended");
        std::thread::yield_now();
    }
    let millis = (now() - start).as_secs_f64() * 1e3;
    let page = get(address, &format!("/messages?before={before}&limit=50")).expect("it answers");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    StartUp { millis, mebibytes: resident(running.0.id()) }
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// In mebibytes.
fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is among them");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes / 1024.0
}

/// Where `cargo build --release --bin lobby` puts it: beside the folder of this program.
fn program() -> PathBuf {
    let ours = std::env::current_exe().expect("we are a program");
    let lobby = ours.ancestors().nth(2).map(|folder: &Path| folder.join("lobby"));
    lobby.filter(|lobby| lobby.is_file()).expect("the lobby is to be built first, in release mode")
}
