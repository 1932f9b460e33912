//! The API pages: that they are well made, are what is committed, and say what the lobby does.

mod answers;
mod events;
mod guides;
mod limited;
mod links;
mod page;
mod pasted;
mod schemathesis;
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Draft;
use serde_json::Value;

use crate::docs::assert_up_to_date;
use crate::harness::App;
use crate::harness::contract::{ASYNCAPI, Document, OPENAPI};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}

#[tokio::test]
async fn what_is_served_is_what_is_committed() {
    let app = App::spawn().await;
    for path in ["openapi.json", "asyncapi.json"] {
        let url = app.url(&format!("/{path}"));
        let answer = app.client().get(url).send().await.expect("an answer");
        assert_eq!(answer.headers()["content-type"], "application/json");
        let served = answer.text().await.expect("a text");
        assert_up_to_date(&format!("docs/{path}"), &served);
    }
}

#[test]
fn the_description_of_the_paths_is_good_openapi() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let is_good = |document: &Value| {
        let file = folder.path().join("openapi.json");
        fs::write(&file, document.to_string()).expect("it is written");
        let mut validator =
            Command::new(repository().join("target/clients/python/bin/openapi-spec-validator"));
        let output = validator.arg(file).output().expect("`make clients` installs it");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (good, told) = is_good(&OPENAPI.value);
    assert!(good, "{told}");
    let mut wrong = OPENAPI.value.clone();
    wrong["paths"]["/users"]["get"]["parameters"][0]["in"] = "head".into();
    assert!(!is_good(&wrong).0, "everything passes");
}

/// By the schema that AsyncAPI publishes.
#[test]
fn the_description_of_the_events_is_good_asyncapi() {
    let schema = repository().join("target/web/node_modules/@asyncapi/specs/schemas/3.1.0.json");
    let schema = fs::read_to_string(schema).expect("`make target/web/.ready` installs it");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::options().with_draft(Draft::Draft7).build(&schema).expect("a good schema");
    let complaints = |value| -> Vec<String> {
        validator.iter_errors(value).map(|error| format!("{error} at '{}'", error.instance_path())).collect()
    };
    assert_eq!(complaints(&ASYNCAPI.value), [""; 0]);
    let mut wrong = ASYNCAPI.value.clone();
    wrong["operations"]["websocket.typing"]["action"] = "shout".into();
    assert!(!complaints(&wrong).is_empty(), "the schema lets everything pass");
}

/// All that refers to something, and what it refers to.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(members) => members.iter().for_each(|member| references(member, found)),
        _ => {}
    }
}

#[test]
fn what_is_referred_to_is_there() {
    for document in [&*OPENAPI, &*ASYNCAPI] {
        let mut found = BTreeSet::new();
        references(&document.value, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("nothing is elsewhere");
            assert!(document.value.pointer(pointer).is_some(), "{reference}");
        }
    }
}

/// Schemas with their examples, wherever they are, and where that is.
fn examples<'a>(value: &'a Value, at: &str, found: &mut Vec<(String, &'a Value, &'a Value)>) {
    let Some(members) = value.as_object() else {
        let members = value.as_array().into_iter().flatten().enumerate();
        return members.for_each(|(index, member)| examples(member, &format!("{at}/{index}"), found));
    };
    // OpenAPI: beside a schema. AsyncAPI: beside a payload.
    if let Some(schema) = members.get("schema") {
        found.extend(members.get("example").map(|example| (at.to_owned(), schema, example)));
        let named = members.get("examples").and_then(Value::as_object).into_iter().flatten();
        found.extend(named.map(|(name, example)| (format!("{at}/{name}"), schema, &example["value"])));
    }
    if let Some(payload) = members.get("payload").filter(|_| members.contains_key("summary")) {
        let all = members.get("examples").and_then(Value::as_array).into_iter().flatten();
        found.extend(all.map(|example| (format!("{at}: {}", example["name"]), payload, &example["payload"])));
    }
    for (name, member) in members {
        examples(member, &format!("{at}/{name}"), found);
    }
}

fn bad_examples(document: &Document, least: usize) -> Vec<String> {
    let mut found = Vec::new();
    examples(&document.value, "", &mut found);
    assert!(found.len() >= least, "{} examples", found.len());
    let complaints = found.iter().map(|(at, schema, value)| (at, document.complaints(schema, value)));
    complaints.filter(|(_, wrong)| !wrong.is_empty()).map(|(at, wrong)| format!("{at}: {wrong:?}")).collect()
}

#[test]
fn every_example_is_of_its_schema() {
    assert_eq!(bad_examples(&OPENAPI, 90), [""; 0]);
    assert_eq!(bad_examples(&ASYNCAPI, 35), [""; 0]);
}

#[test]
fn an_example_that_is_not_of_its_schema_is_reported() {
    let mut document = Document { value: OPENAPI.value.clone(), ..*OPENAPI };
    let content =
        &mut document.value["paths"]["/session"]["get"]["responses"]["200"]["content"]["application/json"];
    content["example"]["connected_at"] = "yesterday".into();
    let wrong = bad_examples(&document, 90);
    assert!(wrong.len() == 1 && wrong[0].contains("yesterday"), "{wrong:?}");
}

/// Bodies without an example are files, and documents that describe themselves.
#[test]
fn every_body_has_an_example() {
    let mut without = BTreeSet::new();
    for (path, item) in OPENAPI.value["paths"].as_object().expect("there are paths") {
        for (method, operation) in item.as_object().expect("there are methods") {
            let responses = operation["responses"].as_object().expect("there are responses");
            let bodies = responses.values().chain([&operation["requestBody"]]);
            let contents =
                bodies.filter_map(|body| body["content"].as_object()).flat_map(|content| content.values());
            if contents.clone().any(|content| content.get("example").or(content.get("examples")).is_none()) {
                without.insert(format!("{method} {path}"));
            }
        }
    }
    let files = [
        "get /",
        "get /asyncapi.json",
        "get /client/{path}",
        "get /docs",
        "get /docs/{path}",
        "get /openapi.json",
    ];
    assert_eq!(without, files.map(str::to_owned).into());
    let messages = ASYNCAPI.value["components"]["messages"].as_object().expect("there are messages");
    assert!(
        messages.values().all(|message| message["examples"].as_array().is_some_and(|all| !all.is_empty()))
    );
}

#[test]
fn every_code_is_on_the_page_of_the_interface() {
    let written = crate::docs::page("docs/api.md");
    let codes = OPENAPI.value["components"]["schemas"]["Code"]["enum"].as_array().expect("there are codes");
    assert!(codes.len() > 30);
    let missing: Vec<_> = codes
        .iter()
        .filter(|code| !written.contains(&format!("`{}`", code.as_str().expect("a text"))))
        .collect();
    assert_eq!(missing, [&Value::Null; 0]);
}

/// How many operations there are to be tried.
fn operations() -> usize {
    let paths = OPENAPI.value["paths"].as_object().expect("there are paths");
    paths.values().map(|item| item.as_object().expect("there are methods").len()).sum()
}
