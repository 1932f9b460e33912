use std::collections::HashMap;

use async_trait::async_trait;
use lobby_domain::auth::Authority;
use lobby_domain::message::{LogId, Message, MessageId};
use lobby_domain::ports::{Draft, LogHead, MessageLog, Unavailable};
use lobby_domain::pseudonym::Pseudonym;
use lobby_domain::session::SessionId;
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::UserId;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, TransactionTrait};
use uuid::Uuid;

use super::entities::{log_head, messages, sessions};
use super::{Store, unavailable};

#[async_trait]
impl MessageLog for Store {
    async fn append(&self, drafts: Vec<Draft>, now: Timestamp) -> Result<Vec<Option<Message>>, Unavailable> {
        self.try_append(drafts, now).await.map_err(unavailable)
    }

    async fn head(&self) -> Result<LogHead, Unavailable> {
        let head = log_head::Entity::find_by_id(1).one(&self.read).await.map_err(unavailable)?;
        let head = head.ok_or_else(no_head).map_err(unavailable)?;
        Ok(LogHead { log: LogId(head.log), last_id: MessageId(head.last_id) })
    }
}

impl Store {
    async fn try_append(&self, drafts: Vec<Draft>, now: Timestamp) -> Result<Vec<Option<Message>>, DbErr> {
        let transaction = self.write.begin().await?;
        let head = lock_head(&transaction).await?;
        let senders = living_senders(&transaction, &drafts).await?;
        let timestamp = now.max(Timestamp::from_millis(head.last_timestamp));
        let mut last_id = head.last_id;
        let appended: Vec<_> = drafts
            .into_iter()
            .map(|draft| {
                let sender =
                    senders.get(&draft.sender_session.0).filter(|sender| may_speak(&draft, sender))?;
                last_id += 1;
                Some(message(MessageId(last_id), draft, sender, timestamp))
            })
            .collect();
        if last_id == head.last_id {
            transaction.rollback().await?;
            return Ok(appended);
        }
        messages::Entity::insert_many(appended.iter().flatten().map(row))
            .exec_without_returning(&transaction)
            .await?;
        move_head(&transaction, last_id, timestamp).await?;
        transaction.commit().await?;
        Ok(appended)
    }
}

/// An update that changes nothing but takes the row's lock, which no other transaction has until this one
/// ends.
async fn lock_head(transaction: &DatabaseTransaction) -> Result<log_head::Model, DbErr> {
    let heads = log_head::Entity::update_many()
        .col_expr(log_head::Column::LastId, Expr::col(log_head::Column::LastId))
        .exec_with_returning(transaction)
        .await?;
    heads.into_iter().next().ok_or_else(no_head)
}

async fn move_head(
    transaction: &DatabaseTransaction,
    last_id: i64,
    timestamp: Timestamp,
) -> Result<(), DbErr> {
    log_head::Entity::update_many()
        .col_expr(log_head::Column::LastId, Expr::value(last_id))
        .col_expr(log_head::Column::LastTimestamp, Expr::value(timestamp.as_millis()))
        .exec(transaction)
        .await?;
    Ok(())
}

/// The senders whose sessions are alive, seen under the lock.
async fn living_senders(
    transaction: &DatabaseTransaction,
    drafts: &[Draft],
) -> Result<HashMap<Uuid, sessions::Model>, DbErr> {
    let mut ids: Vec<_> = drafts.iter().map(|draft| draft.sender_session.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let living = sessions::Entity::find()
        .filter(sessions::Column::Id.is_in(ids))
        .filter(sessions::Column::EndedAt.is_null())
        .all(transaction)
        .await?;
    Ok(living.into_iter().map(|session| (session.id, session)).collect())
}

fn may_speak(draft: &Draft, sender: &sessions::Model) -> bool {
    match draft.authority {
        Authority::Token => true,
        Authority::Name => !sender.claimed,
    }
}

fn message(id: MessageId, draft: Draft, sender: &sessions::Model, timestamp: Timestamp) -> Message {
    Message {
        id,
        sender_session: SessionId(sender.id),
        sender_id: UserId(sender.user_id),
        sender: Pseudonym::from_stored(sender.pseudonym.clone()),
        content: draft.content,
        timestamp,
    }
}

fn row(message: &Message) -> messages::ActiveModel {
    messages::Model {
        id: message.id.0,
        sender_session: message.sender_session.0,
        sender_id: message.sender_id.0,
        sender: message.sender.as_str().to_owned(),
        content: message.content.as_str().to_owned(),
        timestamp: message.timestamp.as_millis(),
    }
    .into()
}

fn no_head() -> DbErr {
    DbErr::RecordNotFound("log_head".to_owned())
}
