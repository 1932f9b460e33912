//! Events in each wire format, encoded once for all receivers that want it, when the first of them does.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use actix_socketio::Packet;
use lobby_domain::message::{Audience, LogId, Message};
use lobby_domain::roster::{Batch, Change};
use lobby_websocket::Frame;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use super::recovery;
use crate::metrics::receipts::Receipt;
use crate::refusal::{Code, Refusal};
use crate::wire::{ChangedView, JoinedView, LeftView, MessageView};

const NEW_MESSAGE: &str = "new_message";

/// Bytes of a message's JSON besides its content.
const AROUND_CONTENT: usize = 256;

/// Socket.IO's main namespace, the only one the lobby has.
pub(super) const NAMESPACE: &str = "/";

/// An event that can be sent to any number of receivers. It is encoded for the first of each kind: the writer, who announces
/// it, has better things to do, and often there is nobody of that kind.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    /// Clones share what was encoded.
    frames: Arc<Frames>,
    /// Its place in the log, 0 for what has none.
    pub(super) id: i64,
    /// Who may see it.
    pub(super) audience: Audience,
    /// When it came in, if it did so here.
    pub(super) received: Option<Receipt>,
}

#[derive(Debug)]
struct Frames {
    said: Said,
    plain: OnceLock<Frame>,
    socketio: OnceLock<Packet>,
    recoverable: OnceLock<Packet>,
}

/// What an event says.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all events are messages")]
enum Said {
    Message(Message, LogId),
    Other { name: String, data: Box<RawValue> },
}

impl Encoded {
    /// An event of any name, for everybody.
    pub(super) fn new(name: &str, data: &impl Serialize) -> Self {
        Self::of(Said::Other { name: name.to_owned(), data: json(data) }, 0, Audience::Everybody)
    }

    /// A message of a log.
    pub(super) fn message(message: Message, log: LogId) -> Self {
        let (id, audience) = (message.id.0, message.audience());
        Self::of(Said::Message(message, log), id, audience)
    }

    fn of(said: Said, id: i64, audience: Audience) -> Self {
        let frames =
            Frames { said, plain: OnceLock::new(), socketio: OnceLock::new(), recoverable: OnceLock::new() };
        Self { frames: Arc::new(frames), id, audience, received: None }
    }

    /// A change of who is online, and the number of it.
    pub(super) fn change(change: &Change) -> Self {
        match change {
            Change::Joined { session, revision } => {
                Self::new("user_joined", &JoinedView { user: session.into(), revision: revision.0 })
            }
            Change::Left(departure) => Self::new("user_left", &LeftView::from(departure)),
        }
    }

    /// Changes that are told together.
    pub(super) fn batch(batch: &Batch) -> Self {
        Self::new("users_changed", &ChangedView::from(batch))
    }

    /// For `/ws`.
    pub(super) fn plain(&self) -> &Frame {
        let said = &self.frames.said;
        self.frames.plain.get_or_init(|| plain_event(said.name(), &said.data()))
    }

    /// For Socket.IO.
    pub(super) fn socketio(&self) -> &Packet {
        let said = &self.frames.said;
        self.frames.socketio.get_or_init(|| Packet::event(NAMESPACE, said.name(), &[&said.data()]))
    }

    /// For Socket.IO clients that recover: where the event has a place in the log, its id comes last.
    pub(super) fn recoverable(&self) -> &Packet {
        let said = &self.frames.said;
        let Said::Message(message, log) = said else { return self.socketio() };
        self.frames.recoverable.get_or_init(|| {
            let offset = json(&recovery::offset(message.id, *log));
            Packet::event(NAMESPACE, said.name(), &[&said.data(), &offset])
        })
    }

    /// What it takes to keep it, in bytes: what it says, and three frames of about the same length.
    pub(super) fn weight(&self) -> usize {
        4 * self.frames.said.length()
    }
}

impl Said {
    fn name(&self) -> &str {
        match self {
            Self::Message(..) => NEW_MESSAGE,
            Self::Other { name, .. } => name,
        }
    }

    fn data(&self) -> Cow<'_, RawValue> {
        match self {
            Self::Message(message, _) => Cow::Owned(json(&MessageView::from(message))),
            Self::Other { data, .. } => Cow::Borrowed(data),
        }
    }

    /// About how long it is as JSON.
    fn length(&self) -> usize {
        match self {
            Self::Message(message, _) => {
                AROUND_CONTENT + message.content.as_str().bytes().map(escaped).sum::<usize>()
            }
            Self::Other { data, .. } => data.get().len(),
        }
    }
}

/// How many bytes JSON makes of one.
fn escaped(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// An event for `/ws`: `{"event", "data"}`.
pub(super) fn plain_event(name: &str, data: &RawValue) -> Frame {
    Frame::text_from(&["{\"event\":\"", name, "\",\"data\":", data.get(), "}"])
}

/// A refusal as acks and `error` events carry it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refusal)]
pub(crate) struct ErrorView<'a> {
    /// A sentence for people, which may change.
    error: &'a str,
    /// Stable, for programs.
    code: Code,
    /// Seconds after which trying again may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u32>,
}

impl<'a> From<&'a Refusal> for ErrorView<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        Self { error: &refusal.detail, code: refusal.code, retry_after: refusal.retry_after }
    }
}

pub(super) fn json(data: &impl Serialize) -> Box<RawValue> {
    to_raw_value(data).expect("views are structs of texts and numbers, which JSON can always say")
}

