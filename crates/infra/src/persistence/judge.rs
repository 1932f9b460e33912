//! What becomes of each draft of a batch, by what is known of the sessions and of the client ids.

use std::collections::HashMap;
use std::sync::Arc;

use lobby_domain::auth::Authority;
use lobby_domain::client_id::ClientId;
use lobby_domain::message::{Content, Message, MessageId, Recipient};
use lobby_domain::ports::{Address, Draft, Posted, Rejection};
use lobby_domain::pseudonym::Pseudonym;
use lobby_domain::recipient::Unreached;
use lobby_domain::session::SessionId;
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::UserId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::append::{Batch, KeyedDraft, Outcomes};
use super::entities::{client_ids, sessions};
use super::remembered::Sessions;

/// What was posted before by client ids of a batch, by session and client id.
pub(super) type Used = HashMap<(Uuid, String), client_ids::Model>;

/// Decides about one draft after the other.
pub(super) struct Judge {
    sessions: Sessions,
    used: Used,
    pub(super) last_id: i64,
    timestamp: Timestamp,
    outcomes: Outcomes,
    new: Vec<New>,
}

/// A message that is to be put into the log.
struct New {
    /// Its place among the outcomes.
    outcome: usize,
    key: Uuid,
    /// Where it has a client id.
    fingerprint: Option<Vec<u8>>,
}

/// What a message is put into the log with.
pub(super) struct Entry<'a> {
    pub(super) message: &'a Message,
    pub(super) key: Uuid,
    /// Where it has a client id.
    pub(super) fingerprint: Option<&'a [u8]>,
}

impl Judge {
    /// For messages behind `last_id`.
    pub(super) fn new(sessions: Sessions, used: Used, last_id: i64, timestamp: Timestamp) -> Self {
        Self { sessions, used, last_id, timestamp, outcomes: Vec::new(), new: Vec::new() }
    }

    /// But for posts that were found to be in the log already.
    pub(super) fn judge_all(mut self, batch: &Batch<'_>, found: &HashMap<Uuid, Message>) -> Self {
        for post in &batch.posts {
            let outcome = self.judge(post, found);
            self.outcomes.push(outcome);
        }
        self
    }

    /// What it has gone by.
    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(super) fn outcomes(self) -> Outcomes {
        self.outcomes
    }

    /// The outcomes, of messages that were judged to lie behind the log's beginning and lie behind `before`.
    pub(super) fn placed(self, before: i64, timestamp: Timestamp) -> Outcomes {
        let mut outcomes = self.outcomes;
        for posted in outcomes.iter_mut().flatten() {
            posted.message.id.0 += before;
            posted.message.timestamp = timestamp;
        }
        outcomes
    }

    /// Whether a draft repeats what was posted before, or another of the batch.
    pub(super) fn has_repeats(&self) -> bool {
        self.outcomes.iter().flatten().any(|posted| posted.repeated)
    }

    /// How many messages are to be put into the log.
    pub(super) fn count(&self) -> usize {
        self.new.len()
    }

