//! What is stored of a session's being there, and what several transactions do with it.

use std::time::Duration;

use lobby_domain::event::DepartureReason;
use lobby_domain::presence::{End, Limits, Moment, Standing};
use lobby_domain::pseudonym::{Pseudonym, PseudonymKey};
use lobby_domain::roster::Change;
use lobby_domain::session::Session;
use lobby_domain::timestamp::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
};

use super::entities::{attendance, nodes, presence_clock, sessions};
use super::roster_log::{ListLock, next_revision, record_change};
use super::sessions::{Row, has_name, is_alive, living, session};
use lobby_domain::ports::Woken;

/// Presence time, as the last beat made it.
pub(super) async fn presence_now(database: &impl ConnectionTrait) -> Result<Moment, DbErr> {
    let clock = presence_clock::Entity::find_by_id(1).one(database).await?;
    clock.map(|clock| Moment(clock.now)).ok_or_else(no_clock)
}

pub(super) fn no_clock() -> DbErr {
    DbErr::RecordNotFound("presence_clock".to_owned())
}

pub(super) fn standing(row: &sessions::Model) -> Standing {
    let reason = if row.revoked { DepartureReason::Logout } else { DepartureReason::Expired };
    let end = row.ended_at.map(|_| End { reason, held_until: row.held_until.map(Moment) });
    Standing {
        claimed: row.claimed,
        attended: row.attended,
        expires_at: row.expires_at.map(Moment),
        gone_at: row.gone_at.map(Moment),
        end,
    }
}

/// Writes a living session's standing back.
pub(super) async fn keep_standing(
    transaction: &DatabaseTransaction,
    row: &sessions::Model,
    standing: Standing,
) -> Result<(), DbErr> {
    sessions::Entity::update_many()
        .col_expr(sessions::Column::Claimed, Expr::value(standing.claimed))
        .col_expr(sessions::Column::Attended, Expr::value(standing.attended))
        .col_expr(sessions::Column::ExpiresAt, Expr::value(standing.expires_at.map(|at| at.0)))
        .col_expr(sessions::Column::GoneAt, Expr::value(standing.gone_at.map(|at| at.0)))
        .filter(sessions::Column::Id.eq(row.id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Takes the sessions of nodes whose leases have run out for gone since then, and forgets those nodes.
pub(super) async fn settle(
    transaction: &DatabaseTransaction,
    now: Moment,
    limits: &Limits,
) -> Result<(), DbErr> {
    let dead = nodes::Entity::find()
        .filter(nodes::Column::LeaseUntil.lte(now.0))
        // The last lease of a session's nodes is what counts.
        .order_by_asc(nodes::Column::LeaseUntil)
        .all(transaction)
        .await?;
    for node in dead {
        forget_node(transaction, node.id, Moment(node.lease_until), limits).await?;
    }
    Ok(())
}

/// A node serves nothing from `gone` on, and is no node any more.
pub(super) async fn forget_node(
    transaction: &DatabaseTransaction,
    node: uuid::Uuid,
    gone: Moment,
    limits: &Limits,
) -> Result<(), DbErr> {
    let of = |is_it: Expr| -> SelectStatement {
        Query::select()
            .column(attendance::Column::Session)
            .from(attendance::Entity)
            .and_where(is_it)
            .and_where(
                Expr::col((attendance::Entity, attendance::Column::Session))
                    .equals((sessions::Entity, sessions::Column::Id)),
            )
            .to_owned()
    };
    let last_gone = || -> Expr {
        let known = || Expr::col(sessions::Column::GoneAt);
        Expr::case(known().gt(gone.0), known()).finally(gone.0).into()
    };
    let limit: Expr = Expr::case(Expr::col(sessions::Column::Claimed), millis(limits.grace))
        .finally(millis(limits.unclaimed))
        .into();
    let is_served_elsewhere = Expr::exists(of(attendance::Column::Node.ne(node)));
    let expiry = Expr::case(is_served_elsewhere, None::<i64>).finally(last_gone().add(limit));
    sessions::Entity::update_many()
        .col_expr(sessions::Column::GoneAt, last_gone())
        .col_expr(sessions::Column::ExpiresAt, expiry.into())
        .filter(is_alive())
        .filter(Expr::exists(of(attendance::Column::Node.eq(node))))
        .exec(transaction)
        .await?;
    attendance::Entity::delete_many().filter(attendance::Column::Node.eq(node)).exec(transaction).await?;
    nodes::Entity::delete_many().filter(nodes::Column::Id.eq(node)).exec(transaction).await?;
    Ok(())
}

/// As columns of presence time have it.
pub(super) fn millis(time: Duration) -> i64 {
    Moment(0).after(time).0
}

/// For how long yet the name is held by a session that is over, other than `but`.
pub(super) async fn held_for(
    transaction: &DatabaseTransaction,
    key: &PseudonymKey,
    but: Option<uuid::Uuid>,
    now: Moment,
) -> Result<Option<Duration>, DbErr> {
    let holders = sessions::Entity::find()
        .filter(sessions::Column::HeldUntil.gt(now.0))
        .filter(sessions::Column::EndedAt.is_not_null())
        .filter(has_name(std::slice::from_ref(key)))
        .all(transaction)
        .await?;
    let others = holders.iter().filter(|row| Some(row.id) != but);
    Ok(others.filter_map(|row| standing(row).held_for(now)).max())
}

/// Brings a session back that ran out, if it may come back and nobody has or holds its name: which is certain only behind
/// the lock on the list, as whoever opens a session takes no other.
pub(super) async fn bring_back(
    transaction: &DatabaseTransaction,
    _list: ListLock,
    (row, user): Row,
    now: Moment,
    limits: &Limits,
    at: Timestamp,
) -> Result<Option<Woken>, DbErr> {
    let mut standing = standing(&row);
    if !standing.bring_back(now, limits) {
        return Ok(None);
    }
    let key = Pseudonym::from_stored(row.pseudonym.clone()).key().clone();
    let same_name = has_name(std::slice::from_ref(&key));
    if living().filter(same_name).one(transaction).await?.is_some()
        || held_for(transaction, &key, Some(row.id), now).await?.is_some()
    {
        return Ok(None);
    }
    let revision = next_revision(transaction).await?;
    sessions::Entity::update_many()
        .col_expr(sessions::Column::EndedAt, Expr::value(None::<i64>))
        .col_expr(sessions::Column::HeldUntil, Expr::value(None::<i64>))
        .col_expr(sessions::Column::OpenedAt, Expr::value(at.as_millis()))
        .filter(sessions::Column::Id.eq(row.id))
        .exec(transaction)
        .await?;
    keep_standing(transaction, &row, standing).await?;
    let session = Session { connected_at: at, ..session((row, user))? };
    record_change(transaction, &Change::Joined { session: session.clone(), revision }).await?;
    Ok(Some((session, Some(revision))))
}
