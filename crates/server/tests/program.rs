//! The binary: flags, settings, signals.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// Waits for what has to come, far longer than it takes.
async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(Duration::from_secs(20), future).await;
    outcome.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

fn lobby(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lobby"));
    command.args(arguments).current_dir(folder.path()).env_clear().kill_on_drop(true);
    command
}

async fn run(folder: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let output = lobby(folder, arguments).envs(variables.iter().copied()).output();
    in_time("the program to end", output).await.expect("it runs")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A lobby that serves in `folder`, and where.
async fn serving(folder: &TempDir, arguments: &[&str]) -> (Child, String) {
    let mut child = lobby(folder, arguments)
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    loop {
        let line =
            in_time("the address", lines.next_line()).await.expect("it is read").expect("it says where");
        if let Some(url) = line.strip_prefix("The lobby is open at ") {
            return (child, url.to_owned());
        }
    }
}

async fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status().await.expect("kill runs");
    assert!(sent.success());
}

#[tokio::test]
async fn it_runs_alone_in_an_empty_folder_and_stops_in_order() {
    for (arguments, name) in [(&[][..], "TERM"), (&["serve"][..], "INT")] {
        let folder = folder();
        let (mut child, url) = serving(&folder, arguments).await;
        let client = reqwest::Client::new();
        let login = client.post(format!("{url}/login")).json(&json!({"pseudonym": "JohnDoe"})).send().await;
        assert_eq!(login.expect("an answer").status(), 200);
        signal(&child, name).await;
        let status = in_time("the program to end", child.wait()).await.expect("it ends");
        assert!(status.success(), "{name}: {status}");
        assert!(folder.path().join("lobby.db").exists());
        assert!(folder.path().join("lobby.db-key").exists());
    }
}

#[tokio::test]
async fn a_lobby_that_runs_can_be_asked_whether_it_is_ready() {
    let folder = folder();
    let (mut child, url) = serving(&folder, &[]).await;
    let port = url.rsplit(':').next().expect("a port").to_owned();
    for host in ["127.0.0.1", "0.0.0.0"] {
        let ready =
            async || run(&folder, &["ready", "--host", host, "--port", &port], &[]).await.status.success();
        in_time("it to be ready", async { while !ready().await {} }).await;
    }
    signal(&child, "TERM").await;
    in_time("the program to end", child.wait()).await.expect("it ends");
    let output = run(&folder, &["ready", "--port", &port], &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("a text");
    let sentence =
        format!("lobby: no lobby answers at http://127.0.0.1:{port}, where the settings say that it is: ");
    assert!(said.starts_with(&sentence), "{said}");

    // Somebody else who answers is no lobby that is ready.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    let answering = async {
        let (mut stream, _) = listener.accept().await.expect("somebody asks");
        // What is left unread when a connection is closed has its answer thrown away.
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.expect("a request"), 0, "the whole of it");
        }
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await.expect("it is read");
    };
    let port = address.port().to_string();
    let words = ["ready", "--port", &port];
    let (output, ()) = tokio::join!(run(&folder, &words, &[]), answering);
    let said = String::from_utf8(output.stderr).expect("a text");
    let sentence = format!(
        "lobby: the lobby at http://{address} is not ready: it answers 'HTTP/1.1 503 Service Unavailable'\n"
    );
    assert_eq!((output.status.code(), said), (Some(1), sentence));
}

#[tokio::test]
async fn tokens_are_never_logged() {
    let folder = folder();
    let (mut child, url) = serving(&folder, &["--set", "log.level=trace"]).await;
    let client = reqwest::Client::new();
    let login = client.post(format!("{url}/login")).json(&json!({"pseudonym": "JohnDoe"})).send().await;
    let login: serde_json::Value = login.expect("an answer").json().await.expect("JSON");
    let token = login["token"].as_str().expect("a text");
    for (name, value) in
        [("authorization", format!("Bearer {token}")), ("cookie", format!("lobby_session={token}"))]
    {
        let answer =
            client.get(format!("{url}/session")).header(name, value).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
    signal(&child, "TERM").await;
    let mut log = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut log).await.expect("it is read");
    assert!(log.contains("stopped"), "{log}");
    assert!(!log.contains(&token[..40]), "a token is in the log");
}

