//! At `full` durability a message is on the disk before anybody is told that it is stored.

use std::fs;
use std::path::PathBuf;

use lobby_testbed::Postgres;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Duration, sleep};

use crate::harness::{App, Launch, LoggedIn, Program, http_client, in_time};

const LOG_FILE: &str = "lobby.db-wal";

/// The lines of a trace in which things happened.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    written: usize,
    /// The first at which the file was on the disk after that, if it was before the answer.
    synced: Option<usize>,
    answered: usize,
}

impl Order {
    /// Of the message with this content; none as long as the trace does not go that far.
    fn of(trace: &str, content: &str) -> Option<Self> {
        let lines: Vec<_> = trace.lines().collect();
        let position = |from: usize, is_meant: &dyn Fn(&str) -> bool| {
            lines.iter().skip(from).position(|line| is_meant(line)).map(|at| from + at)
        };
        let written =
            position(0, &|line| is_call(line, "write") && line.contains(LOG_FILE) && line.contains(content))?;
        let answered = position(written, &|line| line.contains("TCP:") && line.contains("HTTP/1.1 201 "))?;
        let synced = (written..answered).find(|at| is_synced(&lines, *at));
        Some(Self { written, synced, answered })
    }
}

/// `1234  pwrite64(9</tmp/lobby.db-wal>, "...", 4096, 0) = 4096`
fn is_call(line: &str, name: &str) -> bool {
    line.split('(').next().is_some_and(|call| call.contains(name))
}

/// Whether this line is the end of a call that brings the file to the disk. It may have begun lines before, if another thread
/// was heard of meanwhile.
fn is_synced(lines: &[&str], at: usize) -> bool {
    let (line, thread) = (lines[at], lines[at].split(' ').next());
    if !line.ends_with("= 0") {
        return false;
    }
    if line.contains("sync resumed>") {
        let begun = lines[..at].iter().rev().find(|line| line.split(' ').next() == thread);
        return begun.is_some_and(|begun| is_call(begun, "sync") && begun.contains(LOG_FILE));
    }
    is_call(line, "sync") && line.contains(LOG_FILE)
}

/// A lobby whose system calls are written to a file.
struct Traced {
    program: Program,
    trace: PathBuf,
    _folder: TempDir,
}

impl Traced {
    async fn start(durability: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let trace = folder.path().join("trace");
        let calls = "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,fsync,fdatasync";
        let file = trace.to_str().expect("a path of ASCII");
        // Whatever ends the tracer ends the lobby.
        let through = ["strace", "-f", "-yy", "-s", "10000", "-e", calls, "-e", "signal=none", "-o", file]
            .into_iter()
            .chain(["setpriv", "--pdeathsig", "KILL"]);
        let settings = vec![("LOBBY_DATABASE__DURABILITY", durability.to_owned())];
        let through = through.map(str::to_owned).collect();
        let program = Program::launch(Launch { settings, through, ..Launch::default() }).await;
        Self { program, trace, _folder: folder }
    }

    async fn order_of(&self, content: &str) -> Order {
        loop {
            let trace = fs::read(&self.trace).expect("there is a trace");
            if let Some(order) = Order::of(&String::from_utf8_lossy(&trace), content) {
                return order;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn post(program: &Program, content: &str) {
    let (client, address) = (http_client(), *program.address().borrow());
    let request =
        client.post(format!("http://{address}/login")).json(&json!({"pseudonym": "JohnDoe"})).send();
    let john: Value = in_time("a log-in", request).await.expect("an answer").json().await.expect("JSON");
    let john = LoggedIn::from(&john);
    let request = client.post(format!("http://{address}/messages")).json(&json!({"content": content}));
    let posted = in_time("an answer", request.bearer_auth(&john.token).send()).await.expect("an answer");
    assert_eq!(posted.status(), 201);
}

#[rstest]
#[case("full", true)]
#[case("normal", false)]
#[tokio::test]
async fn a_file_is_synced_between_a_message_and_its_answer_if_the_settings_say_so(
    #[case] durability: &str,
    #[case] is_synced: bool,
) {
    let mut traced = Traced::start(durability).await;
    let content = "nothing else says 5d3f1c";
    post(&traced.program, content).await;
    let order = in_time("the trace", traced.order_of(content)).await;
    assert_eq!(order.synced.is_some(), is_synced, "{order:?}");
    traced.program.kill().await;
}

/// A server says how much of its log it has brought to the disk. By itself it would do that in ten seconds.
#[rstest]
#[case("full", true)]
#[case("normal", false)]
#[tokio::test]
async fn a_server_has_synced_its_log_when_a_message_is_answered_if_the_settings_say_so(
    #[case] durability: &str,
    #[case] is_synced: bool,
) {
    let lazy = [
        ("fsync", "on"),
        ("wal_writer_delay", "10s"),
        ("wal_writer_flush_after", "1GB"),
        ("autovacuum", "off"),
    ];
    let server = Postgres::start_with(&lazy).await;
    server.create_database("lobby").await;
    let url = server.url("lobby");
    let app = App::spawn_with(&[("database.url", &url), ("database.durability", durability)]).await;
    let john = app.log_in("JohnDoe").await;
    let bearer = john.bearer();
    for _ in 0..5 {
        let end = server.psql("lobby", "CHECKPOINT; SELECT pg_current_wal_insert_lsn()").await;
        let posted = app.post("/messages", &json!({"content": "hello"}), &[("authorization", &bearer)]).await;
        assert_eq!(posted.status, 201);
        let flushed = format!("SELECT pg_current_wal_flush_lsn() > '{end}'");
        let flushed = server.psql("lobby", &flushed).await;
        assert_eq!(flushed == "t", is_synced, "{flushed}");
    }
    app.stop().await;
}

#[test]
fn a_sync_counts_when_it_has_ended_and_is_of_the_file() {
    let order = |lines: &[&str]| {
        let trace = [
            "1  pwrite64(9</x/lobby.db-wal>, \"..hello..\", 4096, 0) = 4096",
            &lines.join("\n"),
            "2  sendto(7<TCP:[127.0.0.1:1->127.0.0.1:2]>, \"HTTP/1.1 201 Created\", 20, 0) = 20",
        ];
        let order = Order::of(&trace.join("\n"), "hello").expect("it goes far enough");
        assert_eq!((order.written, order.answered), (0, lines.len() + 1));
        order.synced
    };
    let begun = "1  fdatasync(9</x/lobby.db-wal> <unfinished ...>";
    let ended = "1  <... fdatasync resumed>)             = 0";
    assert_eq!(order(&["1  fdatasync(9</x/lobby.db-wal>) = 0"]), Some(1));
    assert_eq!(order(&[begun, "2  write(3<pipe:[1]>, \"\", 1) = 1", ended]), Some(3));
    assert_eq!(order(&[begun]), None);
    assert_eq!(order(&[begun, "1  <... fdatasync resumed>) = -1 EIO (Input/output error)"]), None);
    assert_eq!(order(&["1  fdatasync(9</x/lobby.db>) = 0", "2  fdatasync(8</x/log>) = 0"]), None);
}
