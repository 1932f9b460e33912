//! Copies that are made while the lobby runs, as `docs/operations/backup.md` has it, and what they are good for.

use std::env;
use std::path::Path;

use lobby_testbed::Postgres;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::docs::page;
use crate::harness::{Database, Launch, LoggedIn, Program, binary, http_client, in_time};

/// A fenced block of the page, counted from the first.
fn block(number: usize) -> String {
    let page = page("docs/operations/backup.md");
    let block = page.split("```sh\n").nth(number + 1).expect("so many blocks").to_owned();
    block.split("```").next().expect("it ends").to_owned()
}

/// Runs a block: nobody is root here, and there are no services.
async fn run(block: &str, folder: &Path, variables: &[(&str, String)]) -> String {
    let lines = block.lines().filter(|line| !line.contains("systemctl"));
    let script = lines.collect::<Vec<_>>().join("\n");
    let backups = folder.join("backups").display().to_string();
    let mut script = script.replace("/var/lib/lobby", &folder.display().to_string());
    for (there, here) in [
        ("/var/backups/lobby", backups.as_str()),
        (" -o lobby -g lobby", ""),
        (" -o postgres -g postgres", ""),
        ("runuser -u lobby -- ", ""),
        ("runuser -u postgres -- ", ""),
        ("set -a; . /etc/lobby/lobby.env; ", ""),
        // Who made the tables in the test is not called lobby.
        (" --owner lobby", ""),
        (" --role=lobby", ""),
    ] {
        script = script.replace(there, here);
    }
    let own = binary("lobby").parent().expect("a folder").to_owned();
    let path =
        env::join_paths([own].into_iter().chain(env::split_paths(&env::var_os("PATH").expect("a path"))));
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &script]).current_dir(folder).env("PATH", path.expect("a path"));
    command.env("SECRET_KEY", "a secret key for tests, long enough for all of them");
    command.envs(variables.iter().map(|(name, value)| (*name, value)));
    let output = in_time("the commands", command.output()).await.expect("there is bash");
    assert!(output.status.success(), "{script}\n{output:?}");
    String::from_utf8(output.stdout).expect("a text")
}

async fn post(program: &Program, path: &str, who: Option<&LoggedIn>, body: &Value) -> Value {
    let request = http_client().post(format!("http://{}{path}", program.socket())).json(body);
    let request = who.iter().fold(request, |request, who| request.header("authorization", who.bearer()));
    let answer = in_time("an answer", request.send()).await.expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
    answer.json().await.expect("JSON")
}

async fn say(program: &Program, who: &LoggedIn, content: &str) {
    post(program, "/messages", Some(who), &json!({"content": content})).await;
}

/// Which log it is, and what is in it.
async fn log(program: &Program) -> (Value, Vec<String>) {
    let url = format!("http://{}/messages", program.socket());
    let history = in_time("an answer", http_client().get(url).send()).await.expect("an answer");
    let history: Value = history.json().await.expect("JSON");
    let contents = history["messages"].as_array().expect("an array").iter();
    (
        history["log"].clone(),
        contents.map(|message| message["content"].as_str().expect("a text").to_owned()).collect(),
    )
}

async fn john(program: &Program) -> LoggedIn {
    LoggedIn::from(&post(program, "/login", None, &json!({"pseudonym": "JohnDoe", "claim": true})).await)
}

/// What was said before the copy is there again, and goes on in a log of its own.
async fn is_as_it_was(program: &Program, who: &LoggedIn, before: &Value) {
    let (log_now, contents) = log(program).await;
    assert_eq!(contents, ["before"]);
    assert_ne!(log_now, *before, "clients would be given other messages under ids that they know");
    say(program, who, "and on").await;
    assert_eq!(log(program).await.1, ["before", "and on"]);
}

#[tokio::test]
async fn a_copy_of_the_file_made_while_the_lobby_runs_is_restored() {
    let mut program = Program::start(Database::Sqlite).await;
    let who = john(&program).await;
    say(&program, &who, "before").await;
    let said = run(&block(0), program.folder(), &[]).await;
    assert_eq!(said, "ok\n");
    say(&program, &who, "after").await;
    let (before, contents) = log(&program).await;
    assert_eq!(contents, ["before", "after"]);
    program.stop_for_now().await;
    let said = run(&block(1), program.folder(), &[]).await;
    assert!(said.starts_with("the log is "), "{said}");
    program.start_again().await;
    is_as_it_was(&program, &who, &before).await;
    program.stop().await;
}

#[tokio::test]
async fn a_dump_of_postgresql_made_while_the_lobby_runs_is_restored() {
    let server = Postgres::start().await;
    server.create_database("lobby").await;
    let url = server.url("lobby");
    let launch = Launch { database: Database::At(url.clone()), ..Launch::default() };
    let mut program = Program::launch(launch).await;
    let who = john(&program).await;
    say(&program, &who, "before").await;

    let address = server.address();
    let (_, user) = url.split_once("://").expect("a URL");
    let user = user.split(['@', ':']).next().expect("a user").to_owned();
    let variables = [
        ("PGHOST", address.ip().to_string()),
        ("PGPORT", address.port().to_string()),
        ("PGUSER", user),
        ("LOBBY_DATABASE__URL", url.clone()),
    ];
    run(&block(2), program.folder(), &variables).await;
    say(&program, &who, "after").await;
    let (before, contents) = log(&program).await;
    assert_eq!(contents, ["before", "after"]);
    program.stop_for_now().await;
    let said = run(&block(3), program.folder(), &variables).await;
    assert!(said.contains("the log is "), "{said}");
    program.start_again().await;
    is_as_it_was(&program, &who, &before).await;
    program.stop().await;
}
