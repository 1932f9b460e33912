//! The transaction that gives messages their ids.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use lobby_domain::auth::Authority;
use lobby_domain::client_id::ClientId;
use lobby_domain::message::{Content, Message, MessageId, Recipient};
use lobby_domain::ports::{Address, Draft, Posted, Rejection};
use lobby_domain::pseudonym::Pseudonym;
use lobby_domain::recipient::Unreached;
use lobby_domain::session::SessionId;
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::UserId;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, Value,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Store;
use super::entities::{client_ids, log_head, messages, sessions};
use super::message_log::{message, no_head};
use super::rows::{Column, Table};
use crate::clock::random_post_key;

/// What is asked of one transaction.
pub(super) struct Batch<'a> {
    pub(super) posts: Vec<KeyedDraft<'a>>,
    pub(super) now: Timestamp,
}

/// A draft, with a key that its row will have and no other: by it a lost outcome is found again.
pub(super) struct KeyedDraft<'a> {
    key: Uuid,
    draft: &'a Draft,
}

/// An answer for each draft.
pub(super) type Outcomes = Vec<Result<Posted, Rejection>>;

impl<'a> Batch<'a> {
    pub(super) fn new(drafts: &'a [Draft], now: Timestamp) -> Self {
        // To ask for randomness for each of hundreds takes longer than to judge them.
        let first = random_post_key().as_u128();
        let keys = (0..).map(|number| Uuid::from_u128(first.wrapping_add(number)));
        let posts = keys.zip(drafts).map(|(key, draft)| KeyedDraft { key, draft }).collect();
        Self { posts, now }
    }
}

/// What the lock on the log's head has shown.
pub(super) struct Locked {
    pub(super) transaction: DatabaseTransaction,
    /// As it was before.
    pub(super) head: log_head::Model,
    /// The time of messages that are posted now.
    timestamp: Timestamp,
}

impl Store {
    /// Locks the log's head, with `ids` given out already: they are given back if they are not needed.
    pub(super) async fn lock_log(&self, ids: usize, now: Timestamp) -> Result<Locked, DbErr> {
        let locked = self.lock_head(ids, now).await?;
        if locked.head.last_id < self.seen() {
            locked.transaction.rollback().await?;
            self.renew_if_shorter().await?;
            return self.lock_head(ids, now).await;
        }
        self.saw(locked.head.last_id);
        Ok(locked)
    }

    /// The same, whatever was seen of the log before.
    pub(super) async fn lock_head(&self, ids: usize, now: Timestamp) -> Result<Locked, DbErr> {
        let transaction = self.begin().await?;
        let ids = i64::try_from(ids).expect("a batch is small");
        let heads = log_head::Entity::update_many()
            .col_expr(log_head::Column::LastId, Expr::col(log_head::Column::LastId).add(ids))
            .col_expr(log_head::Column::LastTimestamp, latest(transaction.get_database_backend(), now))
            .exec_with_returning(&transaction)
            .await?;
        let mut head = heads.into_iter().next().ok_or_else(no_head)?;
        head.last_id -= ids;
        let timestamp = Timestamp::from_millis(head.last_timestamp);
        Ok(Locked { transaction, head, timestamp })
    }

    /// Appends a batch, but for posts that were found to be in the log already. `committing` is set, to the log's last
    /// message before this batch, right before the database is asked to commit: a failure after that leaves the outcome
    /// unknown.
    pub(super) async fn append_once(
        &self,
        batch: &Batch<'_>,
        locked: Locked,
        found: &HashMap<Uuid, Message>,
        committing: &OnceLock<MessageId>,
    ) -> Result<Outcomes, DbErr> {
        let Locked { transaction, head, timestamp } = locked;
        let sessions = self.remembered.look_up(&transaction, &sessions_of(batch)).await?;
        let used = used_client_ids(&transaction, batch).await?;
        let mut judge = Judge { sessions, used, last_id: head.last_id, timestamp, new: Vec::new() };
        let outcomes: Outcomes = batch.posts.iter().map(|post| judge.judge(post, found)).collect();
        if judge.new.is_empty() {
            transaction.rollback().await?;
            return Ok(outcomes);
        }
        let (last_id, new_client_ids) = (judge.last_id, judge.new_client_ids());
        MESSAGES.insert(&transaction, judge.new, message_values).await?;
        CLIENT_IDS.insert(&transaction, new_client_ids, client_id_values).await?;
        let expected = head.last_id + i64::try_from(batch.posts.len()).expect("a batch is small");
        if last_id != expected {
            give_back(&transaction, last_id).await?;
        }
        committing.get_or_init(|| MessageId(head.last_id));
        transaction.commit().await?;
        self.saw(last_id);
        Ok(outcomes)
    }
}

/// The later of the last message's time and now. Nodes that share a database take its time: theirs differ.
fn latest(backend: DbBackend, now: Timestamp) -> Expr {
    if backend == DbBackend::Sqlite {
        return Expr::cust_with_values("MAX(last_timestamp, ?)", [now.as_millis()]);
    }
    Expr::cust("GREATEST(last_timestamp, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT))")
}

