//! What the API page shows as examples of requests and answers is what is asked and answered.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::contract::OPENAPI;
use crate::harness::{Answer, App, LoggedIn};

/// What a broken database makes of requests, or the end of the lobby; and what is too much or too slow. Other tests see to that.
const NOT_HERE: [&str; 9] = [
    "body_too_slow",
    "busy",
    "draining",
    "name_held",
    "outcome_unknown",
    "overloaded",
    "rate_limited",
    "too_many_connections",
    "unavailable",
];

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

/// Which operation refuses, for which reason, and what makes it.
type Refused = Vec<(&'static str, &'static str, &'static str, RequestBuilder)>;

/// Requests, made and refused by an app.
struct Asking<'a> {
    app: &'a App,
    john: &'a LoggedIn,
    bob: &'a LoggedIn,
}

impl Asking<'_> {
    fn get(&self, path: &str) -> RequestBuilder {
        self.app.client().get(self.app.url(path))
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.app.client().post(self.app.url(path)).json(body)
    }

    fn text(&self, path: &str, body: &'static str) -> RequestBuilder {
        self.app.client().post(self.app.url(path)).header("content-type", "application/json").body(body)
    }

    fn log_out(&self, name: &str) -> RequestBuilder {
        self.post("/logout", &json!({"pseudonym": name}))
    }

    /// Says something as John.
    fn say(&self, body: &Value) -> RequestBuilder {
        self.post("/messages", body).header("authorization", self.john.bearer())
    }

    /// What every operation refuses, and what every one refuses that takes a body.
    fn of_all(&self) -> Refused {
        let mut refused = Refused::new();
        for (path, item) in OPENAPI.value["paths"].as_object().expect("there are paths") {
            for method in item.as_object().expect("there are methods").keys() {
                let to = self
                    .app
                    .client()
                    .request(method.to_uppercase().parse().expect("a method"), self.app.url(path));
                refused.push((
                    method.as_str(),
                    path.as_str(),
                    "not_relayed",
                    to.header("lobby-relayed", "forged"),
                ));
            }
        }
        for (path, size) in [("/login", 17_000), ("/logout", 17_000), ("/messages", 132_000)] {
            let evil = self.text(path, "{}").header("origin", "https://evil.example");
            // As long as the example says.
            let name = if path == "/messages" { "content" } else { "pseudonym" };
            refused.extend([
                ("post", path, "invalid_json", self.text(path, "{")),
                ("post", path, "invalid_body", self.text(path, "null")),
                ("post", path, "body_too_large", self.post(path, &json!({name: "x".repeat(size)}))),
                (
                    "post",
                    path,
                    "unsupported_media_type",
                    self.app.client().post(self.app.url(path)).body("{}"),
                ),
                ("post", path, "origin_not_allowed", evil),
            ]);
        }
        refused
    }

    /// What is said of tokens.
    fn of_tokens(&self) -> Refused {
        let forged = |request: RequestBuilder| request.header("authorization", "Bearer forged");
        let hello = json!({"content": "Hello!"});
        let as_john = json!({"content": "Hello!", "sender": "JohnDoe"});
        let log_in = self.post("/login", &json!({"pseudonym": "Zoe"}));
        vec![
            ("post", "/login", "invalid_token", forged(log_in)),
            ("post", "/logout", "invalid_token", forged(self.log_out("JohnDoe"))),
            ("post", "/logout", "token_required", self.log_out("JohnDoe")),
            (
                "post",
                "/logout",
                "not_your_session",
                self.log_out("JohnDoe").header("authorization", self.bob.bearer()),
            ),
            ("get", "/users", "invalid_token", forged(self.get("/users"))),
            ("get", "/session", "token_required", self.get("/session")),
            ("get", "/session", "invalid_token", forged(self.get("/session"))),
            ("get", "/messages", "invalid_token", forged(self.get("/messages"))),
            ("post", "/messages", "invalid_token", forged(self.post("/messages", &hello))),
            ("post", "/messages", "token_required", self.post("/messages", &hello)),
            (
                "post",
                "/messages",
                "not_your_session",
                self.post("/messages", &as_john).header("authorization", self.bob.bearer()),
            ),
        ]
    }

    /// In a lobby where John and Bob are claimed, Silent is not, Gone has gone, and what was said before the third message is
    /// not kept.
    fn of_each(&self) -> Refused {
        let log_in = |name: &str| self.post("/login", &json!({"pseudonym": name}));
        let say = |code, body: Value| ("post", "/messages", code, self.say(&body));
        let nobody = json!({"content": "Hello!", "sender": "Nobody"});
        vec![
            ("post", "/login", "invalid_pseudonym", log_in("x")),
            ("post", "/login", "already_connected", log_in("JohnDoe")),
            ("post", "/logout", "not_connected", self.log_out("Nobody")),
            ("get", "/users", "invalid_query", self.get("/users?limit=0")),
            ("get", "/messages", "invalid_query", self.get("/messages?limit=0")),
            ("get", "/messages", "other_log", self.get("/messages?after=5")),
            ("get", "/messages", "log_pruned", self.get("/messages?after=0")),
            ("post", "/messages", "not_connected", self.post("/messages", &nobody)),
            say("content_empty", json!({"content": " "})),
            say("content_control_character", json!({"content": "a\0b"})),
            say("content_too_long", json!({"content": "x".repeat(4_001)})),
            say("invalid_client_id", json!({"content": "Hello!", "client_id": ""})),
            say("client_id_conflict", json!({"content": "other", "client_id": "x"})),
            say("unknown_recipient", json!({"content": "Hello!", "to": "Nobody"})),
            say("recipient_offline", json!({"content": "Hello!", "to": "Gone"})),
            say("recipient_unreachable", json!({"content": "Hello!", "to": "Silent"})),
            ("get", "/client/{path}", "not_found", self.get("/client/nothing")),
            ("get", "/docs/{path}", "not_found", self.get("/docs/nothing")),
            ("get", "/ws", "upgrade_required", self.get("/ws")),
            ("get", "/ws", "origin_not_allowed", self.get("/ws").header("origin", "https://evil.example")),
        ]
    }
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

