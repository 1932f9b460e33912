//! The programs of `docs/clients.md`, as somebody has pasted them, and what may happen on their way to the lobby.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::repository;
use crate::docs::page;
use crate::harness::{PATIENCE, in_time, tell};

pub(super) const HEADINGS: [&str; 4] = [
    "JavaScript, with Socket.IO",
    "Python, with Socket.IO",
    "JavaScript, with a plain WebSocket",
    "Python, with a plain WebSocket",
];

/// How lines begin by which a program tells of its connection, and not of a message.
const NOTICES: [&str; 6] =
    ["here: ", "closed: ", "not connected: ", "disconnected: ", "broken off: ", "failed: "];

/// Lines that a program has printed and nobody has read yet; then it waits.
const LINES: usize = 100;

/// What a program prints.
enum Line {
    Said(String),
    Complained(String),
}

/// A program that somebody has pasted into a file of a folder, where it runs until it is dropped.
pub(super) struct Pasted {
    lines: mpsc::Receiver<Line>,
    child: Child,
    folder: TempDir,
}

/// What stands below a heading, and in which language.
pub(super) fn program(heading: &str) -> (String, String) {
    let page = page("docs/clients.md");
    let (_, below) = page.split_once(&format!("\n## {heading}\n")).expect("there is such a heading");
    let (_, fenced) = below.split_once("\n```").expect("a program follows");
    let (language, rest) = fenced.split_once('\n').expect("it begins on a line of its own");
    let (program, _) = rest.split_once("\n```\n").expect("it ends");
    (language.to_owned(), program.to_owned())
}

async fn read(stream: impl AsyncRead + Unpin, line: fn(String) -> Line, lines: mpsc::Sender<Line>) {
    let mut read = BufReader::new(stream).lines();
    while let Some(text) = read.next_line().await.expect("text") {
        // Where nobody reads any more, the test is over.
        if lines.send(line(text)).await.is_err() {
            return;
        }
    }
}

/// Node looks for what is installed in the folders above the program.
fn folder() -> TempDir {
    let clients = repository().join("target/clients/node");
    tempfile::tempdir_in(clients).expect("`make clients` makes it")
}

impl Pasted {
    pub(super) fn start(heading: &str, url: &str) -> Self {
        Self::start_in(folder(), heading, url, None)
    }

    /// The same under another name than it has on the page.
    pub(super) fn start_as(name: &str, heading: &str, url: &str) -> Self {
        Self::start_in(folder(), heading, url, Some(name))
    }

    fn start_in(folder: TempDir, heading: &str, url: &str, pseudonym: Option<&str>) -> Self {
        let (language, text) = program(heading);
        let (interpreter, name) = match language.as_str() {
            "js" => (PathBuf::from("node"), "client.mjs"),
            "python" => (repository().join("target/clients/python/bin/python"), "client.py"),
            other => panic!("who runs {other}?"),
        };
        std::fs::write(folder.path().join(name), text).expect("it is written");
        let mut command = Command::new(interpreter);
        command.arg(name).current_dir(folder.path()).env("LOBBY_URL", url).kill_on_drop(true);
        command.envs(pseudonym.map(|name| ("LOBBY_NAME", name)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("`make clients` installs it");
        let (sender, lines) = mpsc::channel(LINES);
        tokio::spawn(read(child.stdout.take().expect("it is piped"), Line::Said, sender.clone()));
        tokio::spawn(read(child.stderr.take().expect("it is piped"), Line::Complained, sender));
        Self { lines, child, folder }
    }

    /// Kills it, and starts it in the same folder.
    pub(super) async fn start_again(mut self, heading: &str, url: &str) -> Self {
        self.child.kill().await.expect("it ran until now");
        Self::start_in(self.folder, heading, url, None)
    }

    /// What it says next, but for its complaints.
    pub(super) async fn line(&mut self) -> String {
        loop {
            match in_time("a line", self.lines.recv()).await.expect("it runs") {
                Line::Said(line) => return line,
                Line::Complained(line) => tell(&line),
            }
        }
    }

    /// Waits until the program prints this.
    pub(super) async fn prints(&mut self, expected: &str) {
        while self.line().await != expected {}
    }

    /// Waits until its greeting has been said: it is `stored`, and has come back to the program, whichever comes first.
    pub(super) async fn greets(&mut self, stored: &str) {
        let (mut is_stored, mut is_heard) = (false, false);
        while !(is_stored && is_heard) {
            let line = self.line().await;
            is_stored |= line == stored;
            is_heard |= line.contains(": Hello ");
        }
    }

    /// The message that it prints next.
    pub(super) async fn message(&mut self) -> String {
        loop {
            let line = self.line().await;
            if !NOTICES.iter().any(|notice| line.starts_with(notice)) {
                return line;
            }
        }
    }

    /// Waits until it says something with this in it, or complains of it.
    pub(super) async fn tells_of(&mut self, part: &str) {
        self.tells_within(PATIENCE, part).await;
    }

    /// The same, for so long.
    pub(super) async fn tells_within(&mut self, limit: Duration, part: &str) {
        let told = async {
            loop {
                let (Line::Said(line) | Line::Complained(line)) = self.lines.recv().await.expect("it runs");
                if line.contains(part) {
                    return;
                }
            }
        };
        timeout(limit, told).await.unwrap_or_else(|_| panic!("waited {limit:?} in vain for {part}"));
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(&mut self) -> ExitStatus {
        let ending = async {
            // What it prints has to go somewhere meanwhile.
            while self.lines.recv().await.is_some() {}
            self.child.wait().await
        };
        in_time("it to end", ending).await.expect("it ends")
    }

    /// Its name and its token, as it has kept them.
    pub(super) fn kept(&self) -> (String, String) {
        let files = std::fs::read_dir(self.folder.path()).expect("a folder");
        let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a text"));
        let name = names.into_iter().find_map(|name| Some(name.strip_suffix(".token")?.to_owned()));
        let name = name.expect("it keeps its token");
        let file = self.folder.path().join(format!("{name}.token"));
        (name, std::fs::read_to_string(file).expect("a text"))
    }
}

/// A way to the lobby on which it is noticed when the lobby tells of something; and the first time it may be lost, with the
/// connection.
pub(super) struct Way {
    pub(super) url: String,
    told: watch::Receiver<bool>,
}

impl Way {
    pub(super) async fn to(lobby: SocketAddr, what: &'static str, loses: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let (sender, told) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("it listens");
                let Ok(lobby) = TcpStream::connect(lobby).await else { continue };
                let ((from_client, to_client), (from_lobby, to_lobby)) =
                    (client.into_split(), lobby.into_split());
                let sender = sender.clone();
                tokio::spawn(async move {
                    let heard = |bytes: &[u8]| {
                        let is_it = bytes.windows(what.len()).any(|part| part == what.as_bytes());
                        is_it && !sender.send_replace(true) && loses
                    };
                    // With one of them both are dropped.
                    tokio::select! {
                        () = pass(from_client, to_lobby, |_| false) => {}
                        () = pass(from_lobby, to_client, heard) => {}
                    }
                });
            }
        });
        Self { url, told }
    }

    /// Waits until the lobby has told of it.
    pub(super) async fn heard(&mut self) {
        in_time("the lobby to tell of it", self.told.wait_for(|told| *told)).await.expect("it is open");
    }
}

/// Until one side goes away, or something is to be lost.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_lost: impl Fn(&[u8]) -> bool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if is_lost(&bytes[..count]) || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
