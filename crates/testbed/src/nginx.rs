//! nginx as a load balancer without memory.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::ports::{PORT_ATTEMPTS, free_port};
use crate::supervised::{self, Supervised};

/// Where Debian and Ubuntu have it, which is not on everybody's PATH.
const DEBIAN: &str = "/usr/sbin";

/// A running nginx on the loopback interface, in front of several HTTP servers.
#[derive(Debug)]
pub struct Nginx {
    port: u16,
    /// A file for the `http` block.
    site: String,
    running: Option<Supervised>,
    // The last field: the folder goes when the server has gone.
    folder: TempDir,
}

impl Nginx {
    /// In front of these, as a file for the `http` block says, which has one `upstream` and one `server`. Only where it listens, and
    /// which servers there are, is put in its place.
    pub async fn start_with(site: &str, servers: &[SocketAddr]) -> Self {
        for _ in 0..PORT_ATTEMPTS {
            let site = site.to_owned();
            let mut nginx = Self { port: free_port(), site, running: None, folder: folder() };
            if nginx.starts(servers).await {
                return nginx;
            }
        }
        panic!("no port is free");
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What has gone wrong, as it sees it: among other things, which servers it could not reach.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).expect("it has a log")
    }

    /// `false`: somebody else has the port.
    async fn starts(&mut self, servers: &[SocketAddr]) -> bool {
        let configuration = self.folder.path().join("nginx.conf");
        fs::write(&configuration, self.configuration(servers)).expect("its configuration can be written");
        let mut command = supervised::around(&program(), self.folder.path());
        command.arg("-p").arg(self.folder.path()).arg("-c").arg(configuration).arg("-e").arg(self.log_file());
        // Whoever else listens there, nginx would have ended.
        let is_ready = async || TcpStream::connect(self.address()).await.is_ok() && self.pid_file().exists();
        self.running = Supervised::start(command, &self.log_file(), is_ready).await;
        self.running.is_some()
    }

    /// One process, so that turns are kept; in the foreground, so that it ends with its owner.
    fn configuration(&self, servers: &[SocketAddr]) -> String {
        let site = placed(&self.site, self.address(), servers);
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", self.folder.path().display()))
            .join("\n    ");
        format!(
            r"daemon off;
master_process off;
pid {pid};
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    {temporary}
{site}
}}
",
            pid = self.pid_file().display(),
        )
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("TERM");
        }
    }
}

/// A site that listens here, in front of these servers. Each server is set up as the first of the site's own is.
fn placed(site: &str, address: SocketAddr, servers: &[SocketAddr]) -> String {
    let (mut lines, mut is_placed) = (Vec::new(), false);
    for line in site.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["listen", ref how @ ..] => {
                let how = how.iter().skip(1).map(|word| word.trim_end_matches(';')).collect::<Vec<_>>();
                lines.push(format!("listen {address} {};", how.join(" ")));
            }
            ["server", "{"] => lines.push(line.to_owned()),
            ["server", _, ref setup @ ..] if !is_placed => {
                lines.extend(servers.iter().map(|server| format!("server {server} {}", setup.join(" "))));
                is_placed = true;
            }
            ["server", ..] => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn program() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain([Path::new(DEBIAN).to_owned()])
        .map(|folder| folder.join("nginx"))
        .find(|file| file.is_file());
    found.expect("nginx is needed, on PATH or in /usr/sbin: `make tool-nginx` installs it")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    /// Takes turns, also past one that takes no connections.
    const SITE: &str = "upstream a {\n server 127.0.0.1:1 max_fails=0;\n }\n \
         server {\n listen 80;\n location / {\n proxy_pass http://a;\n }\n }";

    /// Answers everything with its name.
    async fn server(name: &'static str, serving: &mut JoinSet<()>) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        serving.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut head = [0; 4_096];
                let _ = stream.read(&mut head).await;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{name}",
                    name.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    async fn ask(nginx: &Nginx) -> String {
        let mut stream = TcpStream::connect(nginx.address()).await.expect("it listens");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer.lines().last().expect("a body").to_owned()
    }

    #[tokio::test]
    async fn each_request_goes_to_the_next_server_and_past_one_that_is_gone() {
        let mut serving = JoinSet::new();
        let (one, two) = (server("one", &mut serving).await, server("two", &mut serving).await);
        let nginx = Nginx::start_with(SITE, &[one, two]).await;
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(ask(&nginx).await);
        }
        assert!(
            answers == ["one", "two", "one", "two"] || answers == ["two", "one", "two", "one"],
            "{answers:?}"
        );
        drop(serving);
        let mut serving = JoinSet::new();
        let three = server("three", &mut serving).await;
        let nginx = Nginx::start_with(SITE, &[one, three]).await;
        assert_eq!((ask(&nginx).await, ask(&nginx).await), ("three".to_owned(), "three".to_owned()));
        assert!(nginx.log().contains("Connection refused"), "{}", nginx.log());
    }

    #[tokio::test]
    async fn a_site_of_somebodys_own_is_put_in_front_of_the_servers_there_are() {
        let site = "upstream a { \n server 10.0.0.1:80 weight=2;\n server 10.0.0.2:80; \n }\n \
             server {\n listen 80;\n location / {\n proxy_pass http://a; add_header X-Site own;\n }\n }";
        let servers = [1, 2, 3].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let placed = placed(site, servers[0], &servers);
        assert!(placed.contains("server 127.0.0.1:3 weight=2;") && !placed.contains("10.0.0"), "{placed}");
        let mut serving = JoinSet::new();
        let (one, two) = (server("one", &mut serving).await, server("two", &mut serving).await);
        let nginx = Nginx::start_with(site, &[one, two]).await;
        let mut answers = [ask(&nginx).await, ask(&nginx).await, ask(&nginx).await];
        answers.sort_unstable();
        assert!(answers == ["one", "one", "two"] || answers == ["one", "two", "two"], "{answers:?}");
    }

    #[tokio::test]
    async fn it_goes_with_its_owner() {
        let mut serving = JoinSet::new();
        let nginx = Nginx::start_with(SITE, &[server("one", &mut serving).await]).await;
        let (address, folder) = (nginx.address(), nginx.folder.path().to_owned());
        drop(nginx);
        assert!(TcpStream::connect(address).await.is_err());
        assert!(!folder.exists());
    }
}
