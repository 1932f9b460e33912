//! The events, in words, with their shapes and examples.

use serde_json::{Value, json};

use super::examples::{self, LOG, TOKEN};
use crate::realtime::shapes::ErrorView;
use crate::refusal::{Code, Refusal};

/// Who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Client,
    Server,
}

/// What is sent over sockets.
pub(super) struct Event {
    /// What tells it apart from all others in the document.
    pub(super) key: &'static str,
    /// What it is called on the wire.
    pub(super) name: &'static str,
    pub(super) by: By,
    /// The name of its data's schema.
    pub(super) schema: &'static str,
    pub(super) summary: &'static str,
    /// The key of what answers it where an ack is asked for.
    pub(super) answer: Option<&'static str>,
    pub(super) examples: Vec<(&'static str, Value)>,
}

/// What may become of an event that a client sends.
const REFUSED: [Code; 17] = [
    Code::InvalidPayload,
    Code::InvalidFrame,
    Code::UnknownEvent,
    Code::ContentEmpty,
    Code::ContentTooLong,
    Code::ContentControlCharacter,
    Code::InvalidClientId,
    Code::ClientIdConflict,
    Code::TokenRequired,
    Code::NotYourSession,
    Code::NotConnected,
    Code::UnknownRecipient,
    Code::RecipientOffline,
    Code::RecipientUnreachable,
    Code::Busy,
    Code::Unavailable,
    Code::OutcomeUnknown,
];

fn refusal(code: Code) -> Value {
    json!(ErrorView::from(&Refusal::example(code)))
}

/// Events that are the same over both kinds of socket.
pub(super) fn events() -> Vec<Event> {
    from_client().into_iter().chain(from_server()).collect()
}

fn from_client() -> [Event; 2] {
    [
        Event {
            key: "send_message",
            name: "send_message",
            by: By::Client,
            schema: "SendMessage",
            summary: "Says something, to everybody or to one.",
            answer: Some("posted"),
            examples: vec![
                ("to everybody", json!({"content": "Hello!", "client_id": "c-1"})),
                ("to one", json!({"content": "Only for you.", "to": "Bob"})),
                ("in the name of an unclaimed session", json!({"content": "Hello!", "sender": "JohnDoe"})),
            ],
        },
        Event {
            key: "start_typing",
            name: "typing",
            by: By::Client,
            schema: "StartTyping",
            summary: "Tells that one is about to say something. Has no answer but refusals; at most one a second goes out.",
            answer: None,
            examples: vec![("to everybody", json!({})), ("to one", json!({"to": "Bob"}))],
        },
    ]
}

fn from_server() -> Vec<Event> {
    let event = |name, schema, summary, examples| Event {
        key: name,
        name,
        by: By::Server,
        schema,
        summary,
        answer: None,
        examples,
    };
    vec![
        event(
            "session",
            "Session",
            "First of all, and mostly once: who you are, who is online, and where the log stands.",
            vec![("Bob's", examples::bobs_session()), ("nobody's", examples::nobodys_session())],
        ),
        event(
            "new_message",
            "Message",
            "Somebody said something: to whoever may see it, the sender included, in the order of the ids and each once.",
            vec![("to everybody", examples::message()), ("to one", examples::private_message())],
        ),
        event("user_joined", "Joined", "Somebody is online.", vec![("Bob", examples::joined())]),
        event("user_left", "Left", "Somebody is not online any more.", vec![("JohnDoe", examples::left())]),
        event(
            "users_changed",
            "Changed",
            "Who came and who went, in place of `user_joined` and `user_left` for those who asked for `batch`. \
             Whoever is in both has left and come back.",
            vec![("both", examples::changed())],
        ),
        event(
            "typing",
            "Typing",
            "Somebody is about to say something. There is no event for the end: it is over after some seconds, or with the message.",
            vec![("to everybody", examples::typing())],
        ),
        event(
            "error",
            "Refusal",
            "Why an event that asked for no ack was refused; acks say it in the same words. The connection goes on.",
            REFUSED.iter().map(|code| (code.as_str(), refusal(*code))).collect(),
        ),
    ]
}

/// What answers `send_message`.
pub(super) fn answers() -> Vec<(&'static str, Value)> {
    vec![("stored", examples::posted()), ("refused", refusal(Code::ContentEmpty))]
}

/// What a client says of itself when it comes, over either kind of socket.
pub(super) fn arrivals() -> Vec<(&'static str, Value)> {
    vec![
        ("nobody in particular", json!({})),
        ("with a token", json!({"token": TOKEN})),
        ("coming back", json!({"token": TOKEN, "log": LOG, "after": 1})),
    ]
}

/// Why a Socket.IO client is not let in.
pub(super) fn turned_away() -> Value {
    let refusal = Refusal::example(Code::InvalidToken);
    json!({"message": refusal.detail, "data": ErrorView::from(&refusal)})
}