#[cfg(test)]
mod tests {
    use lobby_domain::client_id::ClientId;
    use lobby_domain::event::{Departure, DepartureReason, Revision};
    use lobby_domain::message::{Content, MessageId, Recipient};
    use lobby_domain::session::{Session, SessionId};
    use lobby_domain::testing::name;
    use lobby_domain::timestamp::Timestamp;
    use lobby_domain::user::{User, UserId};
    use uuid::Uuid;

    use super::*;

    const LOG: LogId = LogId(Uuid::from_u128(0xa << 96));
    const SESSION: SessionId = SessionId(Uuid::from_u128(7));

    fn plain(encoded: &Encoded) -> String {
        String::from_utf8(encoded.plain().payload().to_vec()).expect("UTF-8")
    }

    fn message() -> Message {
        Message {
            id: MessageId(3),
            sender_session: SESSION,
            sender_id: UserId(1),
            sender: name("Zoë"),
            to: None,
            content: Content::parse("say \"hi\"\n<b>").expect("a good content"),
            client_id: None,
            timestamp: Timestamp::from_millis(1),
        }
    }

    #[test]
    fn a_message_has_the_shape_of_the_contract() {
        let expected = r#"{"event":"new_message","data":{"id":3,"sender":"Zoë","sender_id":1,"sender_session":"00000000-0000-0000-0000-000000000007","content":"say \"hi\"\n<b>","timestamp":"1970-01-01T00:00:00.001Z"}}"#;
        assert_eq!(plain(&Encoded::message(message(), LOG)), expected);
    }

    #[test]
    fn a_private_message_says_to_whom_and_only_those_two_may_see_it() {
        let to = Recipient { session: SessionId(Uuid::from_u128(8)), pseudonym: name("JohnDoe") };
        let client_id = Some(ClientId::parse("c-1").expect("a good client id"));
        let private = Encoded::message(Message { to: Some(to), client_id, ..message() }, LOG);
        let end = r#""to":"JohnDoe","to_session":"00000000-0000-0000-0000-000000000008","client_id":"c-1"}}"#;
        assert!(plain(&private).ends_with(end), "{}", plain(&private));
        let sees = |session| private.audience.includes(session);
        assert!(sees(Some(SESSION)) && sees(Some(SessionId(Uuid::from_u128(8)))));
        assert!(!sees(Some(SessionId(Uuid::from_u128(9)))) && !sees(None));
    }

    #[test]
    fn whoever_recovers_gets_the_place_in_the_log_behind_the_message() {
        let encoded = Encoded::message(message(), LOG);
        let expected = format!("{},\"3@0000000a\"]", encoded.socketio().as_str().trim_end_matches(']'));
        assert_eq!(encoded.recoverable().as_str(), expected);
        let elsewhere = Encoded::new("user_joined", &1);
        assert_eq!(elsewhere.recoverable().as_str(), elsewhere.socketio().as_str());
    }

    #[test]
    fn what_is_encoded_is_shared_with_every_clone() {
        let encoded = Encoded::message(message(), LOG);
        let clone = encoded.clone();
        assert!(std::ptr::eq(encoded.plain().payload(), clone.plain().payload()));
    }

    #[test]
    fn a_message_weighs_about_what_it_takes_whatever_is_said() {
        for text in ["x".repeat(4_000), "\"\\\n".repeat(1_000) + "x", "ë".repeat(4_000), "x".to_owned()] {
            let content = Content::parse(&text).expect("a good content");
            let encoded = Encoded::message(Message { content, ..message() }, LOG);
            let length = encoded.plain().payload().len();
            assert!(
                (3 * length..5 * length + 1_000).contains(&encoded.weight()),
                "{length} {}",
                encoded.weight()
            );
        }
    }

    #[test]
    fn coming_and_going_have_the_shape_of_the_contract() {
        let session = Session {
            id: SESSION,
            user: User { id: UserId(1), created_at: Timestamp::from_millis(0) },
            pseudonym: name("Zoë"),
            connected_at: Timestamp::from_millis(1),
            claimed: true,
        };
        let joined = Change::Joined { session, revision: Revision(4) };
        let expected = r#"{"event":"user_joined","data":{"user":{"id":1,"pseudonym":"Zoë","is_connected":true,"created_at":"1970-01-01T00:00:00.000Z","connected_at":"1970-01-01T00:00:00.001Z","session":"00000000-0000-0000-0000-000000000007"},"revision":4}}"#;
        assert_eq!(plain(&Encoded::change(&joined)), expected);

        let left = Change::Left(Departure {
            session: SESSION,
            user: UserId(1),
            pseudonym: name("Zoë"),
            reason: DepartureReason::Logout,
            revision: Revision(5),
        });
        let expected = r#"{"event":"user_left","data":{"id":1,"pseudonym":"Zoë","session":"00000000-0000-0000-0000-000000000007","reason":"logout","revision":5}}"#;
        assert_eq!(plain(&Encoded::change(&left)), expected);

        let batch = Batch { changes: vec![left, joined], revision: Revision(6) };
        let expected = r#"{"event":"users_changed","data":{"joined":[{"id":1,"pseudonym":"Zoë","is_connected":true,"created_at":"1970-01-01T00:00:00.000Z","connected_at":"1970-01-01T00:00:00.001Z","session":"00000000-0000-0000-0000-000000000007"}],"left":[{"id":1,"pseudonym":"Zoë","session":"00000000-0000-0000-0000-000000000007","reason":"logout"}],"revision":6}}"#;
        assert_eq!(plain(&Encoded::batch(&batch)), expected);
    }
}
