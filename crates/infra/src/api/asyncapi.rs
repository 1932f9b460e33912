//! The events as AsyncAPI 3: the same over Socket.IO and over a plain WebSocket, where each is wrapped in a frame.

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::events::{By, Event, PLAIN_ONLY, answers, arrivals, events, refused, turned_away};
use super::{LICENCE, VERSION, closes};
use crate::realtime::shapes::{Auth, ConnectData, ErrorView, SessionView, TypingData};
use crate::send_message::SendMessage;
use crate::wire::{ChangedView, JoinedView, LeftView, MessageView, PostedView, TypingView};

const ABOUT: &str = "What goes over the lobby's sockets. The events are the same over Socket.IO (protocol 5, at `/socket.io/`, \
    namespace `/`) and over a plain WebSocket (`/ws`), where each is one JSON text frame. REST, which opens sessions, is described \
    by `/openapi.json`. Members that are not described are to be ignored.";

const SOCKETIO: &str = "Each message is an event with one argument, its payload. The answer is the ack's one argument. `auth` is \
    what the client gives its library to connect with, `connect_error` what it gets if it is not let in. With `\"recovery\": true` in \
    `auth` the answer to CONNECT has a `pid` besides the `sid`, and `new_message` a second argument, its place in the log as an opaque \
    text: the library shows both when it comes back.";

const WEBSOCKET: &str = "Each message is one JSON text frame, `{\"event\", \"data\", \"ack\"?}`, and an answer `{\"ack\", \"data\"}` with the \
    `ack` of the question. The first frame is owed within 10 s: it is `connect`, and `session` answers it. How it ends:";

const REFUSED: &str = "Why an event that asked for an ack was refused. `typing` has no other answer.";

#[derive(OpenApi)]
#[openapi(components(schemas(
    Auth, ConnectData, SendMessage, TypingData, SessionView<'_>, MessageView<'_>, JoinedView<'_>, LeftView<'_>, ChangedView<'_>,
    TypingView<'_>, PostedView, ErrorView<'_>,
)))]
struct Shapes;

/// The document.
#[must_use]
pub fn document() -> Value {
    let (mut messages, mut channels, mut operations) = (Map::new(), Map::new(), Map::new());
    for socket in [Socket::SocketIo, Socket::Plain] {
        let mut own = Map::new();
        for message in socket.messages() {
            own.insert(
                message.key.clone(),
                json!({"$ref": format!("#/components/messages/{}", message.key)}),
            );
            operations.extend(message.operation(socket));
            messages.insert(message.key, message.body);
        }
        channels.insert(socket.name().to_owned(), socket.channel(&own));
    }
    json!({
        "asyncapi": "3.1.0",
        "info": {
            "title": "Lobby: events",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": LICENCE},
        },
        "defaultContentType": "application/json",
        "servers": {"lobby": {"host": "127.0.0.1:5000", "protocol": "ws", "description": "An example: where it listens by default. Behind TLS the protocol is `wss`."}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas()},
    })
}

