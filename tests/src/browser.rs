//! The web client in a real browser: scenarios of `tests/clients/browser`, each on a lobby of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::harness::{App, Launch, LoggedIn, Program, becomes_so, http_client};

/// Plays a scenario. What it asks for is done by `obey`.
async fn play(scenario: &str, url: &str, mut obey: impl AsyncFnMut(&str)) {
    let sources = repository().join("tests/clients/browser");
    let mut command = Command::new("node");
    command.env("NODE_PATH", repository().join("target/clients/browser/node_modules"));
    command.arg(sources.join("run.js")).args([scenario, url]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("Node is installed");
    let mut answers = child.stdin.take().expect("it is piped");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    while let Some(line) = lines.next_line().await.expect("it is read") {
        let line: Value = serde_json::from_str(&line).expect("JSON");
        obey(line["ask"].as_str().expect("a text")).await;
        answers.write_all(b"{}\n").await.expect("it listens");
    }
    let status = child.wait().await.expect("it ends");
    assert!(status.success(), "{scenario}: {status}; its standard error says why");
}

async fn play_at(app: &App, scenario: &str) {
    play(scenario, &app.url(""), async |what| panic!("{scenario} asks for {what}")).await;
}

async fn play_alone(scenario: &str) {
    play_at(&App::spawn().await, scenario).await;
}

/// With a program that can be killed, and that keeps this many messages.
async fn play_with_program(scenario: &str, keep: &str) {
    let settings = vec![("LOBBY_MESSAGES__KEEP_AT_MOST", keep.to_owned())];
    let mut program = Program::launch(Launch { settings, ..Launch::default() }).await;
    let url = format!("http://{}", *program.address().borrow());
    let obey = async |what: &str| match what {
        "kill" => program.kill().await,
        "start" => program.start_again().await,
        "prune" => prune(&url).await,
        other => panic!("{scenario} asks for {other}"),
    };
    play(scenario, &url, obey).await;
}

/// Says so much that what was said before is not kept.
async fn prune(url: &str) {
    let client = http_client();
    let post = async |path: &str, body: Value| {
        let answer = client.post(format!("{url}{path}")).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    };
    post("/login", json!({"pseudonym": "Teller"})).await;
    for n in 0..10 {
        post("/messages", json!({"sender": "Teller", "content": format!("told {n}")})).await;
    }
    let is_pruned = async || {
        let answer = client.get(format!("{url}/messages?limit=1")).send().await.expect("an answer");
        let body: Value = answer.json().await.expect("JSON");
        body["first_id"].as_u64() > Some(5)
    };
    becomes_so("the log to be pruned", is_pruned).await;
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}

#[tokio::test]
async fn what_is_said_too_fast_is_said_again_by_itself() {
    let settings = [("limits.enabled", "true"), ("limits.messages_per_session", "1/s burst 1")];
    play_at(&App::spawn_with(&settings).await, "more_is_said_than_may_be").await;
}

#[tokio::test]
async fn two_people_talk_see_each_other_type_come_and_leave() {
    play_alone("two_people_talk").await;
}

#[tokio::test]
async fn two_people_talk_privately_and_a_third_hears_none_of_it() {
    play_alone("two_people_talk_privately").await;
}

#[tokio::test]
async fn tabs_of_one_session_show_the_same_and_count_once() {
    play_alone("tabs_of_one_session").await;
}

#[tokio::test]
async fn a_name_that_means_something_to_javascript_is_a_name_like_others() {
    play_alone("a_strange_name").await;
}

#[tokio::test]
async fn markup_in_a_message_is_shown_as_text() {
    play_alone("markup_is_text").await;
}

#[tokio::test]
async fn a_name_that_is_refused_is_told_why_in_a_sentence() {
    play_alone("a_name_is_refused").await;
}

#[tokio::test]
async fn a_message_that_is_refused_is_told_why_and_can_be_tried_again_or_dropped() {
    play_alone("a_message_is_refused").await;
}

#[tokio::test]
async fn a_session_that_ends_elsewhere_leads_back_to_the_door() {
    play_alone("a_session_ends_elsewhere").await;
}

#[tokio::test]
async fn nothing_runs_in_the_page_that_is_not_its_own() {
    play_alone("nothing_else_runs").await;
}

#[tokio::test]
async fn light_and_dark_follow_the_system_until_somebody_chooses() {
    play_alone("theme").await;
}

#[tokio::test]
async fn a_phone_never_scrolls_sideways() {
    play_alone("phone").await;
}

#[tokio::test]
async fn everything_can_be_done_with_the_keyboard_alone() {
    play_alone("keyboard").await;
}

/// With `LOBBY_SCREENSHOTS` it takes the pictures of `docs/images`, too.
#[tokio::test]
async fn nobody_is_shut_out_of_what_the_page_shows() {
    play_with_program("states", "none").await;
}

/// With `LOBBY_SCREENSHOTS` it takes the picture of it, too.
#[tokio::test]
async fn the_api_page_shows_all_paths_and_lets_them_be_tried() {
    play_alone("the_api_page").await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_where_the_server_is_killed() {
    play_with_program("the_server_is_killed", "none").await;
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_there_once() {
    play_alone("an_answer_is_lost").await;
}

#[tokio::test]
async fn what_was_written_is_sent_by_the_page_that_is_loaded_again() {
    play_with_program("a_page_is_loaded_again", "none").await;
}

#[tokio::test]
async fn what_was_missed_and_is_not_kept_any_more_is_told() {
    play_with_program("some_is_not_kept", "3").await;
}

#[tokio::test]
async fn earlier_messages_come_in_on_scrolling_back() {
    let app = App::spawn().await;
    let host = app.log_in_claimed("Host").await;
    for n in 1..=130 {
        say(&app, &host, &format!("message {n}")).await;
    }
    play_at(&app, "scrolling_back").await;
}

#[tokio::test]
async fn a_crowd_and_a_long_conversation_do_not_fill_the_document() {
    const AT_ONCE: usize = 50;

    let app = App::spawn().await;
    let guest = async |n: usize| app.log_in(&format!("guest-{n:04}")).await;
    let guests: Vec<_> = stream::iter(0..1000).map(guest).buffer_unordered(AT_ONCE).collect().await;
    say(&app, &guests[0], "message 1").await;
    let message = async |n: usize| say(&app, &guests[n % 30], &format!("message {n}")).await;
    stream::iter(2..3000).map(message).buffer_unordered(AT_ONCE).count().await;
    say(&app, &guests[0], "message 3000").await;
    play_at(&app, "a_crowd").await;
}

#[tokio::test]
async fn more_people_than_a_connection_is_told_of_are_asked_for() {
    let app = App::spawn_with(&[("presence.snapshot", "3")]).await;
    let mut guests = Vec::new();
    for n in 0..7 {
        guests.push(app.log_in(&format!("guest-{n}")).await);
    }
    let leave = async |_: &str| {
        app.log_out("guest-6", &[]).await;
    };
    play("more_than_are_told_of", &app.url(""), leave).await;
}

async fn say(app: &App, who: &LoggedIn, content: &str) {
    let answer =
        app.post("/messages", &json!({"content": content}), &[("authorization", &who.bearer())]).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
}
