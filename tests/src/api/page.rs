//! `docs/events.md`, made of the description of the events.

use std::fmt::Write;

use serde_json::Value;

use crate::docs::assert_up_to_date;
use crate::harness::contract::ASYNCAPI;

const HEAD: &str = "<!-- Made of docs/asyncapi.json: UPDATE_DOCS=1 makes it anew. -->\n\n# Events\n\n";

/// Events in the order in which one gets to know them; what is missing here fails the test.
const ORDER: [(&str, &[&str]); 3] = [
    ("To come in", &["auth", "frame.connect", "connect_error", "session"]),
    ("From the client", &["send_message", "posted", "start_typing", "refused"]),
    ("From the server", &["new_message", "user_joined", "user_left", "users_changed", "typing", "error"]),
];

fn component(kind: &str, name: &str) -> &'static Value {
    let component = &ASYNCAPI.value["components"][kind][name];
    assert!(component.is_object(), "{name} is not described");
    component
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The name of the schema that a reference leads to.
fn target(schema: &Value) -> Option<&str> {
    schema.get("$ref").map(|reference| text(reference).rsplit('/').next().expect("it has parts"))
}

/// A name as the type of a field.
fn kind(schema: &Value) -> String {
    if let Some(name) = target(schema) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if schema.get("const").is_some() {
        return format!("`{}`", schema["const"]);
    }
    if let Some(all) = schema.get("enum").and_then(Value::as_array) {
        return all.iter().map(|value| format!("`{}`", text(value))).collect::<Vec<_>>().join(", ");
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::String(kind) => kind.clone(),
        _ => "any value".to_owned(),
    };
    match (kinds.as_str(), schema.get("format").map(text)) {
        ("array", _) => format!("array of {}", kind(&schema["items"])),
        (_, Some(format @ ("uuid" | "date-time"))) => kinds.replace("string", format),
        _ => kinds,
    }
}

/// The fields of an object, those of the schemas that it takes in first.
fn fields(schema: &Value, found: &mut String) {
    if let Some(name) = target(schema) {
        return fields(component("schemas", name), found);
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        fields(part, found);
    }
    let required = |name: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|all| all.iter().any(|one| one == name))
    };
    let (owed, free): (Vec<_>, Vec<_>) =
        schema["properties"].as_object().into_iter().flatten().partition(|(name, _)| required(name));
    for (name, field) in owed.into_iter().chain(free) {
        let mark = if required(name) { "" } else { "?" };
        let meaning =
            field.get("description").map_or_else(String::new, |meaning| text(meaning).replace('\n', " "));
        writeln!(found, "| `{name}`{mark} | {} | {meaning} |", kind(field)).expect("a text grows");
    }
}

fn table(schema: &Value) -> String {
    let mut rows = String::new();
    fields(schema, &mut rows);
    if rows.is_empty() { rows } else { format!("\n| field | type | meaning |\n| --- | --- | --- |\n{rows}") }
}

fn event(key: &str, page: &mut String) {
    let message = component("messages", key);
    let payload = &message["payload"];
    // What is in a frame is the event.
    let data = payload.get("properties").map_or(payload, |members| &members["data"]);
    let schema = component("schemas", target(data).expect("each has a schema of its own"));
    let title = if key.starts_with("frame.") { "connect` over `/ws" } else { text(&message["name"]) };
    write!(page, "\n### `{title}`\n\n{}\n", text(&message["summary"])).expect("a text grows");
    match schema.get("oneOf").and_then(Value::as_array) {
        Some(choices) => {
            let choices: Vec<_> = choices.iter().map(kind).collect();
            write!(page, "\nEither {}.\n", choices.join(" or ")).expect("a text grows");
        }
        None => page.push_str(&table(schema)),
    }
    let examples = message["examples"].as_array().expect("there are examples");
    if key == "error" {
        return refusals(page);
    }
    for example in examples {
        let (name, payload) = (text(&example["name"]), &example["payload"]);
        write!(page, "\n{name}:\n\n```json\n{payload:#}\n```\n").expect("a text grows");
    }
}

/// All that may be refused, a line each; over `/ws` that is most.
fn refusals(page: &mut String) {
    page.push_str("\n| `code` | for instance |\n| --- | --- |\n");
    for example in component("messages", "frame.error")["examples"].as_array().expect("there are examples") {
        let payload = &example["payload"]["data"];
        let sentence = text(&payload["error"]).replace('|', "\\|");
        writeln!(page, "| `{}` | {sentence} |", text(&payload["code"])).expect("a text grows");
    }
}

/// Shapes that several events have in common.
fn shapes(page: &mut String) {
    page.push_str("\n## Shapes\n");
    for name in ["User", "Departure", "Reason", "Posted", "Refusal", "Code"] {
        let schema = component("schemas", name);
        let meaning = schema.get("description").map_or("", text);
        write!(page, "\n### {name}\n\n{meaning}\n").expect("a text grows");
        match schema.get("enum") {
            Some(_) => write!(page, "\nOne of {}.\n", kind(schema)).expect("a text grows"),
            None => page.push_str(&table(schema)),
        }
    }
}

#[test]
fn the_page_of_events_is_made_of_their_description() {
    let mut page = HEAD.to_owned() + text(&ASYNCAPI.value["info"]["description"]) + "\n";
    let channels = &ASYNCAPI.value["channels"];
    for channel in ["socketio", "websocket"] {
        let channel = &channels[channel];
        let (title, address) = (text(&channel["title"]), text(&channel["address"]));
        write!(page, "\n**{title}** (`{address}`): {}\n", text(&channel["description"]))
            .expect("a text grows");
    }
    for (part, events) in ORDER {
        write!(page, "\n## {part}\n").expect("a text grows");
        for key in events {
            event(key, &mut page);
        }
    }
    shapes(&mut page);
    let told: Vec<_> = ORDER.iter().flat_map(|(_, events)| *events).collect();
    let messages =
        component("messages", "session").is_object().then_some(&ASYNCAPI.value["components"]["messages"]);
    for key in messages.expect("there are messages").as_object().expect("they have names").keys() {
        let same = key.strip_prefix("frame.").unwrap_or(key);
        assert!(told.iter().any(|told| **told == *key || **told == same), "{key} is not told of");
    }
    assert_up_to_date("docs/events.md", &page);
}
