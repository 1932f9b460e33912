//! What is not kept for ever.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, in_time};

async fn say(app: &App, user: &LoggedIn) -> i64 {
    let message = json!({"content": "hello"});
    let answer = app.post("/messages", &message, &[("authorization", &user.bearer())]).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer.body["id"].as_i64().expect("a number")
}

/// What the log holds, and where it says that it begins and ends.
async fn log(app: &App) -> (Vec<i64>, i64, i64) {
    let body = app.get("/messages?limit=200").await.body;
    let messages = body["messages"].as_array().expect("an array");
    let ids = messages.iter().map(|message| message["id"].as_i64().expect("a number")).collect();
    (ids, body["first_id"].as_i64().expect("a number"), body["last_id"].as_i64().expect("a number"))
}

#[tokio::test]
async fn so_many_are_kept_and_ids_go_on() {
    let app = App::spawn_with(&[("messages.keep_at_most", "3")]).await;
    let john = app.log_in("JohnDoe").await;
    for id in 1..=5 {
        assert_eq!(say(&app, &john).await, id);
    }
    app.pruned_to(3).await;
    assert_eq!(log(&app).await, ((3..=5).collect(), 3, 5));
    assert_eq!(say(&app, &john).await, 6);
    app.pruned_to(4).await;
    assert_eq!(log(&app).await, ((4..=6).collect(), 4, 6));
}

#[tokio::test]
async fn they_are_kept_for_so_long_and_ids_go_on() {
    let app = App::spawn_with(&[("messages.keep_for", "1s")]).await;
    let john = app.log_in("JohnDoe").await;
    for id in 1..=3 {
        assert_eq!(say(&app, &john).await, id);
    }
    app.pruned_to(4).await;
    assert_eq!(log(&app).await, (vec![], 4, 3));
    assert_eq!(say(&app, &john).await, 4);
    app.pruned_to(5).await;
    assert_eq!(log(&app).await, (vec![], 5, 4));
}

/// An empty log remembers how far it had come.
#[tokio::test]
async fn what_was_pruned_stays_so_after_a_restart() {
    let app = App::spawn_with(&[("messages.keep_for", "1s")]).await;
    let john = app.log_in("JohnDoe").await;
    for _ in 0..3 {
        say(&app, &john).await;
    }
    app.pruned_to(4).await;
    let app = app.restart().await;
    assert_eq!(log(&app).await, (vec![], 4, 3));
    let (_, session) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    assert_eq!(session["last_id"], 3);
    assert_eq!(say(&app, &john).await, 4);
}

#[tokio::test]
async fn people_go_on_talking_while_old_messages_are_deleted() {
    // Several steps of deleting, and then what is said meanwhile.
    const BEFORE: usize = 3_000;
    const AFTER: usize = 2_000;

    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let (mut speaker, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    let hello = |count| std::iter::repeat_n("hello".to_owned(), count);
    speaker.say_all(hello(BEFORE)).await;
    drop(speaker);

    let app = app.restart_with(&[("messages.keep_at_most", "10")]).await;
    let (mut speaker, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    let (mut listener, session) = Connection::enter(&app, Protocol::SocketIo, Auth::Nothing).await;
    assert_eq!(session["last_id"], BEFORE);
    let until_it_has_begun = async {
        while app.get("/messages?limit=1").await.body["first_id"] == 1 {
            speaker.say_all(hello(1)).await;
        }
    };
    in_time("the deleting to begin", until_it_has_begun).await;
    speaker.say_all(hello(AFTER)).await;
    let last = log(&app).await.2;
    let count = usize::try_from(last).expect("a number") - BEFORE;
    assert!(count >= AFTER, "{count}");
    let heard = listener.messages(count).await.into_iter().map(|(id, _)| id);
    let expected = 1_i64..=last;
    assert!(heard.eq(expected.skip(BEFORE)));
    app.pruned_to(last.unsigned_abs() - 9).await;
    assert_eq!(log(&app).await, ((last - 9..=last).collect(), last - 9, last));
}
