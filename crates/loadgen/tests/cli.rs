//! The program itself: what it says, and how it ends.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn lobby_load(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobby-load")).args(words).output().expect("it runs")
}

/// Asserts that it ends with 2 and one line that has these words in it.
#[track_caller]
fn assert_fails(words: &[&str], said: &[&str]) {
    let output = lobby_load(words);
    let error = String::from_utf8(output.stderr).expect("a text");
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    for word in said {
        assert!(error.contains(word), "{error}");
    }
    assert!(output.stdout.is_empty());
}

/// The floor, as a process that ends with its owner.
struct Floor {
    child: Child,
    url: String,
    /// Kept, so that what it says has somewhere to go.
    _said: BufReader<ChildStdout>,
}

impl Floor {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lobby-load"));
        let mut child = command
            .args(["floor", "--port", "0", "--batch"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it is read");
        let url = line.trim().strip_prefix("The floor is at ").expect("it says where it is").to_owned();
        Self { child, url, _said: said }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.child.kill().expect("it ran until now");
        self.child.wait().expect("it ends");
    }
}

#[test]
fn a_url_that_is_none_is_told_with_the_reason() {
    assert_fails(&["fan", "--url", "lobby.example"], &["'lobby.example'", "http://"]);
    assert_fails(&["connect", "--url", "https://lobby.example"], &["TLS"]);
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_fails(&["churn", "--url", &url], &["nothing answers at", &url, "refused"]);
}

#[test]
fn a_server_that_is_no_lobby_is_told_to_be_none() {
    let floor = Floor::start();
    assert_fails(
        &["fan", "--url", &floor.url, "--receivers", "2", "--senders", "1"],
        &["refuses the log-in"],
    );
}

#[test]
fn flags_that_exclude_each_other_are_refused() {
    let output = lobby_load(&["fan", "--rate", "5", "--in-flight", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot be used with"));
}

#[test]
fn a_fan_is_reported_as_markdown_and_as_json() {
    let floor = Floor::start();
    let pid = floor.child.id().to_string();
    let words = [
        "fan",
        "--protocol",
        "raw",
        "--url",
        &floor.url,
        "--receivers",
        "10",
        "--senders",
        "all",
        "--in-flight",
        "1",
        "--duration",
        "200ms",
        "--warm-up",
        "50ms",
        "--server-pid",
        &pid,
    ];
    let output = lobby_load(&words);
    let markdown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{markdown}");
    assert!(markdown.contains("| lost | 0 |") && markdown.contains("10 receivers, 10 senders"), "{markdown}");
    let output = lobby_load(&[&words[..], &["--json", "-"]].concat());
    let json = String::from_utf8(output.stdout).unwrap();
    assert!(json.contains("\"lost\": 0") && json.contains("\"deliveries_per_second\""), "{json}");
    #[cfg(target_os = "linux")]
    assert!(json.contains("\"cpu_seconds\""), "{json}");
}
