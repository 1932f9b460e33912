//! What was said, read and posted over REST.

use std::ops::RangeInclusive;

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{App, Auth, Connection, LoggedIn, Protocol};

const OTHER_LOG: &str = "00000000-0000-0000-0000-000000000000";

/// Somebody who has said so many things.
async fn speaker(app: &App, said: i64) -> LoggedIn {
    let user = app.log_in("speaker").await;
    let (mut connection, _) = Connection::enter(app, Protocol::Plain, Auth::Token(&user)).await;
    connection.say_all((1..=said).map(|id| format!("number {id}"))).await;
    user
}

fn ids(page: &Value) -> Vec<i64> {
    let messages = page["messages"].as_array().expect("an array");
    messages.iter().map(|message| message["id"].as_i64().expect("a number")).collect()
}

#[tokio::test]
async fn an_empty_log_is_told_as_such() {
    let app = App::spawn().await;
    let (_, session) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    let expected =
        json!({"messages": [], "has_more": false, "log": session["log"], "first_id": 1, "last_id": 0});
    for query in ["", "?after=0", "?before=1", "?before=100", "?limit=200"] {
        let answer = app.get(&format!("/messages{query}")).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, expected.clone()), "{query}");
    }
}

#[tokio::test]
async fn a_message_looks_as_it_did_when_it_was_said() {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let (mut connection, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    for (to, client_id) in [(None, None), (Some("johndoe"), Some("1"))] {
        let message = json!({"content": "Hello, 李明!\n🎉", "to": to, "client_id": client_id});
        connection.emit("send_message", &message).await;
    }
    let live = [connection.event("new_message").await, connection.event("new_message").await];
    let answer = app.get_as("/messages", &[("authorization", &john.bearer())]).await;
    assert_eq!(answer.body["messages"], json!(live));
}

#[rstest]
#[case::the_newest("", 251..=300, true)]
#[case::from_the_beginning("?after=0", 1..=50, true)]
#[case::up_to_the_end("?after=250", 251..=300, false)]
#[case::just_not_up_to_the_end("?after=249", 250..=299, true)]
#[case::down_to_the_beginning("?before=51", 1..=50, false)]
#[case::just_not_down_to_the_beginning("?before=52", 2..=51, true)]
#[case::before_the_end("?before=300", 250..=299, true)]
#[case::before_more_than_there_is("?before=9223372036854775807", 251..=300, true)]
#[case::the_least("?after=7&limit=1", 8..=8, true)]
#[case::the_most("?after=0&limit=200", 1..=200, true)]
#[case::the_newest_of_as_many("?limit=200", 101..=300, true)]
#[tokio::test]
async fn a_page_has_what_was_asked_for_the_oldest_first(
    #[case] query: &str,
    #[case] expected: RangeInclusive<i64>,
    #[case] has_more: bool,
) {
    let app = App::spawn().await;
    speaker(&app, 300).await;
    let answer = app.get(&format!("/messages{query}")).await;
    assert_eq!(ids(&answer.body), expected.collect::<Vec<_>>());
    let place = ["has_more", "first_id", "last_id"].map(|key| answer.body[key].clone());
    assert_eq!(place, [json!(has_more), json!(1), json!(300)]);
}

#[rstest]
#[case::at_the_end("?after=300")]
#[case::before_the_beginning("?before=1")]
#[case::before_nothing("?before=0")]
#[case::before_a_negative_one("?before=-9223372036854775808")]
#[tokio::test]
async fn where_there_is_nothing_the_page_is_empty(#[case] query: &str) {
    let app = App::spawn().await;
    speaker(&app, 300).await;
    let answer = app.get(&format!("/messages{query}")).await;
    assert_eq!((ids(&answer.body), &answer.body["has_more"]), (vec![], &json!(false)));
}

#[tokio::test]
async fn going_through_the_pages_brings_the_whole_log_once_in_both_directions() {
    let app = App::spawn().await;
    let alice = speaker(&app, 150).await;
    let (bob, carol) = (app.log_in_claimed("Bob").await, app.log_in_claimed("Carol").await);
    let (mut from_alice, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&alice)).await;
    // Three parts of the log that are read apart and come together in one page.
    for n in 0..150 {
        let to = [None, Some(&bob), Some(&carol)][n % 3].map(|to| &to.session);
        from_alice.ask("send_message", &json!({"content": "x", "to": to})).await;
    }
    for (user, count) in [(Some(&alice), 300), (Some(&bob), 250), (None, 200)] {
        for limit in [7, 64, 200] {
            let forward = all_pages(&app, user, limit, true).await;
            assert_eq!(forward.len(), count);
            assert!(forward.is_sorted_by(|a, b| a < b), "{forward:?}");
            assert_eq!(all_pages(&app, user, limit, false).await, forward);
        }
    }
}

