//! Forgetting sessions whose tokens have had their life.

use lobby_domain::timestamp::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use uuid::Uuid;

use super::batch::padded;
use super::entities::{client_ids, messages, sessions};
use super::outcome::Commits;
use super::sessions::is_alive;
use super::{LONG_AGO, Store};

/// When what ends now has ended: not before those came who are online, nor before what was said last. All that it decides is
/// when it is forgotten, which a wall clock that was set back would have happen at once.
pub(super) async fn time_of_end(database: &impl ConnectionTrait, at: Timestamp) -> Result<Timestamp, DbErr> {
    let (opened_at, id) = (sessions::Column::OpenedAt, messages::Column::Id);
    let living = sessions::Entity::find().filter(is_alive()).order_by_desc(opened_at);
    let messages = messages::Entity::find().order_by_desc(id);
    let came = first(living, opened_at, database).await?;
    let said = first(messages, messages::Column::Timestamp, database).await?;
    Ok(came.into_iter().chain(said).map(Timestamp::from_millis).fold(at, Timestamp::max))
}

async fn first<E: EntityTrait>(
    rows: Select<E>,
    time: E::Column,
    database: &impl ConnectionTrait,
) -> Result<Option<i64>, DbErr> {
    rows.select_only().column(time).into_tuple().one(database).await
}

impl Store {
    /// Forgets at most `most` sessions that were over before a time; whether there may be more.
    pub(super) async fn try_forget(
        &self,
        before: Timestamp,
        most: u32,
        commits: &Commits,
    ) -> Result<bool, DbErr> {
        // A look first: mostly there is nothing to do, and then nobody has to wait for the lock.
        let old = || {
            sessions::Entity::find()
                .filter(sessions::Column::EndedAt.lt(before.as_millis()))
                .order_by_asc(sessions::Column::EndedAt)
                .limit(u64::from(most))
        };
        if old().one(&self.read).await?.is_none() {
            return Ok(false);
        }
        let transaction = self.lock_log(0, LONG_AGO).await?.transaction;
        let ids: Vec<_> = old().all(&transaction).await?.into_iter().map(|row| row.id).collect();
        for ids in padded(&ids) {
            forget_sessions(&transaction, &ids).await?;
        }
        commits.count()?;
        transaction.commit().await?;
        Ok(ids.len() as u64 >= u64::from(most))
    }
}

async fn forget_sessions(transaction: &DatabaseTransaction, ids: &[Uuid]) -> Result<(), DbErr> {
    let ids = || ids.iter().copied();
    sessions::Entity::delete_many().filter(sessions::Column::Id.is_in(ids())).exec(transaction).await?;
    client_ids::Entity::delete_many()
        .filter(client_ids::Column::Session.is_in(ids()))
        .exec(transaction)
        .await?;
    let sides = [
        (messages::Column::ToSession, messages::Column::SenderSession),
        (messages::Column::SenderSession, messages::Column::ToSession),
    ];
    for (side, other) in sides {
        blank(transaction, side.is_in(ids()), other).await?;
    }
    Ok(())
}

/// Private messages that nobody can read any more keep their places, which the order of the log needs, and lose what they
/// said. Whoever had the other side of the conversation keeps it for as long as they are known.
async fn blank(
    transaction: &DatabaseTransaction,
    is_forgotten: Expr,
    other: messages::Column,
) -> Result<(), DbErr> {
    let other_side = Query::select()
        .expr(Expr::value(1))
        .from(sessions::Entity)
        .and_where(Expr::col((sessions::Entity, sessions::Column::Id)).equals((messages::Entity, other)))
        .to_owned();
    messages::Entity::update_many()
        .col_expr(messages::Column::Content, Expr::value(""))
        .col_expr(messages::Column::ClientId, Expr::value(None::<String>))
        .filter(is_forgotten)
        .filter(messages::Column::ToSession.is_not_null())
        .filter(Expr::exists(other_side).not())
        .exec(transaction)
        .await?;
    Ok(())
}