    /// They are, in the order of their ids.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.new.iter().map(|new| {
            let posted = self.outcomes[new.outcome].as_ref().expect("only what is posted is new");
            Entry { message: &posted.message, key: new.key, fingerprint: new.fingerprint.as_deref() }
        })
    }

    fn judge(&mut self, post: &KeyedDraft<'_>, found: &HashMap<Uuid, Message>) -> Result<Posted, Rejection> {
        if let Some(message) = found.get(&post.key) {
            return Ok(Posted { message: message.clone(), repeated: false });
        }
        let draft = post.draft;
        let sender = self.sessions.get(&draft.sender_session.0).filter(|sender| may_speak(draft, sender));
        let sender = sender.cloned().ok_or(Rejection::Silenced)?;
        if let Some(first) = self.first_use(draft) {
            return repeat(first, draft, &sender);
        }
        let to = self.recipient(draft)?;
        self.last_id += 1;
        let message = self.message(draft, &sender, to.as_deref());
        let fingerprint = draft.client_id.is_some().then(|| fingerprint(draft));
        if let Some(used) = fingerprint.as_ref().and_then(|fingerprint| client_id_row(&message, fingerprint))
        {
            self.used.insert((used.session, used.client_id.clone()), used);
        }
        self.new.push(New { outcome: self.outcomes.len(), key: post.key, fingerprint });
        Ok(Posted { message, repeated: false })
    }

    fn first_use(&self, draft: &Draft) -> Option<&client_ids::Model> {
        let client_id = draft.client_id.as_ref()?;
        self.used.get(&(draft.sender_session.0, client_id.as_str().to_owned()))
    }

    fn recipient(&self, draft: &Draft) -> Result<Option<Arc<sessions::Model>>, Rejection> {
        let Some(address) = &draft.to else { return Ok(None) };
        let id = address.session.clone().map_err(Rejection::Unreached)?;
        let Some(session) = self.sessions.get(&id.0) else {
            return Err(Rejection::Unreached(Unreached::Unknown(address.addressee.to_string())));
        };
        let unreached =
            |why: fn(_) -> _| Err(Rejection::Unreached(why(address.addressee.called(&session.pseudonym))));
        match session {
            session if session.ended_at.is_some() => unreached(Unreached::Offline),
            session if session.claimed || address.is_reached || id == draft.sender_session => {
                Ok(Some(session.clone()))
            }
            _ => unreached(Unreached::Unreachable),
        }
    }

    fn message(&self, draft: &Draft, sender: &sessions::Model, to: Option<&sessions::Model>) -> Message {
        Message {
            id: MessageId(self.last_id),
            sender_session: SessionId(sender.id),
            sender_id: UserId(sender.user_id),
            sender: Pseudonym::from_stored(sender.pseudonym.clone()),
            to: to.map(|to| Recipient {
                session: SessionId(to.id),
                pseudonym: Pseudonym::from_stored(to.pseudonym.clone()),
            }),
            content: draft.content.clone(),
            client_id: draft.client_id.clone(),
            timestamp: self.timestamp,
        }
    }
}

/// Everybody who sends or is sent something.
pub(super) fn sessions_of(batch: &Batch<'_>) -> Vec<Uuid> {
    let drafts = batch.posts.iter().map(|post| post.draft);
    let mut ids: Vec<_> = drafts
        .flat_map(|draft| [Some(draft.sender_session), draft.to.as_ref().and_then(meant)])
        .flatten()
        .map(|session| session.0)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn meant(address: &Address) -> Option<SessionId> {
    address.session.as_ref().ok().copied()
}

fn may_speak(draft: &Draft, sender: &sessions::Model) -> bool {
    sender.ended_at.is_none()
        && match draft.authority {
            Authority::Token => true,
            Authority::Name => !sender.claimed,
        }
}

/// The first answer again, made of what the post repeats: its message may be pruned.
fn repeat(first: &client_ids::Model, draft: &Draft, sender: &sessions::Model) -> Result<Posted, Rejection> {
    if first.fingerprint != fingerprint(draft) {
        return Err(Rejection::ClientIdConflict(ClientId::from_stored(first.client_id.clone())));
    }
    let to = first.to_session.zip(first.to_name.clone());
    let message = Message {
        id: MessageId(first.message_id),
        sender_session: SessionId(sender.id),
        sender_id: UserId(sender.user_id),
        sender: Pseudonym::from_stored(sender.pseudonym.clone()),
        to: to.map(|(session, name)| Recipient {
            session: SessionId(session),
            pseudonym: Pseudonym::from_stored(name),
        }),
        content: Content::from_stored(draft.content.as_str().to_owned()),
        client_id: draft.client_id.clone(),
        timestamp: Timestamp::from_millis(first.timestamp),
    };
    Ok(Posted { message, repeated: true })
}

/// What tells a repeat from another post: what is said, and to whom as it was written.
fn fingerprint(draft: &Draft) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(draft.content.as_str());
    if let Some(to) = &draft.to {
        // A byte that no content has: so no content runs into an addressee.
        hash.update([0]);
        hash.update(to.addressee.as_str());
    }
    hash.finalize().to_vec()
}

/// What is kept of a message's client id, if it has one.
pub(super) fn client_id_row(message: &Message, fingerprint: &[u8]) -> Option<client_ids::Model> {
    Some(client_ids::Model {
        session: message.sender_session.0,
        client_id: message.client_id.as_ref()?.as_str().to_owned(),
        fingerprint: fingerprint.to_owned(),
        message_id: message.id.0,
        to_session: message.to.as_ref().map(|to| to.session.0),
        to_name: message.to.as_ref().map(|to| to.pseudonym.as_str().to_owned()),
        timestamp: message.timestamp.as_millis(),
    })
}
