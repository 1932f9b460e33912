//! What the API page shows as examples of requests and answers is what is asked and answered.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::contract::OPENAPI;
use crate::harness::{Answer, App, LoggedIn};

/// What a broken database makes of requests, or the end of the lobby. Other tests see to that.
const NOT_HERE: [&str; 5] = ["busy", "draining", "name_held", "outcome_unknown", "unavailable"];

/// Where two values differ that should be of one kind. What is made up anew each time may.
pub(super) fn differences(shown: &Value, is: &Value, at: &str, found: &mut Vec<String>) {
    match (shown, is) {
        (Value::Object(shown), Value::Object(is)) => {
            let names: BTreeSet<_> = shown.keys().chain(is.keys()).collect();
            for name in names {
                let of = |members: &serde_json::Map<String, Value>| members.get(name).cloned();
                let (shown, is) = (of(shown).unwrap_or_default(), of(is).unwrap_or_default());
                differences(&shown, &is, &format!("{at}/{name}"), found);
            }
        }
        (Value::Array(shown), Value::Array(is)) if shown.len() == is.len() => {
            for (index, (shown, is)) in shown.iter().zip(is).enumerate() {
                differences(shown, is, &format!("{at}/{index}"), found);
            }
        }
        (Value::String(shown), Value::String(is)) if timeless(shown) == timeless(is) => {}
        (shown, is) if shown == is => {}
        (shown, is) => found.push(format!("{at}: {shown} is shown, {is} it is")),
    }
}

