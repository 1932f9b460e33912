//! A PostgreSQL server of one's own.

mod installation;
mod template;

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{io, process};

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::task::spawn_blocking;

use installation::{Installation, without_settings_of_others};

use crate::ports::{PORT_ATTEMPTS, free_port};
use crate::supervised::{self, Supervised};
use crate::tls::Certificates;

/// The role that everything is done as: a superuser, without a password.
const ROLE: &str = "lobby";
/// The database that every cluster has.
const MAINTENANCE: &str = "postgres";

/// What differs from a server as it is installed. `synchronous_commit` stays on: a commit is in the hands of the
/// operating system before it is acknowledged, and outlives [`Postgres::kill`], even without `fsync`.
const SETTINGS: [(&str, &str); 3] =
    [("listen_addresses", "127.0.0.1"), ("unix_socket_directories", ""), ("fsync", "off")];

/// Who gets in where TLS is asked for: everybody who speaks it.
const OVER_TLS: &str = "hostssl all all 127.0.0.0/8 trust\n";

/// A running PostgreSQL server with an empty cluster, reached over TCP on the loopback interface.
///
/// It ends when it is dropped, and also when the process that owns it ends without dropping anything.
#[derive(Debug)]
pub struct Postgres {
    installation: Installation,
    settings: Vec<(String, String)>,
    /// What it shows to clients that come over TLS.
    certificates: Option<Box<Certificates>>,
    port: u16,
    databases: AtomicU32,
    running: Option<Supervised>,
    // The last field: the folder goes when the server has gone.
    folder: TempDir,
}

