//! Deleting what is not to be kept, a few rows at a time.

use lobby_domain::ports::Retention;
use lobby_domain::timestamp::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, QuerySelect, TransactionTrait,
};

use super::entities::{client_ids, log_head, messages};
use super::message_log::no_head;
use super::{LONG_AGO, Store};

impl Store {
    /// Deletes at most `most` messages from the log's beginning; whether there may be more to delete.
    pub(super) async fn try_prune(&self, keep: Retention, most: u32) -> Result<bool, DbErr> {
        // A look first: mostly there is nothing to do, and then nobody has to wait for the lock.
        let looking = self.read.begin().await?;
        let head = log_head::Entity::find_by_id(1).one(&looking).await?.ok_or_else(no_head)?;
        let is_old = end_of_old(&looking, &head, keep, most).await? > head.first_id;
        looking.commit().await?;
        if !is_old {
            return Ok(false);
        }
        let locked = self.lock_log(0, LONG_AGO).await?;
        let (head, transaction) = (&locked.head, &locked.transaction);
        let end = end_of_old(transaction, head, keep, most).await?;
        messages::Entity::delete_many().filter(messages::Column::Id.lt(end)).exec(transaction).await?;
        log_head::Entity::update_many()
            .col_expr(log_head::Column::FirstId, Expr::value(end))
            .exec(transaction)
            .await?;
        let is_full_step = end == head.first_id.saturating_add(most.into());
        locked.transaction.commit().await?;
        Ok(is_full_step)
    }

    /// Forgets at most `most` client ids; whether there may be more to forget.
    pub(super) async fn try_forget_client_ids(&self, before: Timestamp, most: u32) -> Result<bool, DbErr> {
        let keys = [client_ids::Column::Session, client_ids::Column::ClientId];
        let oldest = Query::select()
            .columns(keys)
            .from(client_ids::Entity)
            .and_where(client_ids::Column::Timestamp.lt(before.as_millis()))
            .order_by(client_ids::Column::Timestamp, Order::Asc)
            .limit(most.into())
            .to_owned();
        let deleted = client_ids::Entity::delete_many()
            .filter(Expr::tuple(keys.map(Expr::col)).in_subquery(oldest))
            .exec(&self.writer())
            .await?;
        Ok(deleted.rows_affected >= u64::from(most))
    }
}

/// The first message that stays, if at most `most` go.
async fn end_of_old(
    database: &impl ConnectionTrait,
    head: &log_head::Model,
    keep: Retention,
    most: u32,
) -> Result<i64, DbErr> {
    let furthest = head.first_id.saturating_add(most.into());
    let by_number =
        keep.at_most.map_or(head.first_id, |most| (head.last_id + 1).saturating_sub_unsigned(most));
    // Times follow ids, so the old ones come first, and no more than this step has to be looked through.
    let by_age = match keep.since {
        None => head.first_id,
        Some(since) => {
            let last_old = messages::Entity::find()
                .select_only()
                .column_as(messages::Column::Id.max(), "last_old")
                .filter(messages::Column::Id.between(head.first_id, furthest - 1))
                .filter(messages::Column::Timestamp.lt(since.as_millis()))
                .into_tuple::<Option<i64>>()
                .one(database)
                .await?;
            last_old.flatten().map_or(head.first_id, |last_old| last_old + 1)
        }
    };
    Ok(Ord::max(by_number, by_age).clamp(head.first_id, furthest))
}
