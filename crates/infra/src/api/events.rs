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
    /// Whether it makes no sense without data.
    pub(super) owes_data: bool,
    /// The key of what answers it where an ack is asked for.
    pub(super) answer: Option<&'static str>,
    pub(super) examples: Vec<(&'static str, Value)>,
}

/// What may become of an event that a client sends.
const REFUSED: [Code; 20] = [
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
    Code::RateLimited,
    Code::TooManyConnections,
    Code::Overloaded,
    Code::Busy,
    Code::Unavailable,
    Code::OutcomeUnknown,
];

/// What comes over `/ws` only, of which Socket.IO has a way of its own to tell.
pub(super) const PLAIN_ONLY: [Code; 2] = [Code::InvalidFrame, Code::TooManyConnections];

/// What may keep a Socket.IO client from coming in.
const TURNED_AWAY: [Code; 9] = [
    Code::InvalidToken,
    Code::TokenRequired,
    Code::InvalidAuth,
    Code::RateLimited,
    Code::TooManyConnections,
    Code::Overloaded,
    Code::Busy,
    Code::Unavailable,
    Code::OutcomeUnknown,
];

const TOO_MANY: &str = "this session has as many connections as it may have";

/// What is too much is another thing for each who is refused.
fn refusal_of(code: Code, told: &[(Code, &str)]) -> Refusal {
    let mut refusal = Refusal::example(code);
    if let Some((_, sentence)) = told.iter().find(|(known, _)| *known == code) {
        (*sentence).clone_into(&mut refusal.detail);
    }
    refusal
}

fn refusal(code: Code) -> Value {
    let told = [
        (Code::RateLimited, "too many messages of this session: the next is taken in 1 s"),
        (Code::TooManyConnections, TOO_MANY),
        (Code::Overloaded, "too many messages: the next is taken in 1 s"),
    ];
    json!(ErrorView::from(&refusal_of(code, &told)))
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
            summary: "Says something, to everybody or to one. In the first two examples the connection showed its token, and Bob is \
                online; in the last one it showed nothing, and Ann has logged in without a claim.",
            owes_data: true,
            answer: Some("posted"),
            examples: vec![
                ("to everybody", json!({"content": "Hello!", "client_id": "c-1"})),
                ("to one", json!({"content": "Only for you.", "to": "Bob"})),
                ("in the name of an unclaimed session", json!({"content": "Hello!", "sender": "Ann"})),
            ],
        },
        Event {
            key: "start_typing",
            name: "typing",
            by: By::Client,
            schema: "StartTyping",
            summary: "Tells that one is about to say something; for everybody, its data may be left out. Has no answer but \
                refusals; at most one a second goes out.",
            owes_data: false,
            answer: Some("refused"),
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
        owes_data: true,
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
            "Why an event that asked for no ack was refused; acks say it in the same words. The connection goes on. \
             Over `/ws` it also says why a `connect` is refused for now, and when to come back, before the close with 1013; `too_many_connections` \
             and `invalid_frame` come there only.",
            REFUSED.iter().map(|code| (code.as_str(), refusal(*code))).collect(),
        ),
    ]
}

/// What answers `send_message`.
pub(super) fn answers() -> Vec<(&'static str, Value)> {
    vec![("stored", examples::posted()), ("refused", refusal(Code::ContentEmpty))]
}

/// What answers an event that has no other answer.
pub(super) fn refused() -> Vec<(&'static str, Value)> {
    vec![("refused", refusal(Code::TokenRequired))]
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
pub(super) fn turned_away() -> Vec<(&'static str, Value)> {
    let example = |code: Code| {
        let told = [
            (Code::RateLimited, "too many new connections of this session: the next is taken in 1 s"),
            (Code::TooManyConnections, TOO_MANY),
            (Code::Overloaded, "too many requests: the next is taken in 1 s"),
        ];
        let refusal = refusal_of(code, &told);
        (code.as_str(), json!({"message": refusal.detail, "data": ErrorView::from(&refusal)}))
    };
    TURNED_AWAY.map(example).into()
}
