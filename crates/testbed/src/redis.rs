//! A Redis server of one's own.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::ports::{PORT_ATTEMPTS, free_port};
use crate::supervised::{self, READY_WITHIN, Supervised};
use crate::tls::Certificates;

/// On PATH, as Debian, Ubuntu and all others have it; Valkey calls itself by that name too.
const PROGRAM: &str = "redis-server";

/// Where it says which process it is, in its folder.
const PID_FILE: &str = "pid";

/// What differs from a server as it is installed: it keeps nothing, and only this machine gets in.
const SETTINGS: [(&str, &str); 4] =
    [("bind", "127.0.0.1"), ("save", ""), ("appendonly", "no"), ("daemonize", "no")];

/// A running Redis server, empty, reached over TCP on the loopback interface.
///
/// It ends when it is dropped, and also when the process that owns it ends without dropping anything.
#[derive(Debug)]
pub struct Redis {
    settings: Vec<(String, String)>,
    password: Option<String>,
    /// What it shows to clients that come over TLS.
    certificates: Option<Certificates>,
    port: u16,
    running: Option<Supervised>,
    // The last field: the folder goes when the server has gone.
    folder: TempDir,
}

impl Redis {
    /// A server that lets everybody in.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// A server that asks for this password, if there is one.
    pub async fn start_with(password: Option<&str>) -> Self {
        let mut server = Self::unstarted(password);
        server.start_on_a_free_port().await;
        server
    }

    fn unstarted(password: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pid_file = folder.path().join(PID_FILE).display().to_string();
        let own =
            password.map(|password| ("requirepass", password)).into_iter().chain([("pidfile", &*pid_file)]);
        let settings = SETTINGS.into_iter().chain(own);
        let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let password = password.map(str::to_owned);
        Self { settings, password, certificates: None, port: 0, running: None, folder }
    }

    /// A server that asks for this password and listens at a second port too, where it speaks TLS, with a certificate of an
    /// authority that nobody knows but by [`authority`](Self::authority).
    pub async fn start_with_tls(password: &str) -> Self {
        let mut server = Self::unstarted(Some(password));
        let certificates = Certificates::make(server.folder.path());
        for (key, file) in [
            ("tls-cert-file", &certificates.server),
            ("tls-key-file", &certificates.key),
            ("tls-ca-cert-file", &certificates.authority),
        ] {
            server.settings.push((key.to_owned(), file.display().to_string()));
        }
        // Clients show a password, and no certificate.
        server.settings.push(("tls-auth-clients".to_owned(), "no".to_owned()));
        server.certificates = Some(certificates);
        server.start_on_a_free_port().await;
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        let text = fs::read_to_string(self.pid_file()).expect("it runs");
        text.trim().parse().expect("a process")
    }

    /// Its URL, with its password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_via(self.address())
    }

    /// The URL for clients that go through something else, such as a [`Proxy`](crate::Proxy).
    #[must_use]
    pub fn url_via(&self, address: SocketAddr) -> String {
        match &self.password {
            Some(password) => format!("redis://:{}@{address}", in_url(password)),
            None => format!("redis://{address}"),
        }
    }

    /// Where it speaks TLS.
    #[must_use]
    pub fn tls_address(&self) -> SocketAddr {
        assert!(self.certificates.is_some(), "it was started without TLS");
        (Ipv4Addr::LOCALHOST, self.tls_port()).into()
    }

    /// The URL for clients that come over TLS, at this address or through what is there.
    #[must_use]
    pub fn tls_url_via(&self, address: SocketAddr) -> String {
        self.url_via(address).replacen("redis:", "rediss:", 1)
    }

    /// The file with the authority's certificate, which clients have to trust.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.certificates.as_ref().expect("it was started with TLS").authority
    }

    /// Publishes something by hand; answers with how many have got it.
    pub async fn publish(&self, channel: &str, payload: &[u8]) -> u64 {
        let parts = [b"PUBLISH".as_slice(), channel.as_bytes(), payload];
        let answer = self.ask(&parts).await;
        let count = answer.strip_prefix(':').and_then(|count| count.parse().ok());
        count.unwrap_or_else(|| panic!("PUBLISH: {answer}"))
    }

    /// Ends it at once, like a crash.
    pub async fn kill(&mut self) {
        let running = self.running.take().expect("it runs");
        spawn_blocking(move || running.end("KILL")).await.expect("it can be ended");
    }

    /// Starts it once more, on the same port.
    pub async fn start_again(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        assert!(self.starts().await, "port {} has been taken: {}", self.port, self.log());
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join(PID_FILE)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).expect("it has a log")
    }

    /// One command on a connection of its own, and the first line of the answer.
    async fn ask(&self, parts: &[&[u8]]) -> String {
        let answer = timeout(READY_WITHIN, self.try_ask(parts)).await.expect("it answers in time");
        answer.unwrap_or_else(|error| panic!("Redis: {error}"))
    }

    async fn try_ask(&self, parts: &[&[u8]]) -> io::Result<String> {
        let mut stream = BufReader::new(TcpStream::connect(self.address()).await?);
        if let Some(password) = &self.password {
            exchange(&mut stream, &[b"AUTH", password.as_bytes()]).await?;
        }
        exchange(&mut stream, parts).await
    }

    async fn start_on_a_free_port(&mut self) {
        for _ in 0..PORT_ATTEMPTS {
            self.port = free_port();
            if self.starts().await {
                return;
            }
        }
        panic!("no port is free: {}", self.log());
    }

    /// Starts it and waits until it takes connections. `false`: somebody else has the port.
    async fn starts(&mut self) -> bool {
        let is_ready = async || self.log().contains("Ready to accept connections");
        self.running = Supervised::start(self.supervisor(), &self.log_file(), is_ready).await;
        self.running.is_some()
    }

    fn supervisor(&self) -> std::process::Command {
        let folder = self.folder.path();
        let mut command = supervised::around(Path::new(PROGRAM), folder);
        command.arg("--port").arg(self.port.to_string()).arg("--dir").arg(folder);
        if self.certificates.is_some() {
            command.arg("--tls-port").arg(self.tls_port().to_string());
        }
        for (key, value) in &self.settings {
            command.arg(format!("--{key}")).arg(value);
        }
        command
    }

    /// If somebody else has it, the server does not start, and another pair is tried.
    fn tls_port(&self) -> u16 {
        self.port + 1
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

/// As a URL has it: whatever could mean something there is escaped.
fn in_url(text: &str) -> String {
    let escaped = |byte: &u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.as_bytes().iter().map(escaped).collect()
}

async fn exchange(stream: &mut BufReader<TcpStream>, parts: &[&[u8]]) -> io::Result<String> {
    let mut command = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        command.extend(format!("${}\r\n", part.len()).into_bytes());
        command.extend_from_slice(part);
        command.extend(b"\r\n");
    }
    stream.write_all(&command).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}