/// The ids of all pages, in the order of the log, read from its beginning or from its end.
async fn all_pages(app: &App, user: Option<&LoggedIn>, limit: usize, forward: bool) -> Vec<i64> {
    let bearer = user.map(LoggedIn::bearer);
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    let mut all: Vec<i64> = Vec::new();
    loop {
        let place = match (forward, all.first(), all.last()) {
            (true, _, last) => format!("after={}", last.copied().unwrap_or_default()),
            (false, Some(first), _) => format!("before={first}"),
            (false, None, _) => String::new(),
        };
        let page = app.get_as(&format!("/messages?limit={limit}&{place}"), &headers).await.body;
        let ids = ids(&page);
        assert!(ids.len() == limit || page["has_more"] == false, "{page}");
        all = if forward { [all, ids].concat() } else { [ids, all].concat() };
        if page["has_more"] == false {
            return all;
        }
    }
}

#[rstest]
#[case::no_messages("limit=0")]
#[case::too_many("limit=201")]
#[case::a_negative_limit("limit=-1")]
#[case::no_limit("limit=x")]
#[case::both_directions("after=1&before=3")]
#[case::a_log_without_a_place("log=00000000-0000-0000-0000-000000000000")]
#[case::a_log_before("before=1&log=00000000-0000-0000-0000-000000000000")]
#[case::no_log("after=1&log=x")]
#[case::no_number("after=x")]
#[case::a_fraction("after=1.5")]
#[case::too_large("after=9223372036854775808")]
#[case::twice("after=1&after=2")]
#[case::unknown("since=1")]
#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused(#[case] query: &str) {
    let app = App::spawn().await;
    app.get(&format!("/messages?{query}")).await.assert_problem(400, "invalid_query");
}

#[tokio::test]
async fn what_cannot_be_had_in_full_is_refused_with_the_reason() {
    let app = App::spawn_with(&[("messages.keep_at_most", "10")]).await;
    speaker(&app, 30).await;
    app.pruned_to(21).await;
    let (_, session) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    let log = session["log"].as_str().expect("a text");
    for after in [i64::MIN, -1, 0, 19] {
        app.get(&format!("/messages?after={after}&log={log}")).await.assert_problem(410, "log_pruned");
    }
    for after in [31, i64::MAX] {
        app.get(&format!("/messages?after={after}&log={log}")).await.assert_problem(409, "other_log");
    }
    app.get(&format!("/messages?after=25&log={OTHER_LOG}")).await.assert_problem(409, "other_log");
    let kept = app.get(&format!("/messages?after=20&log={log}")).await.body;
    assert_eq!((ids(&kept), &kept["first_id"]), ((21..=30).collect(), &json!(21)));
    // Going back ends where the log begins, and that is no mistake.
    let back = app.get("/messages?before=25").await.body;
    assert_eq!((ids(&back), &back["has_more"]), ((21..=24).collect(), &json!(false)));
}