#[tokio::test]
async fn a_key_in_a_file_called_env_works_as_in_the_original() {
    let folder = folder();
    std::fs::write(folder.path().join(".env"), "SECRET_KEY=from the file\n").expect("it is written");
    let (child, _) = serving(&folder, &[]).await;
    assert!(!folder.path().join("lobby.db-key").exists(), "it made a key of its own");
    drop(child);
}

const LONG_KEY: &str = "a key of thirty-two bytes at least";

#[tokio::test]
async fn what_is_wrong_with_the_settings_is_said_in_a_sentence_that_names_it() {
    let folder = folder();
    std::fs::write(folder.path().join("bad.toml"), "[server]\nprot = 1\n").expect("it is written");
    for (arguments, variables, expected) in [
        (&["--set", "server.prot=1"][..], &[][..], "server.prot"),
        (&[], &[("LOBBY_SERVER__PROT", "1")], "server.prot"),
        (&[], &[("LOBBY_SERVR__PORT", "1")], "servr"),
        (&[], &[("LOBBY_PORT", "tcp://10.0.0.1:5000")], "LOBBY_PORT"),
        (&[], &[("LOBBY_SERVER_PORT", "1")], "LOBBY_SERVER_PORT"),
        (&["--config", "bad.toml"], &[], "server.prot"),
        (&["--config", "missing.toml"], &[], "missing.toml"),
        (&["--port", "70000"], &[], "server.port"),
        (&["--set", "server.port=many"], &[], "server.port"),
        (&["--set", "auth.mode=closed"], &[], "auth.mode"),
        (&["--set", "socketio.ping_interval=25"], &[], "socketio.ping_interval"),
        (&["--set", "socketio.ping_interval=0s"], &[], "socketio.ping_interval"),
        (&["--set", "names.min_length=40"], &[], "names.min_length"),
        (&["--set", "messages.queue=0"], &[], "messages.queue"),
        (&["--set", "log.level=info,=nonsense"], &[], "log.level"),
        (&["--set", "database.url=mysql://localhost/lobby"], &[], "database.url"),
        (&["--set", "cluster.address=10.0.0.5:5000"], &[], "cluster.address"),
        (&["--set", "cluster.forwards=0"], &[], "cluster.forwards"),
        (&["--set", "messages.keep_for=0s"], &[], "messages.keep_for"),
        (&["--set", "messages.keep_at_most=0"], &[], "messages.keep_at_most"),
        (&["--set", "messages.idempotency=1s"], &[], "messages.idempotency"),
        (&["--set", "database.lock_timeout=1s"], &[], "database.lock_timeout"),
        (&["--set", "database.statement_timeout=1s"], &[], "database.statement_timeout"),
        (&["--set", "database.statement_timeout=1h"], &[], "database.statement_timeout"),
        (&["--set", "database.idle_in_transaction_timeout=1ms"], &[], "database.idle_in_transaction_timeout"),
        (&["--set", "database.url=sqlite:///no/such/folder/lobby.db"], &[], "/no/such/folder"),
        (&["--set", "server.host=256.0.0.1"], &[], "server.host"),
        (
            &[
                "--set",
                "database.url=postgres://u:hush@127.0.0.1:1/lobby?sslmode=verify-full&sslrootcert=/no/such.pem",
            ],
            &[("SECRET_KEY", LONG_KEY)],
            "database.url: the file '/no/such.pem', which 'sslrootcert' names, cannot be read",
        ),
        (&["--set", "port"], &[], "server.port=5001"),
        (&[], &[("LOBBY_ENV", "staging")], "staging"),
        (&[], &[("LOBBY_ENV", "production")], "SECRET_KEY"),
        (&[], &[("LOBBY_ENV", "production"), ("SECRET_KEY", "short")], "SECRET_KEY"),
        (&[], &[("SECRET_KEY_PREVIOUS_FILE", "/no/such/key")], "/no/such/key"),
        (
            &[],
            &[("LOBBY_ENV", "production"), ("SECRET_KEY", LONG_KEY), ("SECRET_KEY_PREVIOUS", "hush")],
            "SECRET_KEY_PREVIOUS has 4 bytes",
        ),
    ] {
        let output = run(&folder, arguments, variables).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} {variables:?} was taken");
        assert!(said.contains(expected), "{arguments:?} {variables:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("hush"), "{said}");
    }
}