/// Asks, and asserts that the refusal is the one that is shown for this operation.
async fn assert_refused_as_shown(app: &App, method: &str, path: &str, code: &str, request: RequestBuilder) {
    assert_is_as_shown(&app.send(request).await, method, path, code);
}

/// The same of an answer.
#[track_caller]
pub(super) fn assert_is_as_shown(answer: &Answer, method: &str, path: &str, code: &str) {
    let status = answer.status.as_str();
    let responses = &OPENAPI.value["paths"][path][method]["responses"];
    let content = &responses[status]["content"]["application/problem+json"];
    let shown = &content["examples"][code]["value"];
    let codes = (&answer.body["code"], &shown["code"]);
    assert_eq!(codes, (&json!(code), &json!(code)), "{method} {path}: {answer:?}");
    let sentence = |body: &Value| {
        // Each example stands for itself: the names in them are not one story.
        let sentence = body["detail"].as_str().expect("a sentence");
        timeless(&sentence.replace("'Gone'", "'Bob'").replace("'Silent'", "'Bob'"))
    };
    assert_eq!(sentence(&answer.body), sentence(shown), "{method} {path}");
    assert_eq!((&answer.body["title"], &answer.body["status"]), (&shown["title"], &shown["status"]));
    assert_eq!(answer.body.get("retry_after"), shown.get("retry_after"));
}

#[tokio::test]
async fn the_lobby_refuses_as_the_examples_show() {
    let (app, john, bob) = Box::pin(lobby_of_refusals()).await;
    let strict = App::spawn_with(&[("auth.mode", "token")]).await;
    let asking = Asking { app: &app, john: &john, bob: &bob };
    let nameless = ["/users", "/messages"]
        .map(|path| ("get", path, "token_required", strict.client().get(strict.url(path))));
    let all = [asking.of_all(), asking.of_tokens(), asking.of_each(), nameless.into()];
    let mut seen = BTreeSet::new();
    for (method, path, code, request) in all.into_iter().flatten() {
        assert_refused_as_shown(&app, method, path, code, request).await;
        seen.insert((method, path, code));
    }
    let told: BTreeSet<_> = told().into_iter().filter(|(_, _, code)| !NOT_HERE.contains(code)).collect();
    assert_eq!(told, seen);
}

/// All that operations may refuse, each for itself.
pub(super) fn told() -> BTreeSet<(&'static str, &'static str, &'static str)> {
    let mut told = BTreeSet::new();
    for (path, item) in OPENAPI.value["paths"].as_object().expect("there are paths") {
        for (method, operation) in item.as_object().expect("there are methods") {
            let responses = operation["responses"].as_object().expect("there are responses").values();
            let problems = responses.filter_map(|response| {
                response["content"]["application/problem+json"]["examples"].as_object()
            });
            told.extend(
                problems
                    .flat_map(|all| all.keys())
                    .map(|code| (method.as_str(), path.as_str(), code.as_str())),
            );
        }
    }
    told
}

/// A refusal that may pass says when, in a header too; one for want of a proof says of which kind.
#[test]
fn headers_are_told_of_where_they_come() {
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for item in OPENAPI.value["paths"].as_object().expect("there are paths").values() {
        for operation in item.as_object().expect("there are methods").values() {
            let parameters = operation["parameters"].as_array().expect("there is one for all");
            assert!(
                parameters.contains(&json!({"$ref": "#/components/parameters/x-request-id"})),
                "{operation}"
            );
            for (status, response) in operation["responses"].as_object().expect("there are responses") {
                let headers = &response["headers"];
                assert_eq!(headers["x-request-id"]["$ref"], "#/components/headers/x-request-id");
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
