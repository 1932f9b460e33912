//! What things look like in JSON, over REST and over sockets alike.

use std::fmt;
use std::marker::PhantomData;

use lobby_domain::client_id::ClientId;
use lobby_domain::event::{Departure, DepartureReason};
use lobby_domain::message::Message;
use lobby_domain::roster::{Batch, Change};
use lobby_domain::session::Session;
use lobby_domain::timestamp::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use utoipa::ToSchema;
use uuid::Uuid;

/// A JSON object with the members of `T`. By itself serde takes an array of their values too.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Somebody who is online.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView<'a> {
    /// The name's number.
    pub id: i64,
    /// The name.
    pub pseudonym: &'a str,
    /// Always true: whoever is listed is connected. The original's clients look at it.
    pub is_connected: bool,
    /// When the name was first used.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the session was opened, or brought back.
    #[schema(format = DateTime)]
    pub connected_at: String,
    /// The session's public id.
    pub session: Uuid,
}

impl<'a> From<&'a Session> for UserView<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            id: session.user.id.0,
            pseudonym: session.pseudonym.as_str(),
            is_connected: true,
            created_at: rfc3339(session.user.created_at),
            connected_at: rfc3339(session.connected_at),
            session: session.id.0,
        }
    }
}

/// `new_message`, and a message over REST.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView<'a> {
    /// Its place in the log, without gaps from 1.
    #[schema(minimum = 1)]
    id: i64,
    /// Who said it.
    sender: &'a str,
    /// The number of the sender's name.
    sender_id: i64,
    /// The sender's session, to which a private answer goes.
    sender_session: Uuid,
    /// What was said.
    content: &'a str,
    /// When it was committed; never before the previous message's.
    #[schema(format = DateTime)]
    timestamp: String,
    /// For whom alone it is, if it is private.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    to: Option<&'a str>,
    /// Their session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    to_session: Option<Uuid>,
    /// What the sender called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_id: Option<&'a str>,
}

impl<'a> From<&'a Message> for MessageView<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            id: message.id.0,
            sender: message.sender.as_str(),
            sender_id: message.sender_id.0,
            sender_session: message.sender_session.0,
            content: message.content.as_str(),
            timestamp: rfc3339(message.timestamp),
            to: message.to.as_ref().map(|to| to.pseudonym.as_str()),
            to_session: message.to.as_ref().map(|to| to.session.0),
            client_id: message.client_id.as_ref().map(ClientId::as_str),
        }
    }
}

/// The answer to `send_message`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Posted)]
pub struct PostedView {
    /// The message's place in the log.
    #[schema(minimum = 1)]
    id: i64,
    /// When it was committed.
    #[schema(format = DateTime)]
    timestamp: String,
}

impl From<&Message> for PostedView {
    fn from(message: &Message) -> Self {
        Self { id: message.id.0, timestamp: rfc3339(message.timestamp) }
    }
}

/// Somebody is about to say something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Typing)]
pub struct TypingView<'a> {
    /// Who.
    pub pseudonym: &'a str,
    /// Their session.
    pub session: Uuid,
    /// For whom alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub to: Option<&'a str>,
}

/// `user_joined`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Joined)]
pub struct JoinedView<'a> {
    /// Who.
    pub user: UserView<'a>,
    /// The list's revision with this change.
    pub revision: i64,
}

/// Who has left, in `user_left` and `users_changed`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Departure)]
pub struct DepartureView<'a> {
    /// The name's number.
    id: i64,
    /// The name.
    pseudonym: &'a str,
    /// The session that is over.
    session: Uuid,
    /// Why it is.
    reason: ReasonView,
}

/// Why a session is over: somebody has logged out, or it ran out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reason)]
#[serde(rename_all = "snake_case")]
enum ReasonView {
    Logout,
    Expired,
}

impl<'a> From<&'a Departure> for DepartureView<'a> {
    fn from(departure: &'a Departure) -> Self {
        Self {
            id: departure.user.0,
            pseudonym: departure.pseudonym.as_str(),
            session: departure.session.0,
            reason: match departure.reason {
                DepartureReason::Logout => ReasonView::Logout,
                DepartureReason::Expired => ReasonView::Expired,
            },
        }
    }
}

/// `user_left`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Left)]
pub struct LeftView<'a> {
    #[serde(flatten)]
    who: DepartureView<'a>,
    /// The list's revision with this change.
    revision: i64,
}

impl<'a> From<&'a Departure> for LeftView<'a> {
    fn from(departure: &'a Departure) -> Self {
        Self { who: departure.into(), revision: departure.revision.0 }
    }
}

/// `users_changed`. Whoever is in both has left and come back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Changed)]
pub struct ChangedView<'a> {
    /// Who has come, after those who have left.
    joined: Vec<UserView<'a>>,
    /// Who has left.
    left: Vec<DepartureView<'a>>,
    /// The list's revision with all this.
    revision: i64,
}

impl<'a> From<&'a Batch> for ChangedView<'a> {
    fn from(batch: &'a Batch) -> Self {
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for change in &batch.changes {
            match change {
                Change::Joined { session, .. } => joined.push(session.into()),
                Change::Left(departure) => left.push(departure.into()),
            }
        }
        Self { joined, left, revision: batch.revision.0 }
    }
}

/// RFC 3339 in UTC, to the millisecond: `2026-11-23T04:31:00.000Z`.
///
/// # Panics
/// For a moment before the year -9999 or after 9999, which no clock that works shows.
#[must_use]
pub fn rfc3339(timestamp: Timestamp) -> String {
    const FORMAT: StaticFormatDescription =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let nanos = i128::from(timestamp.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|moment| moment.format(FORMAT).ok())
        .expect("timestamps are read from the clock, which stays within the years that RFC 3339 has")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_an_object() {
        #[derive(Deserialize)]
        struct Name<'a> {
            name: &'a str,
        }

        let parsed: Object<Name<'_>> =
            serde_json::from_str(r#"{"name": "x", "more": 1}"#).expect("an object");
        assert_eq!(parsed.0.name, "x");
        for other in [r#"["x"]"#, r#""x""#, "7", "null"] {
            let refused = serde_json::from_str::<Object<Name<'_>>>(other).err().expect(other);
            assert!(refused.to_string().contains("expected an object"), "{refused}");
        }
    }

    #[test]
    fn timestamps_are_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(Timestamp::from_millis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp::from_millis(1_795_408_260_007)), "2026-11-23T04:31:00.007Z");
        assert_eq!(rfc3339(Timestamp::from_millis(-1)), "1969-12-31T23:59:59.999Z");
    }
}