async fn give_back(transaction: &DatabaseTransaction, last_id: i64) -> Result<(), DbErr> {
    log_head::Entity::update_many()
        .col_expr(log_head::Column::LastId, Expr::value(last_id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Everybody who sends or is sent something.
fn sessions_of(batch: &Batch<'_>) -> Vec<Uuid> {
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

type Used = HashMap<(Uuid, String), client_ids::Model>;

async fn used_client_ids(transaction: &DatabaseTransaction, batch: &Batch<'_>) -> Result<Used, DbErr> {
    let drafts = batch.posts.iter().map(|post| post.draft);
    let pair =
        |draft: &Draft| Some([draft.sender_session.0.into(), draft.client_id.as_ref()?.as_str().into()]);
    let pairs: Vec<_> = drafts.filter_map(pair).collect();
    let mut used = Used::new();
    for statement in CLIENT_IDS.find(transaction.get_database_backend(), pairs) {
        let rows = client_ids::Entity::find().from_raw_sql(statement).all(transaction).await?;
        used.extend(rows.into_iter().map(|row| ((row.session, row.client_id.clone()), row)));
    }
    Ok(used)
}

/// Decides about one draft after the other.
struct Judge {
    sessions: HashMap<Uuid, Arc<sessions::Model>>,
    used: Used,
    last_id: i64,
    timestamp: Timestamp,
    new: Vec<messages::Model>,
}

impl Judge {
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
        let row = self.row(post, &sender, to.as_deref());
        self.last_id = row.id;
        if let Some(used) = client_id_row(&row, draft) {
            self.used.insert((used.session, used.client_id.clone()), used);
        }
        self.new.push(row.clone());
        Ok(Posted { message: message(row), repeated: false })
    }

    fn first_use(&self, draft: &Draft) -> Option<&client_ids::Model> {
        let client_id = draft.client_id.as_ref()?;
        self.used.get(&(draft.sender_session.0, client_id.as_str().to_owned()))
    }

    fn recipient(&self, draft: &Draft) -> Result<Option<Arc<sessions::Model>>, Rejection> {
        let Some(address) = &draft.to else { return Ok(None) };
        let id = address.session.clone().map_err(Rejection::Unreached)?;
        let unreached = |why: fn(_) -> _| Err(Rejection::Unreached(why(address.addressee.to_string())));
        match self.sessions.get(&id.0) {
            None => unreached(Unreached::Unknown),
            Some(session) if session.ended_at.is_some() => unreached(Unreached::Offline),
            Some(session) if session.claimed || address.is_reached || id == draft.sender_session => {
                Ok(Some(session.clone()))
            }
            Some(_) => unreached(Unreached::Unreachable),
        }
    }

    fn row(
        &self,
        post: &KeyedDraft<'_>,
        sender: &sessions::Model,
        to: Option<&sessions::Model>,
    ) -> messages::Model {
        messages::Model {
            id: self.last_id + 1,
            sender_session: sender.id,
            sender_id: sender.user_id,
            sender: sender.pseudonym.clone(),
            to_session: to.map(|to| to.id),
            to_name: to.map(|to| to.pseudonym.clone()),
            content: post.draft.content.as_str().to_owned(),
            client_id: post.draft.client_id.as_ref().map(|id| id.as_str().to_owned()),
            timestamp: self.timestamp.as_millis(),
            post_key: Some(post.key),
        }
    }

    fn new_client_ids(&self) -> Vec<client_ids::Model> {
        let used =
            |row: &messages::Model| self.used.get(&(row.sender_session, row.client_id.clone()?)).cloned();
        self.new.iter().filter_map(used).collect()
    }
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

fn client_id_row(row: &messages::Model, draft: &Draft) -> Option<client_ids::Model> {
    Some(client_ids::Model {
        session: row.sender_session,
        client_id: row.client_id.clone()?,
        fingerprint: fingerprint(draft),
        message_id: row.id,
        to_session: row.to_session,
        to_name: row.to_name.clone(),
        timestamp: row.timestamp,
    })
}

const MESSAGES: Table<10> = Table {
    name: "messages",
    columns: [
        Column::new("id", "bigint"),
        Column::new("sender_session", "uuid"),
        Column::new("sender_id", "bigint"),
        Column::new("sender", "text"),
        Column::uuid_or_null("to_session"),
        Column::text_or_null("to_name"),
        Column::new("content", "text"),
        Column::text_or_null("client_id"),
        Column::new("timestamp", "bigint"),
        Column::uuid_or_null("post_key"),
    ],
};

fn message_values(row: messages::Model) -> [Value; 10] {
    [
        row.id.into(),
        row.sender_session.into(),
        row.sender_id.into(),
        row.sender.into(),
        row.to_session.into(),
        row.to_name.into(),
        row.content.into(),
        row.client_id.into(),
        row.timestamp.into(),
        row.post_key.into(),
    ]
}

const CLIENT_IDS: Table<7> = Table {
    name: "client_ids",
    columns: [
        Column::new("session", "uuid"),
        Column::new("client_id", "text"),
        Column::new("fingerprint", "bytea"),
        Column::new("message_id", "bigint"),
        Column::uuid_or_null("to_session"),
        Column::text_or_null("to_name"),
        Column::new("timestamp", "bigint"),
    ],
};

fn client_id_values(row: client_ids::Model) -> [Value; 7] {
    [
        row.session.into(),
        row.client_id.into(),
        row.fingerprint.into(),
        row.message_id.into(),
        row.to_session.into(),
        row.to_name.into(),
        row.timestamp.into(),
    ]
}

/// Posts of a batch that are in the log behind a message: the database had committed them.
pub(super) async fn find_posted(
    locked: &Locked,
    batch: &Batch<'_>,
    since: MessageId,
) -> Result<HashMap<Uuid, Message>, DbErr> {
    let keys = batch.posts.iter().map(|post| post.key);
    let rows = messages::Entity::find()
        .filter(messages::Column::Id.gt(since.0))
        .filter(messages::Column::PostKey.is_in(keys))
        .order_by_asc(messages::Column::Id)
        .all(&locked.transaction)
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.post_key?, message(row)))).collect())
}
