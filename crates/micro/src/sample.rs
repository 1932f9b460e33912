//! Messages as people send them.

use lobby_domain::client_id::ClientId;
use lobby_domain::message::{Content, LogId, MAX_CONTENT_CHARS, Message, MessageId};
use lobby_domain::session::SessionId;
use lobby_domain::testing::name;
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::UserId;
use uuid::Uuid;

pub(crate) const LOG: LogId = LogId(Uuid::from_u128(0xa << 96));
pub(crate) const SESSION: SessionId = SessionId(Uuid::from_u128(7));

/// What is said in a line, and the most that may be said, in bytes.
pub(crate) const LENGTHS: [usize; 2] = [128, MAX_CONTENT_CHARS];

/// What clients call their messages: most take a UUID.
pub(crate) const CLIENT_ID: &str = "0193f0c4-5a1e-7c3a-9a55-2f6b8f0a4c11";

/// Words, a quotation and a line break among them.
pub(crate) fn text(length: usize) -> String {
    let words = "She said \"hello\" to everybody,\nand then some more of what people say all day. ";
    let mut text: String = words.chars().cycle().take(length - 1).collect();
    text.push('.');
    text
}

/// A public message with a place in the log.
pub(crate) fn message(id: i64, length: usize) -> Message {
    Message {
        id: MessageId(id),
        sender_session: SESSION,
        sender_id: UserId(1),
        sender: name("JohnDoe"),
        to: None,
        content: Content::parse(&text(length)).expect("it may be said"),
        client_id: Some(ClientId::parse(CLIENT_ID).expect("a UUID will do")),
        timestamp: Timestamp::from_millis(1_795_408_260_007),
    }
}