#[tokio::test]
async fn later_sources_win() {
    let folder = folder();
    std::fs::write(folder.path().join("own.toml"), "[names]\nmin_length = 5\nmax_length = 6\n")
        .expect("written");
    let arguments = ["--config", "own.toml", "--set", "names.max_length=7"];
    let mut command = lobby(&folder, &arguments);
    command.env("LOBBY_NAMES__MIN_LENGTH", "4").env("LOBBY_NAMES__RESERVED", "alice,bobby");
    let mut child = command.args(["--port", "0"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let url = loop {
        let line =
            in_time("the address", lines.next_line()).await.expect("it is read").expect("it says where");
        if let Some(url) = line.strip_prefix("The lobby is open at ") {
            break url.to_owned();
        }
    };
    for (name, status) in
        [("abc", 400), ("abcd", 200), ("abcdefg", 200), ("abcdefgh", 400), ("bobby", 400), ("admin", 200)]
    {
        let login = reqwest::Client::new().post(format!("{url}/login")).json(&json!({"pseudonym": name}));
        assert_eq!(login.send().await.expect("an answer").status(), status, "{name}");
    }
}

/// What it logs, until that is said.
async fn logged(log: &mut (impl AsyncBufReadExt + Unpin), what: &str) -> String {
    let mut line = String::new();
    while !line.contains(what) {
        line.clear();
        let read = in_time(what, log.read_line(&mut line)).await.expect("it is read");
        assert_ne!(read, 0, "it ended before it said '{what}'");
    }
    line
}

#[tokio::test]
async fn a_hangup_has_the_settings_read_again_and_a_bad_file_leaves_the_old_ones() {
    let folder = folder();
    let write = |file: &str| std::fs::write(folder.path().join("own.toml"), file).expect("it is written");
    write("[log]\nlevel = \"info\"\n");
    let (mut child, url) = serving(&folder, &["--config", "own.toml"]).await;
    let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
    let ask = async || reqwest::get(format!("{url}/nowhere")).await.expect("an answer").status();

    write("[log]\nlevel = \"debug\"\n[server]\nworkers = 3\n[bus]\nurl = \"redis://:hunter2@localhost\"\n");
    signal(&child, "HUP").await;
    let said = logged(&mut log, "the settings were read again").await;
    assert!(said.contains("changed=\"log.level\""), "{said}");
    assert!(said.contains("waiting=\"bus.url, server.workers\"") && said.contains("WARN"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(ask().await, 404);
    // At `info` nothing is told of a request that is refused.
    logged(&mut log, "DEBUG").await;
    // Nor by crates that log in another way.
    reqwest::get(format!("{url}/users?limit=many")).await.expect("an answer");
    logged(&mut log, "actix_web::types::query").await;

    for (file, sentence) in [
        ("[log]\nlevel = \"error\"\n[sever]\nworkers = 3\n", "sever"),
        ("[log]\nlevel = \"info,=nonsense\"\n", "log.level: "),
        ("[log\n", "own.toml"),
    ] {
        write(file);
        signal(&child, "HUP").await;
        let said = logged(&mut log, "the settings stay as they are").await;
        assert!(said.contains("ERROR") && said.contains(sentence), "{said}");
        assert_eq!(ask().await, 404);
        logged(&mut log, "DEBUG").await;
    }

    write("[log]\nlevel = \"warn\"\n");
    signal(&child, "HUP").await;
    signal(&child, "TERM").await;
    let mut rest = String::new();
    in_time("the end", log.read_to_string(&mut rest)).await.expect("it is read");
    assert!(in_time("the program to end", child.wait()).await.expect("it ends").success());
    assert!(!rest.contains("stopped"), "{rest}");
}

#[tokio::test]
async fn the_schema_is_migrated_by_hand_too() {
    let folder = folder();
    let migrate = async |arguments: &[&str]| {
        let output = run(&folder, &[&["migrate"], arguments].concat(), &[]).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let steps = [
        "m20261123_000001_create_lobby",
        "m20261124_000001_keep_the_log",
        "m20261125_000001_keep_the_roster",
        "m20261125_000002_keep_presence",
        "m20261125_000003_append_in_one",
        "m20261127_000001_reach_nodes",
    ];
    // The first so many are applied.
    let status = |applied| {
        let line = |(number, step)| {
            let status = if number < applied { "Applied" } else { "Pending" };
            format!("{status:8} {step}\n")
        };
        steps.iter().enumerate().map(line).collect::<String>()
    };
    assert_eq!(migrate(&["status"]).await, status(0));
    assert_eq!(migrate(&["up"]).await, status(steps.len()));
    assert_eq!(migrate(&["up"]).await, status(steps.len()));
    assert_eq!(migrate(&["down"]).await, status(steps.len() - 1));
    assert_eq!(migrate(&["down", "--steps", &steps.len().to_string()]).await, status(0));
    let (child, _) = serving(&folder, &[]).await;
    drop(child);
    assert_eq!(migrate(&["status"]).await, status(steps.len()));
}

#[tokio::test]
async fn the_log_gets_a_new_id_by_hand() {
    let folder = folder();
    let (child, _) = serving(&folder, &[]).await;
    signal(&child, "TERM").await;
    in_time("the end", child.wait_with_output()).await.expect("it ends");
    let renew = async || {
        let output = run(&folder, &["log", "renew"], &[]).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let (first, second) = (renew().await, renew().await);
    assert_ne!(first, second);
    let (child, url) = serving(&folder, &[]).await;
    let history = reqwest::get(format!("{url}/messages")).await.expect("an answer").text().await;
    let history: serde_json::Value = serde_json::from_str(&history.expect("a body")).expect("JSON");
    assert!(second.contains(history["log"].as_str().expect("an id")), "{second} {history}");
    let in_use = run(&folder, &["log", "renew"], &[]).await;
    assert!(!in_use.status.success(), "while a lobby runs");
    drop(child);
}

#[tokio::test]
async fn a_log_that_is_not_there_is_not_renewed() {
    let folder = folder();
    let mistyped = ["--set", "database.url=sqlite://loby.db?mode=rwc", "log", "renew"];
    let refused = run(&folder, &mistyped, &[]).await;
    let said = String::from_utf8(refused.stderr).expect("UTF-8");
    assert!(!refused.status.success() && said.contains("'loby.db'"), "{said}");
    assert!(!folder.path().join("loby.db").exists());
}

#[tokio::test]
async fn help_lists_every_setting() {
    let folder = folder();
    let help = run(&folder, &["--help"], &[]).await;
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    for key in [
        "[server]",
        "port = 5000",
        "durability",
        "ping_interval",
        "SECRET_KEY ",
        "SECRET_KEY_PREVIOUS ",
        "SECRET_KEY_PREVIOUS_FILE ",
        "--config",
        "migrate",
    ] {
        assert!(help.contains(key), "{key} is missing");
    }
}

/// Word for word what the program tells people to paste.
#[tokio::test]
async fn what_it_says_at_the_start_works_as_pasted() {
    let folder = folder();
    let mut child = lobby(&folder, &["--port", "0"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut said = Vec::new();
    while said.last().is_none_or(|line: &String| line.trim() != "'") {
        said.push(in_time("what it says", lines.next_line()).await.expect("it is read").expect("a line"));
    }
    let curl = said.iter().find(|line| line.contains("curl")).expect("a log-in");
    let output = Command::new("sh").args(["-c", curl]).output().await.expect("it runs");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"pseudonym\":\"JohnDoe\""), "{output:?}");

    let node = said.iter().position(|line| line.contains("node --input-type")).expect("a conversation");
    let paste = said[node..].join("\n");
    let (install, talk) = paste.split_once("&& ").expect("install, then talk");
    assert_eq!(install.trim(), "npm install --no-save socket.io-client");
    // The clients are installed already; the snippet goes on listening, so it is ended when it has heard
    // itself.
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients/node");
    let mut talk = Command::new("sh")
        .args(["-c", &format!("exec {talk}")])
        .current_dir(clients)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(talk.stdout.take().expect("it is piped")).lines();
    let mut heard = String::new();
    while !(heard.contains("JohnDoe: Hello!") && heard.contains("id: 1")) {
        heard += &in_time("what is said", lines.next_line()).await.expect("it is read").expect("a line");
    }
}
