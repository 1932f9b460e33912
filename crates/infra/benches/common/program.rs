//! The real program.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::measure::now;

/// What tokens are signed with.
pub(crate) const SECRET: &str = "a secret of the bench";

/// A busy machine is slow; one that takes longer than this is broken.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Ends with its owner.
pub(crate) struct Program {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    #[expect(dead_code, reason = "it is held for as long as the lobby runs there")]
    folder: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts the lobby with its default settings on this database, with [`SECRET`], and waits until it is ready.
    pub(crate) fn start(url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = port.expect("a port is free");
        let start = now();
        let mut lobby = Command::new(program());
        lobby.current_dir(folder.path()).env_clear().stdout(Stdio::null());
        lobby.env("LOBBY_DATABASE__URL", url).env("LOBBY_SERVER__PORT", address.port().to_string());
        lobby.env("SECRET_KEY", SECRET).env("LOBBY_LOG__LEVEL", "error");
        // All of them come from one address.
        lobby.env("LOBBY_LIMITS__ENABLED", "false");
        let mut running = Self { child: lobby.spawn().expect("the lobby starts"), address, folder };
        while !running.get("/health/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            assert!(now() < start + READY_WITHIN, "the lobby is not ready");
            assert!(running.child.try_wait().expect("it is ours").is_none(), "the lobby has ended");
            std::thread::yield_now();
        }
        running
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, path: &str) -> Option<String> {
        self.ask(&format!("GET {path}"), "")
    }

    /// The whole answer to a request; `what` is its first line without the version, with more headers behind it.
    pub(crate) fn ask(&self, what: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        let (line, headers) = what.split_once("\r\n").unwrap_or((what, ""));
        let (address, length) = (self.address, body.len());
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

/// Where `cargo build --release --bin lobby` puts it: beside the folder of this program.
fn program() -> PathBuf {
    let ours = std::env::current_exe().expect("we are a program");
    let lobby = ours.ancestors().nth(2).map(|folder: &Path| folder.join("lobby"));
    lobby.filter(|lobby| lobby.is_file()).expect("the lobby is to be built first, in release mode")
}