#[tokio::test]
async fn in_token_mode_only_those_with_a_token_read_and_post() {
    let app = App::spawn_with(&[("auth.mode", "token")]).await;
    let john = app.log_in("JohnDoe").await;
    let message = json!({"content": "hello", "sender": "JohnDoe"});
    app.get("/messages").await.assert_problem(401, "token_required");
    app.post("/messages", &message, &[]).await.assert_problem(401, "token_required");
    for header in [("cookie", john.cookie()), ("authorization", john.bearer())] {
        let headers = [(header.0, header.1.as_str())];
        assert_eq!(app.post("/messages", &message, &headers).await.status, StatusCode::CREATED);
        assert_eq!(app.get_as("/messages", &headers).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_forged_token_neither_reads_nor_posts() {
    let app = App::spawn().await;
    let headers = [("authorization", "Bearer forged")];
    app.get_as("/messages", &headers).await.assert_problem(401, "invalid_token");
    app.post("/messages", &json!({"content": "x"}), &headers).await.assert_problem(401, "invalid_token");
}

#[tokio::test]
async fn what_is_posted_is_answered_with_the_message_that_everybody_gets() {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let (mut listener, _) = Connection::enter(&app, Protocol::SocketIo, Auth::Nothing).await;
    // Unclaimed still, as in the original: the name alone is enough.
    let by_name = app.post("/messages", &json!({"content": " hello ", "sender": "johndoe"}), &[]).await;
    let by_token =
        app.post("/messages", &json!({"content": "hello"}), &[("authorization", &john.bearer())]).await;
    for (id, answer) in [(1, by_name), (2, by_token)] {
        let expected = json!({
            "id": id,
            "sender": "JohnDoe",
            "sender_id": 1,
            "sender_session": john.session,
            "content": "hello",
            "timestamp": answer.body["timestamp"],
        });
        assert_eq!((answer.status, &answer.body), (StatusCode::CREATED, &expected));
        assert_eq!(listener.event("new_message").await, expected);
    }
    let by_name = app.post("/messages", &json!({"content": "hello", "sender": "JohnDoe"}), &[]).await;
    by_name.assert_problem(401, "token_required");
}

#[rstest]
#[case::nobody(json!({"content": "x"}), 401, "token_required")]
#[case::offline(json!({"content": "x", "sender": "Nobody"}), 400, "not_connected")]
#[case::empty(json!({"content": " ", "sender": "JohnDoe"}), 400, "content_empty")]
#[case::control(json!({"content": "\u{7}", "sender": "JohnDoe"}), 400, "content_control_character")]
#[case::too_many_characters(json!({"content": "x".repeat(4_001), "sender": "JohnDoe"}), 413, "content_too_long")]
#[case::too_many_bytes(json!({"content": "x".repeat(16_385), "sender": "JohnDoe"}), 413, "content_too_long")]
#[case::too_large(json!({"content": "x".repeat(128 * 1024), "sender": "JohnDoe"}), 413, "body_too_large")]
#[case::no_content(json!({"sender": "JohnDoe"}), 400, "invalid_body")]
#[case::wrong_type(json!({"content": 7, "sender": "JohnDoe"}), 400, "invalid_body")]
#[case::no_object(json!(["x", "JohnDoe"]), 400, "invalid_body")]
#[tokio::test]
async fn what_breaks_a_rule_is_refused_over_rest_too(
    #[case] message: Value,
    #[case] status: u16,
    #[case] code: &str,
) {
    let app = App::spawn().await;
    app.log_in("JohnDoe").await;
    app.post("/messages", &message, &[]).await.assert_problem(status, code);
    assert_eq!(app.get("/messages").await.body["last_id"], 0);
}

/// As large as a message can be: every character takes six bytes in JSON's escapes.
#[tokio::test]
async fn a_message_of_the_most_bytes_fits_however_it_is_written() {
    let app = App::spawn().await;
    app.log_in("JohnDoe").await;
    let spaces = "\\u0020".repeat(16 * 1024 - 1);
    let body = format!(r#"{{"content": "x{spaces}", "sender": "JohnDoe"}}"#);
    let request = app.client().post(app.url("/messages")).header("content-type", "application/json");
    let answer = app.send(request.body(body)).await;
    assert_eq!((answer.status, &answer.body["content"]), (StatusCode::CREATED, &json!("x")));
}
