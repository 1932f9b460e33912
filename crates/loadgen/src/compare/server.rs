//! The servers that are compared, as processes that end with their owner.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::Arguments;
use super::machine::{Machine, Role};
use super::scenario::Scenario;
use crate::error::Error;
use crate::target::Protocol;

/// A busy machine is slow; one that takes longer than this is broken.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// What a lobby says of whether it is ready has some hundred bytes.
const LONGEST_ANSWER: u64 = 16 << 10;

/// Asked so often whether it is ready.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Floor,
    FloorBatch,
    Node,
    LobbySocketio,
    LobbyWs,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Floor, Self::FloorBatch, Self::Node, Self::LobbySocketio, Self::LobbyWs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::FloorBatch => "floor, batches",
            Self::Node => "Socket.IO on Node",
            Self::LobbySocketio => "lobby, Socket.IO",
            Self::LobbyWs => "lobby, /ws",
        }
    }

    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::Floor | Self::FloorBatch => Protocol::Raw,
            Self::Node | Self::LobbySocketio => Protocol::Socketio,
            Self::LobbyWs => Protocol::Ws,
        }
    }

    pub(super) fn is_lobby(self) -> bool {
        matches!(self, Self::LobbySocketio | Self::LobbyWs)
    }

    /// Whether it sends heartbeats, and so can be idle as the lobby is.
    pub(super) fn has_heartbeats(self) -> bool {
        self.is_lobby() || self == Self::Node
    }
}

pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts it with an empty database in `folder`, and waits until it is ready.
    pub(super) async fn start(
        kind: Kind,
        scenario: Scenario,
        arguments: &Arguments,
        machine: &Machine,
    ) -> Result<Self, Error> {
        let address = free_address()?;
        let folder = arguments.folder.join("server");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut command = command(kind, arguments, machine, address.port(), &folder)?;
        if let Some(outbox) = scenario.outbox() {
            command.env("LOBBY_WEBSOCKET__OUTBOX", outbox.to_string());
        }
        Self::run(kind.name(), command, address, &folder.join("server.log"), kind.is_lobby()).await
    }

    /// Runs what listens there, and waits until it is ready.
    pub(crate) async fn run(
        name: &str,
        mut command: Command,
        address: SocketAddr,
        log: &Path,
        is_lobby: bool,
    ) -> Result<Self, Error> {
        let failed = |why: String| Error::Server { server: name.to_owned(), why };
        let output = File::create(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let mut server = Self { child, address };
        let ready = timeout(READY_WITHIN, server.ready(is_lobby)).await;
        let last = || last_words(log);
        match ready {
            Ok(Ok(())) => Ok(server),
            Ok(Err(why)) => Err(failed(format!("{why}: {}", last()))),
            Err(_) => Err(failed(format!("it is not ready after {READY_WITHIN:?}: {}", last()))),
        }
    }

    async fn ready(&mut self, is_lobby: bool) -> Result<(), String> {
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Err(format!("it has ended with {status}"));
            }
            if is_ready(self.address, is_lobby).await.unwrap_or_default() {
                return Ok(());
            }
            sleep(AGAIN).await;
        }
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a lobby says of whether it is ready.
    pub(crate) async fn readiness(&self) -> std::io::Result<String> {
        readiness(self.address).await
    }

    /// At once: nothing of it is needed any more.
    pub(crate) async fn end(mut self) -> Result<(), Error> {
        Ok(self.child.kill().await?)
    }
}

fn command(
    kind: Kind,
    arguments: &Arguments,
    machine: &Machine,
    port: u16,
    folder: &Path,
) -> Result<Command, Error> {
    let port = port.to_string();
    let mut command = match kind {
        Kind::Floor | Kind::FloorBatch => {
            let mut command = machine.command(Role::Server, std::env::current_exe()?);
            command.args(["floor", "--port", &port]);
            if kind == Kind::FloorBatch {
                command.arg("--batch");
            }
            command
        }
        Kind::Node => {
            let mut command = machine.command(Role::Server, "node");
            let folder = arguments.node.as_deref().unwrap_or(Path::new("."));
            command.arg(fs::canonicalize(folder)?.join("server.js")).arg(&port).env("NODE_ENV", "production");
            command
        }
        Kind::LobbySocketio | Kind::LobbyWs => {
            let mut command = machine.command(Role::Server, fs::canonicalize(&arguments.lobby)?);
            let database = format!("sqlite://{}?mode=rwc", folder.canonicalize()?.join("lobby.db").display());
            command.env("LOBBY_DATABASE__URL", database).env("LOBBY_SERVER__PORT", &port);
            command.env("SECRET_KEY", "a secret of the benchmark").env("LOBBY_LOG__LEVEL", "error");
            // All of them come from one address.
            command.env("LOBBY_LIMITS__ENABLED", "false");
            command
        }
    };
    command.current_dir(folder);
    Ok(command)
}

/// A lobby is asked; the others are ready when they listen.
async fn is_ready(address: SocketAddr, is_lobby: bool) -> std::io::Result<bool> {
    if is_lobby {
        return Ok(readiness(address).await?.starts_with("HTTP/1.1 200"));
    }
    TcpStream::connect(address).await.map(|_| true)
}

async fn readiness(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// One that no outgoing connection gets: systems give those out from 32768 on.
pub(crate) fn free_address() -> Result<SocketAddr, Error> {
    const FIRST: u32 = 20_000;
    const PORTS: u32 = 10_000;

    let ports = (0..PORTS).map(|n| FIRST + std::process::id().wrapping_mul(7).wrapping_add(n) % PORTS);
    let mut addresses =
        ports.filter_map(|port| Some((Ipv4Addr::LOCALHOST, u16::try_from(port).ok()?).into()));
    let free = addresses.find(|address: &SocketAddr| TcpListener::bind(address).is_ok());
    free.ok_or_else(|| Error::Usage("no port is free".to_owned()))
}

fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.trim_end().lines().next_back().unwrap_or("it said nothing").to_owned()
}
