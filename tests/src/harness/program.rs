use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::{env, process, thread};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

use super::{Address, becomes_so, in_time};

/// What programs sign with, unless their settings say otherwise.
pub const PROGRAM_SECRET: &str = "a secret key for tests, long enough for all of them";

/// Where a lobby keeps what it knows.
#[derive(Debug, Clone, Default)]
pub enum Database {
    /// A file in its folder. What is promised of `normal` is what a kill tests: it survives a crash of the lobby.
    #[default]
    Sqlite,
    /// Wherever this URL leads.
    At(String),
}

/// How a lobby is started.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    pub database: Database,
    /// Variables of its own.
    pub settings: Vec<(&'static str, String)>,
    /// Whether other nodes on the same database reach it.
    pub in_cluster: bool,
    /// A command that runs the lobby, which is put behind it, as its own process or as a child that ends with it.
    pub through: Vec<String>,
}

/// The real program, as a process that can be killed.
pub struct Program {
    folder: TempDir,
    launch: Launch,
    address: SocketAddr,
    running: Running,
}

struct Running {
    child: Child,
    /// Kept, so that what the program says at its start has somewhere to go.
    said: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts it with this database; it is ready.
    pub async fn start(database: Database) -> Self {
        Self::launch(Launch { database, ..Launch::default() }).await
    }

    /// The same, in another way than usual.
    pub async fn launch(launch: Launch) -> Self {
        let mut program = Self::begin(launch);
        program.opened().await;
        program
    }

    /// The same, and does not wait until it is ready.
    pub fn begin(launch: Launch) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let running = Running::start(&folder, &launch, address);
        Self { folder, launch, address, running }
    }

    /// Waits until it is ready.
    pub async fn opened(&mut self) {
        self.running.opened(self.address).await;
    }

    /// It ends at once, in the middle of whatever it does.
    pub async fn kill(&mut self) {
        self.running.child.start_kill().expect("it ran until now");
        let status = self.ended().await;
        assert_eq!(status.code(), None, "it had ended by itself");
    }

    /// After a kill or a stop: with the same data, at the same port.
    pub async fn start_again(&mut self) {
        self.running = Running::start(&self.folder, &self.launch, self.address);
        self.opened().await;
    }

    /// Asks it to end, which it does in order.
    pub async fn stop(mut self) {
        self.stop_for_now().await;
    }

    /// The same, where it is to start again.
    pub async fn stop_for_now(&mut self) {
        self.signal("TERM").await;
        let status = self.ended().await;
        assert!(status.success(), "{status}");
        // A panic may have cut one connection only, which would have come back.
        assert!(!self.log().contains("panicked"), "it panicked");
    }

    /// Sends it a signal, such as `STOP`.
    pub async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await.expect("kill runs");
        assert!(sent.success(), "{sent}");
    }

    pub fn pid(&self) -> u32 {
        self.running.child.id().expect("it runs")
    }

    pub fn socket(&self) -> SocketAddr {
        self.address
    }

    pub fn address(&self) -> Address {
        watch::channel(self.address).1
    }

    /// Where it was started.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has written to its standard error, over all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(log_of(&self.folder)).unwrap_or_default()
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        in_time("the program to end", self.running.child.wait()).await.expect("it ends")
    }
}

impl Running {
    fn start(folder: &TempDir, launch: &Launch, address: SocketAddr) -> Self {
        let words =
            launch.through.iter().map(OsString::from).chain([binary("lobby").into()]).collect::<Vec<_>>();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().envs(variables(launch, address));
        if !launch.through.is_empty() {
            command.envs(env::var_os("PATH").map(|path| ("PATH", path)));
        }
        command.current_dir(folder.path()).kill_on_drop(true);
        let log = File::options().create(true).append(true).open(log_of(folder)).expect("it can be written");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, said }
    }

    async fn opened(&mut self, address: SocketAddr) {
        loop {
            let line = in_time("the program to start", self.said.next_line()).await.expect("it is read");
            if line.expect("it does not end").starts_with("The lobby is open at ") {
                break;
            }
        }
        in_time("the program to be ready", ready(address)).await;
    }
}

async fn ready(address: SocketAddr) {
    let url = format!("http://{address}/health/ready");
    let is_ready = async || reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success());
    becomes_so("it to be ready", is_ready).await;
}

/// What the program said stays behind where a test fails.
impl Drop for Program {
    #[expect(clippy::print_stderr, reason = "that is where a failing test is explained")]
    fn drop(&mut self) {
        const LAST: usize = 200;

        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("The program's last words:\n{}", lines[lines.len().saturating_sub(LAST)..].join("\n"));
        }
    }
}

fn variables(launch: &Launch, address: SocketAddr) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("LOBBY_SERVER__PORT", address.port().to_string()),
        // Two, so that what crosses workers is tested, on any machine.
        ("LOBBY_SERVER__WORKERS", "2".to_owned()),
        // All tests come from one address, and most in a hurry. Those of limits say otherwise.
        ("LOBBY_LIMITS__ENABLED", "false".to_owned()),
        ("SECRET_KEY", PROGRAM_SECRET.to_owned()),
    ];
    match &launch.database {
        Database::Sqlite => variables.push(("LOBBY_DATABASE__DURABILITY", "normal".to_owned())),
        Database::At(url) => variables.push(("LOBBY_DATABASE__URL", url.clone())),
    }
    if launch.in_cluster {
        variables.push(("LOBBY_CLUSTER__ADDRESS", format!("http://{address}")));
    }
    // The last one counts.
    variables.extend(launch.settings.clone());
    variables
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("lobby.log")
}

/// A program of ours, of the profile that this test was built with.
pub fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a test is a file");
    let profile = test.parent().and_then(Path::parent).expect("it is in target/<profile>/deps");
    let binary = profile.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(binary.exists(), "{} is missing: `cargo build --bin {name}` makes it", binary.display());
    binary
}

/// A port that no outgoing connection gets. Systems give those out from 32768 on; a client that tries again and
/// again to reach one of them where nobody listens is given it as its own one day, and is connected to itself.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const PORTS: u32 = 10_000;
    /// How many were given out: whoever has one may not listen yet.
    static GIVEN: AtomicU32 = AtomicU32::new(0);

    // Tests are processes of their own, and need not all begin at the same one.
    let begin = process::id().wrapping_mul(7);
    let ports = (0..PORTS).map(|_| FIRST + begin.wrapping_add(GIVEN.fetch_add(1, Relaxed)) % PORTS);
    let mut ports = ports.map(|port| u16::try_from(port).expect("they end below 32768"));
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("one of them is free")
}