fn schemas() -> Value {
    let mut schemas = json!(Shapes::openapi().components.expect("there are shapes").schemas);
    schemas["Answer"] = json!({"description": "What became of a message.", "oneOf": [reference("Posted"), reference("Refusal")]});
    schemas["TurnedAway"] = json!({
        "description": "Why a Socket.IO client is not let in.",
        "type": "object",
        "required": ["message"],
        "properties": {"message": {"type": "string", "description": "A sentence for people."}, "data": reference("Refusal")},
    });
    schemas
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

#[derive(Debug, Clone, Copy)]
enum Socket {
    SocketIo,
    Plain,
}

/// A message of one kind of socket.
struct Message {
    key: String,
    by: By,
    /// The key of its answer.
    answer: Option<String>,
    body: Value,
}

impl Socket {
    fn name(self) -> &'static str {
        match self {
            Self::SocketIo => "socketio",
            Self::Plain => "websocket",
        }
    }

    fn channel(self, messages: &Map<String, Value>) -> Value {
        let (address, title, description) = match self {
            Self::SocketIo => ("/socket.io/", "Socket.IO", SOCKETIO.to_owned()),
            Self::Plain => ("/ws", "Plain WebSocket", format!("{WEBSOCKET}\n\n{}", closes::table())),
        };
        json!({
            "address": address,
            "title": title,
            "description": description,
            "servers": [{"$ref": "#/servers/lobby"}],
            "messages": messages,
            "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        })
    }

    fn messages(self) -> Vec<Message> {
        let mut messages = self.own();
        messages.extend(events().into_iter().map(|event| self.event(event)));
        messages
    }

    /// What is not the same over both.
    fn own(self) -> Vec<Message> {
        let said = "Says who comes, and where to go on. `session` answers it.";
        match self {
            Self::SocketIo => vec![
                self.bare("auth", By::Client, "Auth", said, arrivals()),
                self.bare("connect_error", By::Server, "TurnedAway", "Why it is not let in.", turned_away()),
                self.bare(
                    "posted",
                    By::Server,
                    "Answer",
                    "What became of a message: the argument of the ack.",
                    answers(),
                ),
                self.bare("refused", By::Server, "Refusal", REFUSED, refused()),
            ],
            Self::Plain => vec![
                self.event(Event {
                    key: "connect",
                    name: "connect",
                    by: By::Client,
                    schema: "Connect",
                    summary: said,
                    owes_data: false,
                    answer: None,
                    examples: arrivals(),
                }),
                self.answer("posted", "Answer", "What became of a message.", answers()),
                self.answer("refused", "Refusal", REFUSED, refused()),
            ],
        }
    }

    fn key(self, key: &str) -> String {
        match self {
            Self::SocketIo => key.to_owned(),
            Self::Plain => format!("frame.{key}"),
        }
    }

    fn bare(
        self,
        name: &str,
        by: By,
        schema: &str,
        summary: &str,
        examples: Vec<(&'static str, Value)>,
    ) -> Message {
        let body = message(name, summary, &reference(schema), examples);
        Message { key: self.key(name), by, answer: None, body }
    }

    fn event(self, event: Event) -> Message {
        let Event { key, name, by, schema, summary, owes_data, answer, mut examples } = event;
        let answer = answer.map(|answer| self.key(answer));
        let body = match self {
            Self::SocketIo => {
                examples.retain(|(title, _)| PLAIN_ONLY.iter().all(|code| *title != code.as_str()));
                message(name, summary, &reference(schema), examples)
            }
            Self::Plain => {
                let wrap = |data: &Value| match &answer {
                    Some(_) => json!({"event": name, "data": data, "ack": 1}),
                    None => json!({"event": name, "data": data}),
                };
                let examples = examples.into_iter().map(|(title, data)| (title, wrap(&data))).collect();
                message(name, summary, &frame(name, by, schema, owes_data), examples)
            }
        };
        Message { key: self.key(key), by, answer, body }
    }

    /// An ack has no event's name.
    fn answer(self, key: &str, schema: &str, summary: &str, examples: Vec<(&'static str, Value)>) -> Message {
        let payload = json!({
            "type": "object",
            "required": ["ack", "data"],
            "properties": {"ack": {"description": "That of the question."}, "data": reference(schema)},
        });
        let examples =
            examples.into_iter().map(|(title, data)| (title, json!({"ack": 1, "data": data}))).collect();
        let body = message("ack", summary, &payload, examples);
        Message { key: self.key(key), by: By::Server, answer: None, body }
    }
}

impl Message {
    /// From the server's side: it receives what clients send.
    fn operation(&self, socket: Socket) -> Option<(String, Value)> {
        // An answer belongs to its question.
        if self.key.ends_with("posted") || self.key.ends_with("refused") {
            return None;
        }
        let action = match self.by {
            By::Client => "receive",
            By::Server => "send",
        };
        let channel = format!("#/channels/{}", socket.name());
        let messages = |key: &str| json!([{"$ref": format!("{channel}/messages/{key}")}]);
        let mut operation = json!({
            "action": action,
            "channel": {"$ref": channel},
            "summary": self.body["summary"],
            "messages": messages(&self.key),
        });
        if let Some(answer) = &self.answer {
            operation["reply"] = json!({"channel": {"$ref": channel}, "messages": messages(answer)});
        }
        let key = self.key.trim_start_matches("frame.");
        Some((format!("{}.{key}", socket.name()), operation))
    }
}

fn message(name: &str, summary: &str, payload: &Value, examples: Vec<(&'static str, Value)>) -> Value {
    let examples: Vec<_> =
        examples.into_iter().map(|(title, payload)| json!({"name": title, "payload": payload})).collect();
    json!({"name": name, "title": name, "summary": summary, "payload": payload, "examples": examples})
}

fn frame(name: &str, by: By, schema: &str, owes_data: bool) -> Value {
    let mut frame = json!({
        "type": "object",
        "required": if owes_data { vec!["event", "data"] } else { vec!["event"] },
        "properties": {"event": {"const": name}, "data": reference(schema)},
    });
    if by == By::Client {
        let what = "Any value but null: it asks for an answer, and comes back with it.";
        frame["properties"]["ack"] = json!({"description": what});
    }
    frame
}
