//! Hints as JSON: `{"seal":SEAL,"v":1,"from":NODE,"log":LOG,"hint":{…}}`.
//!
//! The seal comes first, and is the signature of all bytes behind the comma that follows it: whoever can publish, but does not
//! have `SECRET_KEY`, is not listened to.
//!
//! | hint | what it says |
//! | --- | --- |
//! | `{"happened":[{"message":{…}},{"joined":{…}},{"left":{…}}]}` | what was committed |
//! | `{"typing":{"from":SESSION,"to"?:SESSION}}` | who is about to say something |
//! | `{"superseded":PID}` | whose client has come back on another connection |
//!
//! Within a version members may be added, which older nodes pass over, and kinds of hints, which they skip. What would be
//! misread by them gets another version, which they skip too. So nodes that are a release apart share a bus.

use lobby_domain::client_id::ClientId;
use lobby_domain::event::{Departure, DepartureReason, Event, Revision};
use lobby_domain::message::{Content, LogId, Message, MessageId, Recipient};
use lobby_domain::ports::{Hint, News};
use lobby_domain::pseudonym::Pseudonym;
use lobby_domain::session::{Session, SessionId};
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::{User, UserId};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::signature::{SEAL_LENGTH, SecretKeys, Signer};

/// What an envelope begins with, and what stands between its seal and what is sealed.
const OPENING: &str = r#"{"seal":""#;
const AFTER_SEAL: &str = r#"","#;

/// The only version there is.
const VERSION: u32 = 1;

/// The most bytes of an envelope; what happened in a large transaction goes into several. Redis would take far more, but
/// whatever is larger than this was not sent by a node.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// Bytes around the events of an envelope, generously.
const AROUND: usize = 256;

/// The most bytes of a name: what 255 characters, the longest that settings allow, can take.
const MAX_NAME_BYTES: usize = 1_024;

/// Seals and opens what one node sends and gets.
pub(super) struct Envelopes {
    from: Uuid,
    /// How everything begins, behind the seal, that this node sends.
    own: String,
    signer: Signer,
}

/// What came over the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opened {
    /// Another node's.
    Hint(Hint),
    /// It is this node's own, which comes back as everybody gets it.
    Own,
    /// Something else: not sealed by a node, of another version, or nothing that a node sends.
    Unknown,
}