impl Postgres {
    /// A server that is fast rather than safe against a power cut.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With some settings (as in `postgresql.conf`) of its own. With `("fsync", "on")` its data is on a disk, in
    /// the folder for temporary files; else it may be in memory.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut server = Self::unstarted(settings).await;
        server.start_on_a_free_port().await;
        server
    }

    async fn unstarted(settings: &[(&str, &str)]) -> Self {
        let durable = settings.contains(&("fsync", "on"));
        let cluster = spawn_blocking(move || {
            let installation = Installation::find();
            let folder = template::new_cluster(&installation, durable);
            (installation, folder)
        });
        let (installation, folder) = cluster.await.expect("a cluster can be made");
        let settings = SETTINGS.iter().chain(settings);
        let settings = settings.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let databases = AtomicU32::new(0);
        Self { installation, settings, certificates: None, port: 0, databases, running: None, folder }
    }

    /// A server that lets nobody in but over TLS, with a certificate of an authority that nobody knows but by
    /// [`authority`](Self::authority). It listens at `127.0.0.2` too, which its certificate is not for.
    pub async fn start_with_tls() -> Self {
        let mut server = Self::unstarted(&[("listen_addresses", "127.0.0.1,127.0.0.2"), ("ssl", "on")]).await;
        let certificates = Certificates::make(server.folder.path());
        // It refuses a key that anybody else may read.
        fs::set_permissions(&certificates.key, Permissions::from_mode(0o600)).expect("the file is ours");
        if let Some(user) = &server.installation.user {
            chown(&certificates.key, Some(user.uid), Some(user.gid)).expect("root may give files away");
        }
        let rules = server.folder.path().join("rules");
        fs::write(&rules, OVER_TLS).expect("the folder can be written to");
        for (key, file) in [
            ("ssl_cert_file", &certificates.server),
            ("ssl_key_file", &certificates.key),
            ("hba_file", &rules),
        ] {
            server.settings.push((key.to_owned(), file.display().to_string()));
        }
        server.certificates = Some(Box::new(certificates));
        server.start_on_a_free_port().await;
        server
    }

    /// The file with the authority's certificate, which clients have to trust.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.certificates.as_ref().expect("it was started with TLS").authority
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The process that all others of it are children of.
    #[must_use]
    pub fn pid(&self) -> u32 {
        let lock = fs::read_to_string(self.lock_file()).expect("it runs");
        lock.lines().next().and_then(|line| line.parse().ok()).expect("a process")
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.url_via(self.address(), database)
    }

    /// The URL of a database for clients that go through something else, such as a [`Proxy`](crate::Proxy).
    pub fn url_via(&self, address: SocketAddr, database: &str) -> String {
        format!("postgres://{ROLE}@{address}/{database}")
    }

    /// Adds an empty database.
    pub async fn create_database(&self, name: &str) {
        self.psql(MAINTENANCE, &format!("CREATE DATABASE \"{name}\"")).await;
    }

    /// Adds an empty database with a name of its own; answers with its URL.
    pub async fn fresh_database(&self) -> String {
        let name = format!("fresh_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.create_database(&name).await;
        self.url(&name)
    }

    /// Runs statements, each by itself. Answers with the rows: columns are separated by `|`, rows by newlines.
    pub async fn psql(&self, database: &str, statements: &str) -> String {
        let answer = self.try_psql(&self.url(database), statements).await;
        answer.unwrap_or_else(|error| panic!("psql: {error}"))
    }

    /// Like [`psql`](Self::psql) at any URL; answers with what psql complains about if it fails.
    pub async fn try_psql(&self, url: &str, statements: &str) -> Result<String, String> {
        let mut psql = process::Command::new(self.installation.program("psql"));
        without_settings_of_others(&mut psql);
        psql.args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--dbname", url]);
        let output = output_of(Command::from(psql), statements).await.expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Stops it in order, without waiting for its clients to leave.
    pub async fn stop(&mut self) {
        self.end("INT").await;
    }

    /// Ends it at once, like a crash: the next start has to recover.
    pub async fn kill(&mut self) {
        self.end("QUIT").await;
    }

    /// Starts it once more, with the same data and on the same port.
    pub async fn start_again(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        assert!(self.starts().await, "port {} has been taken: {}", self.port, self.log());
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).expect("it has a log")
    }

    async fn end(&mut self, signal: &'static str) {
        let running = self.running.take().expect("it runs");
        spawn_blocking(move || running.end(signal)).await.expect("it can be ended");
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
        // A server that was killed behind our back has left it.
        let _ = fs::remove_file(self.lock_file());
        let is_ready = async || self.is_ready();
        self.running = Supervised::start(self.supervisor(), &self.log_file(), is_ready).await;
        self.running.is_some()
    }

    /// The eighth line of its lock file says so; `pg_ctl` waits for the same.
    fn is_ready(&self) -> bool {
        let lock = fs::read_to_string(self.lock_file()).unwrap_or_default();
        lock.lines().nth(7).is_some_and(|status| status.trim() == "ready")
    }

    fn supervisor(&self) -> process::Command {
        let folder = self.folder.path();
        let mut command = supervised::around(&self.installation.program("postgres"), folder);
        command.arg("-D").arg(folder.join(template::DATA)).arg("-p").arg(self.port.to_string());
        for (key, value) in &self.settings {
            command.arg("-c").arg(format!("{key}={value}"));
        }
        self.installation.as_user(&mut command, folder);
        command
    }

    fn lock_file(&self) -> PathBuf {
        self.folder.path().join(template::DATA).join("postmaster.pid")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

async fn output_of(mut command: Command, input: &str) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("it has a pipe");
    let write = async move {
        // A psql that has failed reads no more; what it says tells why.
        let _ = stdin.write_all(input.as_bytes()).await;
    };
    let ((), output) = tokio::join!(write, child.wait_with_output());
    output
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[tokio::test]
    async fn a_port_that_somebody_else_has_is_told_from_a_failure() {
        let (first, mut second) = tokio::join!(Postgres::start(), Postgres::start());
        assert_ne!(first.port, second.port);
        second.stop().await;
        second.port = first.port;
        assert!(!second.starts().await);
        second.start_on_a_free_port().await;
        assert_eq!(second.psql(MAINTENANCE, "SHOW port").await, second.port.to_string());
    }

    #[tokio::test]
    async fn a_server_that_is_not_up_yet_can_be_ended() {
        let mut server = Postgres::start().await;
        server.stop().await;
        let log = File::create(server.log_file()).expect("its log can be written");
        drop(Supervised::spawn(server.supervisor(), &log));
        assert!(!server.folder.path().exists());
    }
}
