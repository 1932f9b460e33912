//! The programs of `docs/clients.md` do what the page says, as they stand there.

use std::path::PathBuf;
use std::process::Stdio;

use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::repository;
use crate::docs::page;
use crate::harness::{App, Auth, Connection, Launch, Program, Protocol, http_client, in_time};

/// A program as somebody has pasted it, that runs until it is dropped.
struct Pasted {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
    _folder: TempDir,
}

/// What stands below a heading, and in which language.
fn program(heading: &str) -> (String, String) {
    let page = page("docs/clients.md");
    let (_, below) = page.split_once(&format!("\n## {heading}\n")).expect("there is such a heading");
    let (_, fenced) = below.split_once("\n```").expect("a program follows");
    let (language, rest) = fenced.split_once('\n').expect("it begins on a line of its own");
    let (program, _) = rest.split_once("\n```\n").expect("it ends");
    (language.to_owned(), program.to_owned())
}

impl Pasted {
    fn start(heading: &str, url: &str) -> Self {
        let (language, text) = program(heading);
        let clients = repository().join("target/clients");
        // Node looks for what is installed in the folders above the program.
        let folder = tempfile::tempdir_in(clients.join("node")).expect("`make clients` makes it");
        let (interpreter, name) = match language.as_str() {
            "js" => (PathBuf::from("node"), "client.mjs"),
            "python" => (clients.join("python/bin/python"), "client.py"),
            other => panic!("who runs {other}?"),
        };
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("it is written");
        let mut command = Command::new(interpreter);
        command.arg(file).env("LOBBY_URL", url).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("`make clients` installs it");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { lines, _child: child, _folder: folder }
    }

    async fn line(&mut self) -> String {
        in_time("a line", self.lines.next_line()).await.expect("text").expect("it runs")
    }

    /// Waits until the program prints this.
    async fn prints(&mut self, expected: &str) {
        while self.line().await != expected {}
    }
}

const HEADINGS: [&str; 4] = [
    "JavaScript, with Socket.IO",
    "Python, with Socket.IO",
    "JavaScript, with a plain WebSocket",
    "Python, with a plain WebSocket",
];

#[test]
fn there_is_no_program_that_is_not_run() {
    let page = page("docs/clients.md");
    assert_eq!(page.matches("\n```js\n").count() + page.matches("\n```python\n").count(), HEADINGS.len());
    assert_eq!(page.matches("\n## ").count(), HEADINGS.len());
}

#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_talks_and_hears_as_pasted(#[case] heading: &str) {
    let app = App::spawn().await;
    let bob = app.log_in_claimed("Bob").await;
    let (mut bobs, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&bob)).await;
    let mut pasted = Pasted::start(heading, &app.url(""));
    let hello = bobs.event("new_message").await;
    let (name, content) =
        (hello["sender"].as_str().expect("a name"), hello["content"].as_str().expect("a text"));
    assert!(content.starts_with("Hello "), "{hello}");
    let answer = bobs.ask("send_message", &json!({"content": format!("Hi, {name}!")})).await;
    assert_eq!(answer["id"], 2);
    pasted.prints(&format!("Bob: Hi, {name}!")).await;
}

/// What was said while it was cut off comes afterwards, once, and nothing that it had seen comes again.
#[rstest]
#[case(HEADINGS[0])]
#[case(HEADINGS[1])]
#[case(HEADINGS[2])]
#[case(HEADINGS[3])]
#[tokio::test]
async fn a_program_from_the_page_goes_on_where_it_left_off(#[case] heading: &str) {
    let mut lobby = Program::launch(Launch::default()).await;
    let url = format!("http://{}", *lobby.address().borrow());
    let client = http_client();
    let post = async |path: &str, body: serde_json::Value| {
        let answer = client.post(format!("{url}{path}")).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    };
    post("/login", json!({"pseudonym": "Bob"})).await;
    let mut pasted = Pasted::start(heading, &url);
    let mut greeted = (false, false);
    while greeted != (true, true) {
        let line = pasted.line().await;
        greeted = (greeted.0 || line == "stored as message 1", greeted.1 || line.contains(": Hello "));
    }
    lobby.kill().await;
    lobby.start_again().await;
    // Both before it is back and afterwards, as it happens.
    for n in 0..3 {
        post("/messages", json!({"sender": "Bob", "content": format!("said {n}")})).await;
    }
    let mut heard = Vec::new();
    for _ in 0..3 {
        let is_news = |line: &String| line.starts_with("here: ") || line.starts_with("closed: ");
        let mut line = pasted.line().await;
        while is_news(&line) {
            line = pasted.line().await;
        }
        heard.push(line);
    }
    // python-socketio has a thread for each event, so they may overtake each other.
    heard.sort();
    assert_eq!(heard, ["Bob: said 0", "Bob: said 1", "Bob: said 2"]);
}