/// A text in which ids, moments and tokens are named for what they are.
pub(super) fn timeless(text: &str) -> String {
    let word = |word: &str| match word {
        id if id.len() == 36 && Uuid::try_parse(id).is_ok() => "an id".to_owned(),
        moment if moment.len() == 24 && moment.ends_with('Z') && moment.contains('T') => {
            "a moment".to_owned()
        }
        token if token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            "a token".to_owned()
        }
        other => other.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_as_shown(shown: &Value, is: &Value) {
    let mut found = Vec::new();
    differences(shown, is, "", &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_difference_is_seen_and_what_is_made_up_is_none() {
    let shown = json!({"id": 1, "session": "01a206df-5406-724c-b09f-dd96244dcd7c", "all": [1]});
    let same = json!({"id": 1, "session": "99a10ae7-4b35-4e8a-a1e5-633229ba6926", "all": [1]});
    assert_as_shown(&shown, &same);
    for other in [
        json!({"id": 2, "session": same["session"], "all": [1]}),
        json!({"id": 1, "session": "x", "all": [1]}),
        json!({"id": 1, "session": same["session"], "all": []}),
        json!({"id": 1, "session": same["session"]}),
        json!({"id": 1, "session": same["session"], "all": [1], "more": 1}),
    ] {
        let mut found = Vec::new();
        differences(&shown, &other, "", &mut found);
        assert_eq!(found.len(), 1, "{other}: {found:?}");
    }
}

/// Asks what the page shows, under this name where it shows several, and asserts that the answer is the one it shows.
async fn ask(
    app: &App,
    (method, path, status): (&str, &str, &str),
    name: Option<&str>,
    who: Option<&LoggedIn>,
) -> Answer {
    let operation = &OPENAPI.value["paths"][path][method];
    let shown = |content: &Value| match name {
        Some(name) => content["examples"][name]["value"].clone(),
        None => content["example"].clone(),
    };
    let method: Method = method.to_uppercase().parse().expect("a method");
    let request = app.client().request(method, app.url(path));
    let request = who.iter().fold(request, |request, user| request.header("authorization", user.bearer()));
    let request = match operation["requestBody"]["content"].get("application/json") {
        Some(content) => request.json(&shown(content)),
        None => request,
    };
    let answer = app.send(request).await;
    assert_eq!(answer.status.as_str(), status, "{answer:?}");
    assert_as_shown(&shown(&operation["responses"][status]["content"]["application/json"]), &answer.body);
    answer
}

#[tokio::test]
async fn the_lobby_answers_what_the_examples_show() {
    let app = App::spawn().await;
    let john = LoggedIn::from(&ask(&app, ("post", "/login", "200"), None, None).await.body);
    app.log_in_claimed("Bob").await;
    for path in ["/users", "/session", "/health/live", "/health/ready"] {
        ask(&app, ("get", path, "200"), None, Some(&john)).await;
    }
    ask(&app, ("post", "/messages", "201"), Some("to everybody"), Some(&john)).await;
    ask(&app, ("get", "/messages", "200"), None, Some(&john)).await;
    ask(&app, ("post", "/messages", "201"), Some("to one"), Some(&john)).await;
    ask(&app, ("post", "/logout", "200"), None, Some(&john)).await;
}

/// What refuses, and for which reason.
type Refused = Vec<(&'static str, &'static str, &'static str, RequestBuilder)>;

/// In a lobby where John and Bob are claimed, Silent is not, Gone has gone, and what was said before the third message is not kept.
fn refusals(app: &App, john: &LoggedIn, bob: &LoggedIn) -> Refused {
    let get = |path: &str| app.client().get(app.url(path));
    let post = |path: &str, body: Value| app.client().post(app.url(path)).json(&body);
    let text = |path: &str, body: &'static str| {
        app.client().post(app.url(path)).header("content-type", "application/json").body(body)
    };
    let log_in = |name: &str| post("/login", json!({"pseudonym": name}));
    let say = |body: Value| post("/messages", body).header("authorization", john.bearer());
    let log_out = |name: &str| post("/logout", json!({"pseudonym": name}));
    vec![
        ("post", "/login", "invalid_pseudonym", log_in("x")),
        ("post", "/login", "already_connected", log_in("JohnDoe")),
        ("post", "/login", "invalid_json", text("/login", "{")),
        ("post", "/login", "invalid_body", text("/login", "null")),
        ("post", "/login", "body_too_large", post("/login", json!({"pseudonym": "x".repeat(17_000)}))),
        ("post", "/login", "unsupported_media_type", app.client().post(app.url("/login")).body("{}")),
        ("post", "/login", "origin_not_allowed", log_in("Zoë").header("origin", "https://evil.example")),
        ("post", "/logout", "not_connected", log_out("Nobody")),
        ("post", "/logout", "not_your_session", log_out("JohnDoe").header("authorization", bob.bearer())),
        ("get", "/session", "token_required", get("/session")),
        ("get", "/session", "invalid_token", get("/session").header("authorization", "Bearer forged")),
        ("get", "/session", "not_relayed", get("/session").header("lobby-relayed", "forged")),
        ("get", "/messages", "invalid_query", get("/messages?limit=0")),
        ("get", "/messages", "other_log", get("/messages?after=5")),
        ("get", "/messages", "log_pruned", get("/messages?after=0")),
        ("post", "/messages", "content_empty", say(json!({"content": " "}))),
        ("post", "/messages", "content_control_character", say(json!({"content": "a\0b"}))),
        ("post", "/messages", "content_too_long", say(json!({"content": "x".repeat(4_001)}))),
        ("post", "/messages", "invalid_client_id", say(json!({"content": "Hello!", "client_id": ""}))),
        ("post", "/messages", "client_id_conflict", say(json!({"content": "other", "client_id": "x"}))),
        ("post", "/messages", "unknown_recipient", say(json!({"content": "Hello!", "to": "Nobody"}))),
        ("post", "/messages", "recipient_offline", say(json!({"content": "Hello!", "to": "Gone"}))),
        ("post", "/messages", "recipient_unreachable", say(json!({"content": "Hello!", "to": "Silent"}))),
        ("get", "/client/{path}", "not_found", get("/client/nothing")),
        ("get", "/ws", "upgrade_required", get("/ws")),
    ]
}

async fn lobby_of_refusals() -> (App, LoggedIn, LoggedIn) {
    let app = App::spawn_with(&[("messages.keep_at_most", "2")]).await;
    let (john, bob) = (app.log_in_claimed("JohnDoe").await, app.log_in_claimed("Bob").await);
    app.log_in("Silent").await;
    app.log_in("Gone").await;
    app.log_out("Gone", &[]).await;
    for client_id in ["a", "b", "c", "x"] {
        let said = json!({"content": "Hello!", "client_id": client_id});
        app.post("/messages", &said, &[("authorization", &john.bearer())]).await;
    }
    app.pruned_to(3).await;
    (app, john, bob)
}

#[tokio::test]
async fn the_lobby_refuses_as_the_examples_show() {
    let (app, john, bob) = Box::pin(lobby_of_refusals()).await;
    let mut seen = BTreeSet::new();
    for (method, path, code, request) in refusals(&app, &john, &bob) {
        let answer = app.send(request).await;
        let status = answer.status.as_str();
        let responses = &OPENAPI.value["paths"][path][method]["responses"];
        let content = &responses[status]["content"]["application/problem+json"];
        let shown = &content["examples"][code]["value"];
        assert_eq!((&answer.body["code"], &shown["code"]), (&json!(code), &json!(code)), "{answer:?}");
        let of_whom = |sentence: &Value| {
            // Each example stands for itself: the names in them are not one story.
            sentence.as_str().expect("a sentence").replace("'Gone'", "'Bob'").replace("'Silent'", "'Bob'")
        };
        let path_of = |sentence: String| sentence.replace("/client/nothing", "/nothing");
        assert_eq!(timeless(&path_of(of_whom(&answer.body["detail"]))), timeless(&of_whom(&shown["detail"])));
        assert_eq!((&answer.body["title"], &answer.body["status"]), (&shown["title"], &shown["status"]));
        assert_eq!(answer.body.get("retry_after"), shown.get("retry_after"));
        seen.insert(code);
    }
    let told: BTreeSet<_> = codes().into_iter().filter(|code| !NOT_HERE.contains(code)).collect();
    assert_eq!(told, seen);
}

/// All codes that operations may answer.
fn codes() -> BTreeSet<&'static str> {
    let paths = OPENAPI.value["paths"].as_object().expect("there are paths");
    let operations = paths.values().flat_map(|item| item.as_object().expect("there are methods").values());
    let responses = operations
        .flat_map(|operation| operation["responses"].as_object().expect("there are responses").values());
    let problems = responses
        .filter_map(|response| response["content"]["application/problem+json"]["examples"].as_object());
    problems.flat_map(|examples| examples.keys().map(String::as_str)).collect()
}

/// A refusal that may pass says when, in a header too; one for want of a proof says of which kind.
#[test]
fn headers_are_told_of_where_they_come() {
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for item in OPENAPI.value["paths"].as_object().expect("there are paths").values() {
        for operation in item.as_object().expect("there are methods").values() {
            for (status, response) in operation["responses"].as_object().expect("there are responses") {
                let headers = &response["headers"];
                let examples = &response["content"]["application/problem+json"]["examples"];
                let passes = examples
                    .as_object()
                    .into_iter()
                    .flatten()
                    .any(|(_, example)| example["value"].get("retry_after").is_some());
                assert_eq!(headers.get("Retry-After").is_some(), passes, "{status}: {response}");
                assert_eq!(headers.get("WWW-Authenticate").is_some(), status == "401");
                for name in headers.as_object().into_iter().flat_map(|headers| headers.keys()) {
                    *told.entry(name).or_default() += 1;
                }
            }
        }
    }
    for name in ["Set-Cookie", "Lobby-Roster-Revision", "Link", "ETag", "Content-Security-Policy"] {
        assert!(told.contains_key(name), "{name} is not told of: {told:?}");
    }
}
