//! Names over the wire: the verdicts of `docs/names.md`, and what JSON can hide.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use crate::docs::{page, rows, spelled_out};
use crate::harness::{Answer, App, Auth, Connection, Protocol};

async fn log_in_raw(app: &App, body: &str) -> Answer {
    let request = app.client().post(app.url("/login")).header("content-type", "application/json");
    app.send(request.body(body.to_owned())).await
}

#[tokio::test]
async fn every_name_of_the_table_is_taken_or_refused_at_the_door() {
    let app = App::spawn().await;
    let page = page("docs/names.md");
    for row in rows(&page, 3) {
        let name = spelled_out(row[0]);
        let answer = app.post("/login", &json!({"pseudonym": name}), &[]).await;
        if row[1] != "allowed" {
            let sentence = answer.assert_problem(400, "invalid_pseudonym");
            let character = row[1].strip_prefix("refused: character ").unwrap_or_default();
            assert!(sentence.contains(character), "{sentence}");
            continue;
        }
        assert_eq!(answer.status, StatusCode::OK, "{name}: {answer:?}");
        assert_eq!(app.log_out(&name, &[]).await.status, StatusCode::OK, "{name}");
    }
    assert!(app.online().await.is_empty());
}

#[tokio::test]
async fn every_pair_of_the_table_shares_a_name_or_does_not() {
    let app = App::spawn().await;
    let page = page("docs/names.md");
    for row in rows(&page, 4) {
        let [one, other] = [row[0], row[1]].map(spelled_out);
        let same = row[2] != "different";
        for (first, second) in [(&one, &other), (&other, &one)] {
            let answer = app.post("/login", &json!({"pseudonym": first}), &[]).await;
            if answer.status != StatusCode::OK {
                // Reserved: it stands in the table for what it is the same as.
                answer.assert_problem(400, "invalid_pseudonym");
                continue;
            }
            let answer = app.post("/login", &json!({"pseudonym": second}), &[]).await;
            match (same, answer.status) {
                (true, _) => drop(answer.assert_problem(400, "already_connected")),
                (false, StatusCode::OK) => assert_eq!(app.log_out(second, &[]).await.status, StatusCode::OK),
                (false, _) => drop(answer.assert_problem(400, "invalid_pseudonym")),
            }
            assert_eq!(app.log_out(first, &[]).await.status, StatusCode::OK, "{first}");
        }
    }
    assert!(app.online().await.is_empty());
}

#[rstest]
#[case::lone_surrogate(r#"{"pseudonym": "Jo\ud800hn"}"#, "invalid_json")]
#[case::lone_low_surrogate(r#"{"pseudonym": "\udc00hn"}"#, "invalid_json")]
#[case::surrogates_the_wrong_way_round(r#"{"pseudonym": "Jo\udc00\ud800"}"#, "invalid_json")]
#[case::surrogate_last(r#"{"pseudonym": "John\ud83d"}"#, "invalid_json")]
#[case::nul(r#"{"pseudonym": "Jo\u0000hn"}"#, "invalid_pseudonym")]
#[case::zero_width(r#"{"pseudonym": "Jo\u200bhn"}"#, "invalid_pseudonym")]
#[case::emoji(r#"{"pseudonym": "Jo\ud83d\ude00"}"#, "invalid_pseudonym")]
#[case::reserved(r#"{"pseudonym": "\u0061dmin"}"#, "invalid_pseudonym")]
#[case::null(r#"{"pseudonym": null}"#, "invalid_body")]
#[tokio::test]
async fn escapes_hide_nothing(#[case] body: &str, #[case] code: &str) {
    let app = App::spawn().await;
    log_in_raw(&app, body).await.assert_problem(400, code);
    assert!(app.online().await.is_empty());
}

#[tokio::test]
async fn a_pair_of_surrogates_is_one_character() {
    let app = App::spawn().await;
    let body = format!(r#"{{"pseudonym": "{}"}}"#, r"\ud842\udfb7".repeat(32));
    let answer = log_in_raw(&app, &body).await;
    assert_eq!((answer.status, &answer.body["pseudonym"]), (StatusCode::OK, &json!("𠮷".repeat(32))));
}

/// Objects of clients and of ours have such members.
#[tokio::test]
async fn names_that_are_words_of_programs_are_names_like_any_other() {
    let app = App::spawn().await;
    let names = ["__proto__", "constructor", "null", "toString", "undefined", "NaN", "true", "0x10", "1e5"];
    for name in names {
        app.log_in(name).await;
    }
    let (mut connection, session) = Connection::enter(&app, Protocol::SocketIo, Auth::Nothing).await;
    let listed: BTreeMap<_, _> = session["users"].as_array().expect("an array").iter().map(named).collect();
    for name in names {
        assert!(listed.contains_key(name), "{name} {listed:?}");
        let said = connection.ask("send_message", &json!({"sender": name, "content": name})).await;
        assert!(said.get("id").is_some(), "{said}");
        assert_eq!(app.log_out(name, &[]).await.status, StatusCode::OK);
    }
}

fn named(user: &Value) -> (&str, &Value) {
    (user["pseudonym"].as_str().expect("a text"), &user["id"])
}

#[rstest]
#[case("İbrahim", "ibrahim")]
#[case("ᴊᴏʜɴ", "john")]
#[case("ꭰꭺꮩꭼ", "dave")]
#[case("ẹ\u{307}x", "e\u{307}\u{323}x")]
#[tokio::test]
async fn whoever_has_a_name_is_found_by_all_its_forms(#[case] held: &str, #[case] typed: &str) {
    let app = App::spawn().await;
    app.log_in(held).await;
    let (mut connection, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    connection.emit("send_message", &json!({"sender": typed, "content": "hello"})).await;
    assert_eq!(connection.event("new_message").await["sender"], held);
    assert_eq!(app.log_out(typed, &[]).await.status, StatusCode::OK);
    assert!(app.online().await.is_empty());
}
