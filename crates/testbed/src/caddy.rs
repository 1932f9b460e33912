//! Caddy as whoever runs it has set it up.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::ports::{PORT_ATTEMPTS, free_port};
use crate::supervised::{self, Supervised};
use crate::tls::Certificates;

/// A running Caddy on the loopback interface, in front of a server.
#[derive(Debug)]
pub struct Caddy {
    port: u16,
    certificates: Certificates,
    running: Option<Supervised>,
    // The last field: the folder goes when the server has gone.
    folder: TempDir,
}

impl Caddy {
    /// As a Caddyfile says that has one site, and one `reverse_proxy` of `127.0.0.1:5000`. Only where it listens, with a certificate of its own,
    /// and which server there is, is put in its place.
    pub async fn start_with(file: &str, server: SocketAddr) -> Self {
        for _ in 0..PORT_ATTEMPTS {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let certificates = Certificates::make(folder.path());
            let mut caddy = Self { port: free_port(), certificates, running: None, folder };
            if caddy.starts(file, server).await {
                return caddy;
            }
        }
        panic!("no port is free");
    }

    /// Where it listens, over TLS.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The authority that has signed its certificate.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.certificates.authority
    }

    /// `false`: somebody else has the port.
    async fn starts(&mut self, file: &str, server: SocketAddr) -> bool {
        let configuration = self.folder.path().join("Caddyfile");
        fs::write(&configuration, self.placed(file, server)).expect("its configuration can be written");
        let mut command = supervised::around(Path::new("caddy"), self.folder.path());
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(configuration);
        // What it keeps is gone with it.
        command.env("HOME", self.folder.path()).env("XDG_DATA_HOME", self.folder.path());
        let is_ready = async || TcpStream::connect(self.address()).await.is_ok();
        self.running = Supervised::start(command, &self.log_file(), is_ready).await;
        self.running.is_some()
    }

    fn placed(&self, file: &str, server: SocketAddr) -> String {
        let Certificates { server: certificate, key, .. } = &self.certificates;
        let (name, _) = file.split_once(" {").expect("a site has a name and a block");
        let name = name.lines().last().expect("a name");
        let site = format!(
            "https://127.0.0.1:{} {{\n    tls {} {}\n",
            self.port,
            certificate.display(),
            key.display()
        );
        let placed = file.replacen(&format!("{name} {{\n"), &site, 1);
        let own = "{\n    admin off\n    auto_https disable_redirects\n}\n";
        own.to_owned() + &placed.replacen("127.0.0.1:5000", &server.to_string(), 1)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("TERM");
        }
    }
}
