//! What the API pages say, held against all that the tests see: an answer or an event that is not described is a failure.

use std::sync::LazyLock;

use jsonschema::Draft;
use lobby_infra::api::asyncapi;
use lobby_infra::http::openapi;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Received};

/// A description, and what its schemas are.
pub struct Document {
    pub value: Value,
    pub draft: Draft,
}

/// `/openapi.json`
pub static OPENAPI: LazyLock<Document> = LazyLock::new(|| Document {
    value: serde_json::from_str(&openapi::document()).expect("JSON"),
    draft: Draft::Draft202012,
});

/// `/asyncapi.json`
pub static ASYNCAPI: LazyLock<Document> =
    LazyLock::new(|| Document { value: asyncapi::document(), draft: Draft::Draft7 });

impl Document {
    /// What is wrong with a value of this schema, which may refer to others of the document.
    pub fn complaints(&self, schema: &Value, value: &Value) -> Vec<String> {
        let whole = json!({"components": self.value["components"], "allOf": [schema]});
        let validator =
            jsonschema::options().with_draft(self.draft).should_validate_formats(true).build(&whole);
        let validator = validator.expect("a good schema");
        validator.iter_errors(value).map(|error| format!("{error} at '{}'", error.instance_path())).collect()
    }
}

/// Paths whose answers belong to another protocol.
const OTHERS: &str = "/socket.io";

/// Checks an answer to a request of this method and path.
#[track_caller]
pub fn check_answer(method: &Method, path: &str, answer: &Answer) {
    if path.starts_with(OTHERS) || *method == Method::OPTIONS {
        return;
    }
    let Some(response) = described(method, path, answer.status.as_u16()) else {
        panic!("{method} {path} is not said to answer {}: {answer:?}", answer.status);
    };
    assert_eq!(answer.header("x-request-id").is_empty(), response["headers"].get("x-request-id").is_none());
    let Some(content) = response["content"].as_object() else { return };
    let is = answer.header("content-type");
    let same = |said: &&String| *said == "*/*" || is == said.as_str() || is.starts_with(&format!("{said};"));
    let said = content.keys().find(same);
    let said = said.unwrap_or_else(|| panic!("{method} {path} is not said to answer in '{is}': {answer:?}"));
    if said.ends_with("json") && *method != Method::HEAD {
        let complaints = OPENAPI.complaints(&content[said]["schema"], &answer.body);
        assert!(complaints.is_empty(), "{method} {path}: {complaints:?}: {answer:?}");
    }
}

/// What is said of such an answer.
fn described(method: &Method, path: &str, status: u16) -> Option<&'static Value> {
    let document = &OPENAPI.value;
    let elsewhere = |allowed: [u16; 2]| {
        let response = || &document["components"]["responses"][format!("elsewhere-{status}")];
        allowed.contains(&status).then(response)
    };
    let Some(item) = item(path) else { return elsewhere([403, 404]) };
    let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
    match item.get(method.as_str().to_lowercase()) {
        Some(operation) => operation["responses"].get(status.to_string()),
        None => elsewhere([403, 405]),
    }
}

fn item(path: &str) -> Option<&'static Value> {
    let paths = OPENAPI.value["paths"].as_object().expect("there are paths");
    let templated = || {
        let mut items = paths.iter();
        items.find(|(known, _)| known.strip_suffix("{path}").is_some_and(|start| path.starts_with(start)))
    };
    paths.get(path).or_else(|| templated().map(|(_, item)| item))
}

/// The first code that is an application's own: all before are of every WebSocket, and of Socket.IO's too.
const OWN: u16 = 4_000;

/// Checks that a plain socket is closed for a reason that is told.
#[track_caller]
fn check_close(code: u16, reason: &str) {
    let told = ASYNCAPI.value["channels"]["websocket"]["description"].as_str().expect("a text");
    assert!(
        code < OWN || told.contains(&format!("| {code} | `{reason}` |")),
        "{code} {reason} is not described"
    );
}

/// Checks what came in over a socket.
#[track_caller]
pub fn check_event(received: &Received) {
    let (message, data) = match received {
        Received::Event(name, data) => (name.as_str(), data),
        Received::Ack(_, data) => ("posted", data),
        Received::ConnectError(data) => ("connect_error", data),
        Received::Closed(code, reason) => return check_close(*code, reason),
        Received::Disconnect => return,
    };
    let described = &ASYNCAPI.value["components"]["messages"][message];
    assert!(described.is_object(), "{message} is not described");
    let complaints = ASYNCAPI.complaints(&described["payload"], data);
    assert!(complaints.is_empty(), "{message}: {complaints:?}: {data}");
}