#[derive(Serialize, Deserialize)]
struct Envelope<H> {
    v: u32,
    from: Uuid,
    log: Uuid,
    hint: H,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HintView<E> {
    Happened(Vec<E>),
    Typing {
        from: Uuid,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Uuid>,
    },
    Superseded(Uuid),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventView {
    Message(MessageView),
    Joined { session: SessionView, revision: i64 },
    Left(LeftView),
}

#[derive(Serialize, Deserialize)]
struct MessageView {
    id: i64,
    session: Uuid,
    user: i64,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<RecipientView>,
    content: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct RecipientView {
    session: Uuid,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct SessionView {
    id: Uuid,
    user: i64,
    created: i64,
    name: String,
    connected: i64,
    claimed: bool,
}

#[derive(Serialize, Deserialize)]
struct LeftView {
    session: Uuid,
    user: i64,
    name: String,
    reason: ReasonView,
    revision: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReasonView {
    Logout,
    Expired,
}

impl Envelopes {
    /// Those of a node that is told from all others by this, sealed with a key of their own made of the secrets.
    pub(super) fn of(from: Uuid, secrets: &SecretKeys) -> Self {
        let own = format!(r#""v":{VERSION},"from":"{from}","#);
        Self { from, own, signer: Signer::new(secrets, b"lobby bus hint v1") }
    }

    /// A hint as it is sent: in as many envelopes as it takes.
    pub(super) fn seal(&self, hint: &Hint) -> Vec<Vec<u8>> {
        let seal = |view| self.envelope(hint.log, view);
        match &hint.news {
            News::Happened(events) => chunks(events).into_iter().map(HintView::Happened).map(seal).collect(),
            News::Typing { from, to } => {
                vec![seal(HintView::Typing { from: from.0, to: to.map(|to| to.0) })]
            }
            News::Superseded(pid) => vec![seal(HintView::Superseded(Uuid::from_u128(*pid)))],
        }
    }

    fn envelope(&self, log: LogId, hint: HintView<Box<RawValue>>) -> Vec<u8> {
        let envelope = Envelope { v: VERSION, from: self.from, log: log.0, hint };
        let json = serde_json::to_vec(&envelope).expect("texts and numbers, which JSON can always say");
        let sealed = &json["{".len()..];
        [OPENING.as_bytes(), self.signer.seal(sealed).as_bytes(), AFTER_SEAL.as_bytes(), sealed].concat()
    }

    /// What came.
    pub(super) fn open(&self, bytes: &[u8]) -> Opened {
        let Some((seal, sealed)) = parts(bytes) else { return Opened::Unknown };
        // Whoever pretends to be this node is not listened to either way.
        if sealed.starts_with(self.own.as_bytes()) {
            return Opened::Own;
        }
        if !self.signer.is_sealed(sealed, seal) {
            return Opened::Unknown;
        }
        let envelope: Option<Envelope<HintView<EventView>>> = serde_json::from_slice(bytes).ok();
        let hint = envelope.filter(|envelope| envelope.v == VERSION).and_then(hint_of);
        hint.map_or(Opened::Unknown, Opened::Hint)
    }
}

/// The seal of an envelope that is not too large, and what it seals.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let bytes = Some(bytes).filter(|bytes| bytes.len() <= MAX_BYTES)?;
    let (seal, rest) = bytes.strip_prefix(OPENING.as_bytes())?.split_at_checked(SEAL_LENGTH)?;
    Some((seal, rest.strip_prefix(AFTER_SEAL.as_bytes())?))
}

/// Events as JSON, in parts that fit into an envelope each.
fn chunks(events: &[Event]) -> Vec<Vec<Box<RawValue>>> {
    let (mut chunks, mut chunk, mut room) = (Vec::new(), Vec::new(), MAX_BYTES - AROUND);
    for event in events {
        let event = to_raw_value(&EventView::from(event)).expect("texts, numbers and booleans");
        let size = event.get().len() + 1;
        if size > room && !chunk.is_empty() {
            chunks.push(std::mem::take(&mut chunk));
            room = MAX_BYTES - AROUND;
        }
        room = room.saturating_sub(size);
        chunk.push(event);
    }
    chunks.push(chunk);
    chunks
}

fn hint_of(envelope: Envelope<HintView<EventView>>) -> Option<Hint> {
    let news = match envelope.hint {
        HintView::Happened(events) => {
            News::Happened(events.into_iter().map(EventView::parse).collect::<Option<_>>()?)
        }
        HintView::Typing { from, to } => News::Typing { from: SessionId(from), to: to.map(SessionId) },
        HintView::Superseded(pid) => News::Superseded(pid.as_u128()),
    };
    Some(Hint { log: LogId(envelope.log), news })
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        match event {
            Event::NewMessage(message) => Self::Message(message.into()),
            Event::UserJoined { session, revision } => {
                Self::Joined { session: session.into(), revision: revision.0 }
            }
            Event::UserLeft(departure) => Self::Left(departure.into()),
        }
    }
}

impl EventView {
    fn parse(self) -> Option<Event> {
        match self {
            Self::Message(view) => view.parse().map(Event::NewMessage),
            Self::Joined { session, revision } => {
                Some(Event::UserJoined { session: session.parse()?, revision: Revision(revision) })
            }
            Self::Left(view) => view.parse().map(Event::UserLeft),
        }
    }
}

impl From<&Message> for MessageView {
    fn from(message: &Message) -> Self {
        Self {
            id: message.id.0,
            session: message.sender_session.0,
            user: message.sender_id.0,
            name: message.sender.as_str().to_owned(),
            to: message.to.as_ref().map(RecipientView::from),
            content: message.content.as_str().to_owned(),
            client_id: message.client_id.as_ref().map(|id| id.as_str().to_owned()),
            at: message.timestamp.as_millis(),
        }
    }
}

impl MessageView {
    fn parse(self) -> Option<Message> {
        Some(Message {
            id: MessageId(self.id),
            sender_session: SessionId(self.session),
            sender_id: UserId(self.user),
            sender: name(self.name)?,
            to: match self.to {
                Some(to) => Some(to.parse()?),
                None => None,
            },
            content: Content::parse(&self.content).ok()?,
            client_id: self.client_id.map(|id| ClientId::parse(&id)).transpose().ok()?,
            timestamp: moment(self.at)?,
        })
    }
}

impl From<&Recipient> for RecipientView {
    fn from(to: &Recipient) -> Self {
        Self { session: to.session.0, name: to.pseudonym.as_str().to_owned() }
    }
}

impl RecipientView {
    fn parse(self) -> Option<Recipient> {
        Some(Recipient { session: SessionId(self.session), pseudonym: name(self.name)? })
    }
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.0,
            user: session.user.id.0,
            created: session.user.created_at.as_millis(),
            name: session.pseudonym.as_str().to_owned(),
            connected: session.connected_at.as_millis(),
            claimed: session.claimed,
        }
    }
}

impl SessionView {
    fn parse(self) -> Option<Session> {
        Some(Session {
            id: SessionId(self.id),
            user: User { id: UserId(self.user), created_at: moment(self.created)? },
            pseudonym: name(self.name)?,
            connected_at: moment(self.connected)?,
            claimed: self.claimed,
        })
    }
}

impl From<&Departure> for LeftView {
    fn from(departure: &Departure) -> Self {
        Self {
            session: departure.session.0,
            user: departure.user.0,
            name: departure.pseudonym.as_str().to_owned(),
            reason: match departure.reason {
                DepartureReason::Logout => ReasonView::Logout,
                DepartureReason::Expired => ReasonView::Expired,
            },
            revision: departure.revision.0,
        }
    }
}

impl LeftView {
    fn parse(self) -> Option<Departure> {
        Some(Departure {
            session: SessionId(self.session),
            user: UserId(self.user),
            pseudonym: name(self.name)?,
            reason: match self.reason {
                ReasonView::Logout => DepartureReason::Logout,
                ReasonView::Expired => DepartureReason::Expired,
            },
            revision: Revision(self.revision),
        })
    }
}

/// Other nodes send parsed names only. Making the key of a text that is none could take long.
fn name(text: String) -> Option<Pseudonym> {
    (1..=MAX_NAME_BYTES).contains(&text.len()).then(|| Pseudonym::from_stored(text))
}

/// A moment of the years 1 to 9999, which can be told in RFC 3339.
fn moment(millis: i64) -> Option<Timestamp> {
    const FIRST: i64 = -62_135_596_800_000;
    const LAST: i64 = 253_402_300_799_999;
    (FIRST..=LAST).contains(&millis).then(|| Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests;
