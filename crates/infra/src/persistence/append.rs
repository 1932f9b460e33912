//! The transaction that gives messages their ids.

use std::collections::HashMap;

use lobby_domain::message::{Message, MessageId};
use lobby_domain::ports::{Draft, Posted, Rejection};
use lobby_domain::timestamp::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, Value,
};
use uuid::Uuid;

use super::Store;
use super::entities::{client_ids, log_head, messages};
use super::judge::{Entry, Judge, Used, client_id_row, sessions_of};
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
    pub(super) key: Uuid,
    pub(super) draft: &'a Draft,
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
        committing: &mut Option<MessageId>,
    ) -> Result<Outcomes, DbErr> {
        let Locked { transaction, head, timestamp } = locked;
        let sessions = self.remembered.look_up(&transaction, &sessions_of(batch)).await?;
        let used = used_client_ids(&transaction, batch).await?;
        let judge = Judge::new(sessions, used, head.last_id, timestamp).judge_all(batch, found);
        if judge.count() == 0 {
            transaction.rollback().await?;
            return Ok(judge.outcomes());
        }
        let last_id = judge.last_id;
        let rows = judge.entries().map(|entry| message_row(&entry)).collect();
        let client_ids = judge.entries().filter_map(|entry| client_id_row(entry.message, entry.fingerprint?));
        MESSAGES.insert(&transaction, rows, message_values).await?;
        CLIENT_IDS.insert(&transaction, client_ids.collect(), client_id_values).await?;
        let expected = head.last_id + i64::try_from(batch.posts.len()).expect("a batch is small");
        if last_id != expected {
            give_back(&transaction, last_id).await?;
        }
        *committing = Some(MessageId(head.last_id));
        transaction.commit().await?;
        self.saw(last_id);
        Ok(judge.outcomes())
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

fn message_row(entry: &Entry<'_>) -> messages::Model {
    let message = entry.message;
    messages::Model {
        id: message.id.0,
        sender_session: message.sender_session.0,
        sender_id: message.sender_id.0,
        sender: message.sender.as_str().to_owned(),
        to_session: message.to.as_ref().map(|to| to.session.0),
        to_name: message.to.as_ref().map(|to| to.pseudonym.as_str().to_owned()),
        content: message.content.as_str().to_owned(),
        client_id: message.client_id.as_ref().map(|id| id.as_str().to_owned()),
        timestamp: message.timestamp.as_millis(),
        post_key: Some(entry.key),
    }
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
