//! Events in each wire format, encoded once for all their receivers.

use actix_socketio::Packet;
use lobby_domain::event::Event;
use lobby_domain::session::SessionId;
use lobby_websocket::Frame;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::refusal::Refusal;
use crate::wire::{DepartureView, JoinedView, MessageView};

/// Socket.IO's main namespace, the only one the lobby has.
pub(super) const NAMESPACE: &str = "/";

/// An event, ready to be sent to any number of receivers.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    /// For `/ws`.
    pub(super) plain: Frame,
    /// For Socket.IO.
    pub(super) socketio: Packet,
    /// The session that is over with this event.
    pub(super) ends: Option<SessionId>,
}

impl Encoded {
    /// An event of any name.
    pub(super) fn new(name: &str, data: &impl Serialize) -> Self {
        let data = json(data);
        Self {
            plain: plain_event(name, &data),
            socketio: Packet::event(NAMESPACE, name, &[&data]),
            ends: None,
        }
    }

    /// Something that has happened.
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::NewMessage(message) => Self::new("new_message", &MessageView::from(message)),
            Event::UserJoined { session, revision } => {
                Self::new("user_joined", &JoinedView { user: session.into(), revision: revision.0 })
            }
            Event::UserLeft(departure) => {
                let left = Self::new("user_left", &DepartureView::from(departure));
                Self { ends: Some(departure.session), ..left }
            }
        }
    }
}

/// An event for `/ws`: `{"event", "data"}`.
pub(super) fn plain_event(name: &str, data: &RawValue) -> Frame {
    Frame::text_from(&["{\"event\":\"", name, "\",\"data\":", data.get(), "}"])
}

/// A refusal as acks and `error` events carry it.
#[derive(Debug, Serialize)]
pub(super) struct ErrorView<'a> {
    error: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
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
    use lobby_domain::event::{Departure, DepartureReason, Revision};
    use lobby_domain::message::{Content, Message, MessageId};
    use lobby_domain::session::Session;
    use lobby_domain::testing::name;
    use lobby_domain::timestamp::Timestamp;
    use lobby_domain::user::{User, UserId};
    use uuid::Uuid;

    use super::*;

    const SESSION: SessionId = SessionId(Uuid::from_u128(7));

    fn plain(event: &Event) -> String {
        let encoded = Encoded::of(event);
        String::from_utf8(encoded.plain.payload().to_vec()).expect("UTF-8")
    }

    #[test]
    fn a_message_has_the_shape_of_the_contract() {
        let message = Message {
            id: MessageId(3),
            sender_session: SESSION,
            sender_id: UserId(1),
            sender: name("Zoë"),
            content: Content::parse("say \"hi\"\n<b>").expect("a good content"),
            timestamp: Timestamp::from_millis(1),
        };
        let expected = r#"{"event":"new_message","data":{"id":3,"sender":"Zoë","sender_id":1,"sender_session":"00000000-0000-0000-0000-000000000007","content":"say \"hi\"\n<b>","timestamp":"1970-01-01T00:00:00.001Z"}}"#;
        assert_eq!(plain(&Event::NewMessage(message)), expected);
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
        let joined = Event::UserJoined { session, revision: Revision(4) };
        let expected = r#"{"event":"user_joined","data":{"user":{"id":1,"pseudonym":"Zoë","is_connected":true,"created_at":"1970-01-01T00:00:00.000Z","connected_at":"1970-01-01T00:00:00.001Z","session":"00000000-0000-0000-0000-000000000007"},"revision":4}}"#;
        assert_eq!(plain(&joined), expected);

        let left = Event::UserLeft(Departure {
            session: SESSION,
            user: UserId(1),
            pseudonym: name("Zoë"),
            reason: DepartureReason::Logout,
            revision: Revision(5),
        });
        let expected = r#"{"event":"user_left","data":{"id":1,"pseudonym":"Zoë","session":"00000000-0000-0000-0000-000000000007","reason":"logout","revision":5}}"#;
        assert_eq!(plain(&left), expected);
        assert_eq!(Encoded::of(&left).ends, Some(SESSION));
        assert_eq!(Encoded::of(&joined).ends, None);
    }
}
