//! Recording which sessions a node serves, many in one transaction.

use std::collections::HashMap;

use lobby_domain::ports::{Attended, Woken};
use lobby_domain::presence::{Limits, Moment, NodeId};
use lobby_domain::session::SessionId;
use lobby_domain::timestamp::Timestamp;
use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter, Statement,
    Value,
};
use uuid::Uuid;

use super::batch::padded;
use super::entities::{attendance, nodes, sessions, users};
use super::outcome::Commits;
use super::roster_log::lock_list;
use super::sessions::{Row, session};
use super::standing::{bring_back, millis, presence_now, settle};
use super::{LONG_AGO, Store};

/// The lease of a node has run out.
pub(super) struct LeaseLost;

impl Store {
    pub(super) async fn try_attend(
        &self,
        node: NodeId,
        arrivals: &[SessionId],
        departures: &[(SessionId, Moment)],
        at: Timestamp,
        commits: &Commits,
    ) -> Result<Result<Vec<Attended>, LeaseLost>, DbErr> {
        let transaction = self.lock_log(0, LONG_AGO).await?.transaction;
        let now = presence_now(&transaction).await?;
        if !has_lease(&transaction, node, now).await? {
            transaction.rollback().await?;
            return Ok(Err(LeaseLost));
        }
        settle(&transaction, now, self.limits()).await?;
        self.depart(&transaction, node, departures).await?;
        let attended = self.arrive(&transaction, node, arrivals, now, at).await?;
        commits.count()?;
        transaction.commit().await?;
        Ok(Ok(attended))
    }

    async fn depart(
        &self,
        transaction: &DatabaseTransaction,
        node: NodeId,
        departures: &[(SessionId, Moment)],
    ) -> Result<(), DbErr> {
        let backend = transaction.get_database_backend();
        for departures in padded(departures) {
            transaction.execute_raw(depart_at(backend, node, &departures, self.limits())).await?;
            attendance::Entity::delete_many()
                .filter(attendance::Column::Node.eq(node.0))
                .filter(attendance::Column::Session.is_in(departures.iter().map(|(id, _)| id.0)))
                .exec(transaction)
                .await?;
        }
        Ok(())
    }

    async fn arrive(
        &self,
        transaction: &DatabaseTransaction,
        node: NodeId,
        arrivals: &[SessionId],
        now: Moment,
        at: Timestamp,
    ) -> Result<Vec<Attended>, DbErr> {
        let mut rows = rows_of(transaction, arrivals).await?;
        let mut attended = Vec::with_capacity(arrivals.len());
        let mut locked = None;
        for id in arrivals {
            attended.push(match rows.remove(id) {
                None => Attended::Over,
                Some(row) if row.0.ended_at.is_none() => Attended::Living(session(row)?),
                Some(row) => {
                    // Once a round, and only where it is needed: whoever logs in waits for it.
                    let list = match locked {
                        Some(list) => list,
                        None => lock_list(transaction).await?,
                    };
                    locked = Some(list);
                    attended_of(bring_back(transaction, list, row, now, self.limits(), at).await?)
                }
            });
        }
        let served: Vec<_> =
            attended.iter().filter_map(Attended::session).map(|session| session.id).collect();
        for served in padded(&served) {
            serve(transaction, node, &served).await?;
        }
        Ok(attended)
    }
}

fn attended_of(back: Option<Woken>) -> Attended {
    match back {
        Some((session, Some(revision))) => Attended::BroughtBack(session, revision),
        Some((session, None)) => Attended::Living(session),
        None => Attended::Over,
    }
}

pub(super) async fn has_lease(
    transaction: &DatabaseTransaction,
    node: NodeId,
    now: Moment,
) -> Result<bool, DbErr> {
    let row = nodes::Entity::find_by_id(node.0).one(transaction).await?;
    Ok(row.is_some_and(|row| row.lease_until > now.0))
}

async fn rows_of(
    transaction: &DatabaseTransaction,
    ids: &[SessionId],
) -> Result<HashMap<SessionId, Row>, DbErr> {
    let mut found = HashMap::with_capacity(ids.len());
    for ids in padded(ids) {
        let rows = sessions::Entity::find()
            .find_also_related(users::Entity)
            .filter(sessions::Column::Id.is_in(ids.iter().map(|id| id.0)))
            .all(transaction)
            .await?;
        found.extend(rows.into_iter().map(|row| (SessionId(row.0.id), row)));
    }
    Ok(found)
}

async fn serve(transaction: &DatabaseTransaction, node: NodeId, ids: &[SessionId]) -> Result<(), DbErr> {
    let mut rows = Query::insert();
    rows.into_table(attendance::Entity).columns([attendance::Column::Node, attendance::Column::Session]);
    for id in ids {
        rows.values_panic([node.0.into(), id.0.into()]);
    }
    rows.on_conflict(OnConflict::new().do_nothing().to_owned());
    transaction.execute(&rows).await?;
    sessions::Entity::update_many()
        .col_expr(sessions::Column::Attended, Expr::value(true))
        .col_expr(sessions::Column::ExpiresAt, Expr::value(None::<i64>))
        .filter(sessions::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Notes when sessions went that a node has served until now, and what is left to them if nobody else does.
fn depart_at(
    backend: DbBackend,
    node: NodeId,
    departures: &[(SessionId, Moment)],
    limits: &Limits,
) -> Statement {
    const LAST_GONE: &str = "CASE WHEN gone_at > gone.at THEN gone_at ELSE gone.at END";
    let is_postgres = backend == DbBackend::Postgres;
    let (rows, from) = if is_postgres {
        (String::new(), "UNNEST($1::uuid[], $2::bigint[]) AS gone(session, at)")
    } else {
        let rows = vec!["(?,?)"; departures.len()].join(",");
        (format!("WITH gone(session, at) AS (VALUES {rows}) "), "gone")
    };
    let [node_is, grace, unclaimed, node_is_not] =
        if is_postgres { ["$3", "$4::bigint", "$5::bigint", "$6"] } else { ["?"; 4] };
    let text = format!(
        "{rows}UPDATE sessions SET gone_at = {LAST_GONE}, expires_at = CASE WHEN EXISTS \
         (SELECT 1 FROM attendance WHERE session = sessions.id AND node <> {node_is}) THEN NULL \
         ELSE {LAST_GONE} + CASE WHEN claimed THEN {grace} ELSE {unclaimed} END END \
         FROM {from} WHERE sessions.id = gone.session AND ended_at IS NULL AND EXISTS \
         (SELECT 1 FROM attendance WHERE session = sessions.id AND node = {node_is_not})"
    );
    let last = [node.0.into(), millis(limits.grace).into(), millis(limits.unclaimed).into(), node.0.into()];
    if is_postgres {
        let ids: Vec<Uuid> = departures.iter().map(|(id, _)| id.0).collect();
        let moments: Vec<i64> = departures.iter().map(|(_, gone)| gone.0).collect();
        let values = [ids.into(), moments.into()].into_iter().chain(last);
        return Statement::from_sql_and_values(backend, text, values);
    }
    let pairs = departures.iter().flat_map(|(id, gone)| [Value::from(id.0), Value::from(gone.0)]);
    Statement::from_sql_and_values(backend, text, pairs.chain(last))
}
