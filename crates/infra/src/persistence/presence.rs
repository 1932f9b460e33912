use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use lobby_domain::event::{Departure, DepartureReason, Revision};
use lobby_domain::ports::{AttendError, Attended, Beaten, ChangeError, Presence, Unavailable, Woken};
use lobby_domain::presence::{Limits, Moment, NodeId, Standing};
use lobby_domain::pseudonym::PseudonymKey;
use lobby_domain::roster::Change;
use lobby_domain::session::{Session, SessionId, best_match};
use lobby_domain::timestamp::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Statement, Value,
};
use uuid::Uuid;

use super::batch::padded;
use super::entities::{attendance, nodes, presence_clock, sessions};
use super::outcome::{Commits, answered};
use super::roster_log::{next_revision, record_change};
use super::sessions::{Row, departure, find_with_user, has_name, is_alive, living, session};
use super::standing::{
    bring_back, forget_node, keep_standing, millis, no_clock, presence_now, settle, standing,
};
use super::{LONG_AGO, Store, unavailable};

/// The lease of a node has run out.
struct LeaseLost;

#[async_trait]
impl Presence for Store {
    async fn beat(&self, node: NodeId, since: Option<(Moment, Duration)>) -> Result<Beaten, ChangeError> {
        let commits = Commits::default();
        self.change_for_sure(&commits, || self.try_beat(node, since, &commits)).await
    }

    async fn attend(
        &self,
        node: NodeId,
        arrivals: &[SessionId],
        departures: &[(SessionId, Moment)],
        at: Timestamp,
    ) -> Result<Vec<Attended>, AttendError> {
        let commits = Commits::default();
        let attended = self
            .change_for_sure(&commits, || self.try_attend(node, arrivals, departures, at, &commits))
            .await?;
        attended.map_err(|LeaseLost| AttendError::LeaseLost)
    }

    async fn next_over(&self) -> Result<Option<Moment>, Unavailable> {
        answered(self.try_next_over()).await.map_err(unavailable)
    }

    async fn reap(&self, node: NodeId, most: u32, at: Timestamp) -> Result<Vec<Departure>, AttendError> {
        if !answered(self.is_anything_over(node)).await.map_err(unavailable)? {
            return Ok(Vec::new());
        }
        let commits = Commits::default();
        let reaped = self.change_for_sure(&commits, || self.try_reap(node, most, at, &commits)).await?;
        reaped.map_err(|LeaseLost| AttendError::LeaseLost)
    }

    async fn wake(&self, id: SessionId, claim: bool, at: Timestamp) -> Result<Option<Woken>, ChangeError> {
        if let Some(session) = answered(self.try_find_awake(id, claim)).await.map_err(unavailable)? {
            return Ok(Some((session, None)));
        }
        let commits = Commits::default();
        self.change_for_sure(&commits, || self.try_wake(id, claim, at, &commits)).await
    }

    async fn wake_named(&self, key: &PseudonymKey, at: Timestamp) -> Result<Option<Woken>, ChangeError> {
        // Anybody may say any name: for most there is nothing to do, and then nobody has to wait for the lock.
        if answered(unclaimed_named(&self.read, key)).await.map_err(unavailable)?.is_none() {
            return Ok(None);
        }
        let commits = Commits::default();
        self.change_for_sure(&commits, || self.try_wake_named(key, at, &commits)).await
    }

    async fn dormant(&self, id: SessionId) -> Result<Option<Session>, Unavailable> {
        let found = answered(find_with_user(id).one(&self.read)).await.map_err(unavailable)?;
        Ok(found.filter(|(row, _)| standing(row).is_dormant()).map(session))
    }

    async fn leave(&self, node: NodeId, gone: Moment) -> Result<(), ChangeError> {
        let commits = Commits::default();
        self.change_for_sure(&commits, || self.try_leave(node, gone, &commits)).await
    }

    async fn forget(&self, before: Timestamp, most: u32) -> Result<bool, ChangeError> {
        let commits = Commits::default();
        self.change_for_sure(&commits, || self.try_forget(before, most, &commits)).await
    }
}

impl Store {
    fn limits(&self) -> &Limits {
        self.settings.limits()
    }

    async fn try_beat(
        &self,
        node: NodeId,
        since: Option<(Moment, Duration)>,
        commits: &Commits,
    ) -> Result<Beaten, DbErr> {
        let transaction = self.begin().await?;
        let now = self.move_on(&transaction, since).await?;
        let until = now.after(self.limits().lease).0;
        let renewed = nodes::Entity::update_many()
            .col_expr(nodes::Column::LeaseUntil, Expr::value(until))
            .filter(nodes::Column::Id.eq(node.0))
            .filter(nodes::Column::LeaseUntil.gt(now.0))
            // The answer that said it was lost may itself have been lost.
            .filter(nodes::Column::LeaseSince.lte(since.map_or(i64::MIN, |(count, _)| count.0)))
            .exec(&transaction)
            .await?;
        if renewed.rows_affected == 1 {
            commits.count()?;
            transaction.commit().await?;
            return Ok(Beaten { now, held: true });
        }
        transaction.rollback().await?;
        self.try_join(node, since, commits).await
    }

    /// A node's first beat, or its first after its lease has run out: then the sessions it served are gone since.
    async fn try_join(
        &self,
        node: NodeId,
        since: Option<(Moment, Duration)>,
        commits: &Commits,
    ) -> Result<Beaten, DbErr> {
        let transaction = self.lock_log(0, LONG_AGO).await?.transaction;
        let now = self.move_on(&transaction, since).await?;
        settle(&transaction, now, self.limits()).await?;
        forget_node(&transaction, node.0, now, self.limits()).await?;
        let until = now.after(self.limits().lease).0;
        let row = Query::insert()
            .into_table(nodes::Entity)
            .columns([nodes::Column::Id, nodes::Column::LeaseSince, nodes::Column::LeaseUntil])
            .values_panic([node.0.into(), now.0.into(), until.into()])
            .to_owned();
        transaction.execute(&row).await?;
        commits.count()?;
        transaction.commit().await?;
        Ok(Beaten { now, held: false })
    }

    /// Moves presence time on to what a node has measured, if that is later.
    async fn move_on(
        &self,
        transaction: &DatabaseTransaction,
        since: Option<(Moment, Duration)>,
    ) -> Result<Moment, DbErr> {
        let counted = since.filter(|(_, elapsed)| *elapsed <= self.limits().lease);
        let measured = counted.map_or(i64::MIN, |(count, elapsed)| count.after(elapsed).0);
        let column = || Expr::col(presence_clock::Column::Now);
        let later = Expr::case(column().lt(measured), measured).finally(column());
        let clocks = presence_clock::Entity::update_many()
            .col_expr(presence_clock::Column::Now, later.into())
            .exec_with_returning(transaction)
            .await?;
        clocks.first().map(|clock| Moment(clock.now)).ok_or_else(no_clock)
    }

    async fn try_attend(
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
        for id in arrivals {
            attended.push(match rows.remove(id) {
                None => Attended::Over,
                Some(row) if row.0.ended_at.is_none() => Attended::Living(session(row)),
                Some(row) => match bring_back(transaction, row, now, self.limits(), at).await? {
                    Some((session, Some(revision))) => Attended::BroughtBack(session, revision),
                    Some((session, None)) => Attended::Living(session),
                    None => Attended::Over,
                },
            });
        }
        let served: Vec<_> =
            attended.iter().filter_map(Attended::session).map(|session| session.id).collect();
        for served in padded(&served) {
            serve(transaction, node, &served).await?;
        }
        Ok(attended)
    }

    async fn try_next_over(&self) -> Result<Option<Moment>, DbErr> {
        let session = due_by(i64::MAX).limit(1).one(&self.read).await?.and_then(|row| row.expires_at);
        let node =
            nodes::Entity::find().order_by_asc(nodes::Column::LeaseUntil).limit(1).one(&self.read).await?;
        Ok(session.into_iter().chain(node.map(|node| node.lease_until)).min().map(Moment))
    }

    /// A look first: mostly nothing is, and then nobody has to wait for the lock.
    async fn is_anything_over(&self, node: NodeId) -> Result<bool, DbErr> {
        let now = presence_now(&self.read).await?;
        let nodes = nodes::Entity::find().all(&self.read).await?;
        let (living, dead): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.lease_until > now.0);
        let is_well = dead.is_empty() && living.iter().any(|living| living.id == node.0);
        Ok(!is_well || due_by(now.0).limit(1).one(&self.read).await?.is_some())
    }

    async fn try_reap(
        &self,
        node: NodeId,
        most: u32,
        at: Timestamp,
        commits: &Commits,
    ) -> Result<Result<Vec<Departure>, LeaseLost>, DbErr> {
        let transaction = self.lock_log(0, LONG_AGO).await?.transaction;
        let now = presence_now(&transaction).await?;
        if !has_lease(&transaction, node, now).await? {
            transaction.rollback().await?;
            return Ok(Err(LeaseLost));
        }
        settle(&transaction, now, self.limits()).await?;
        let mut left = Vec::new();
        for row in due_by(now.0).limit(u64::from(most)).all(&transaction).await? {
            left.push(self.expire(&transaction, row, now, at).await?);
        }
        commits.count()?;
        transaction.commit().await?;
        Ok(Ok(left))
    }

    async fn expire(
        &self,
        transaction: &DatabaseTransaction,
        row: sessions::Model,
        now: Moment,
        at: Timestamp,
    ) -> Result<Departure, DbErr> {
        let mut standing = standing(&row);
        standing.expire(now, self.limits());
        let held_until = standing.end.and_then(|end| end.held_until).map(|until| until.0);
        let revision: Revision = next_revision(transaction).await?;
        sessions::Entity::update_many()
            // Whatever the wall clock says: its token is forgotten so long after it was last used.
            .col_expr(sessions::Column::EndedAt, Expr::value(Ord::max(at.as_millis(), row.opened_at)))
            .col_expr(sessions::Column::ExpiresAt, Expr::value(None::<i64>))
            .col_expr(sessions::Column::HeldUntil, Expr::value(held_until))
            .col_expr(sessions::Column::EndedRevision, Expr::value(revision.0))
            .filter(sessions::Column::Id.eq(row.id))
            .exec(transaction)
            .await?;
        let departure = departure(row, DepartureReason::Expired, revision);
        record_change(transaction, &Change::Left(departure.clone())).await?;
        Ok(departure)
    }

    /// The session, if it is alive and nothing has to be written of it.
    async fn try_find_awake(&self, id: SessionId, claim: bool) -> Result<Option<Session>, DbErr> {
        let Some(row) = find_with_user(id).one(&self.read).await? else { return Ok(None) };
        let mut standing = standing(&row.0);
        let now = presence_now(&self.read).await?;
        if !standing.is_alive() || self.rouse(&mut standing, claim, now) {
            return Ok(None);
        }
        Ok(Some(session(row)))
    }

    /// Says whether that has to be written.
    fn rouse(&self, standing: &mut Standing, claim: bool, now: Moment) -> bool {
        if claim { standing.claim(now, self.limits()) } else { standing.touch(now, self.limits()) }
    }

    async fn try_wake(
        &self,
        id: SessionId,
        claim: bool,
        at: Timestamp,
        commits: &Commits,
    ) -> Result<Option<Woken>, DbErr> {
        let transaction = self.lock_log(0, LONG_AGO).await?.transaction;
        let now = presence_now(&transaction).await?;
        settle(&transaction, now, self.limits()).await?;
        let woken = match find_with_user(id).one(&transaction).await? {
            None => None,
            Some(row) => self.wake_row(&transaction, row, claim, now, at).await?,
        };
        if woken.is_none() {
            transaction.rollback().await?;
            return Ok(None);
        }
        commits.count()?;
        transaction.commit().await?;
        Ok(woken)
    }

    async fn wake_row(
        &self,
        transaction: &DatabaseTransaction,
        row: Row,
        claim: bool,
        now: Moment,
        at: Timestamp,
    ) -> Result<Option<Woken>, DbErr> {
        let mut woken = (row, None);
        if woken.0.0.ended_at.is_some() {
            let Some((session, revision)) = bring_back(transaction, woken.0, now, self.limits(), at).await?
            else {
                return Ok(None);
            };
            let back = find_with_user(session.id).one(transaction).await?;
            woken = (back.expect("it was just there, under the lock"), revision);
        }
        let ((row, user), revision) = woken;
        let mut standing = standing(&row);
        if self.rouse(&mut standing, claim, now) {
            keep_standing(transaction, &row, standing).await?;
        }
        let claimed = standing.claimed;
        Ok(Some((session((sessions::Model { claimed, ..row }, user)), revision)))
    }

    async fn try_wake_named(
        &self,
        key: &PseudonymKey,
        at: Timestamp,
        commits: &Commits,
    ) -> Result<Option<Woken>, DbErr> {
        let transaction = self.lock_log(0, LONG_AGO).await?.transaction;
        let now = presence_now(&transaction).await?;
        settle(&transaction, now, self.limits()).await?;
        let woken = match unclaimed_named(&transaction, key).await? {
            None => None,
            Some(row) => self.wake_row(&transaction, row, false, now, at).await?,
        };
        if woken.is_none() {
            transaction.rollback().await?;
            return Ok(None);
        }
        commits.count()?;
        transaction.commit().await?;
        Ok(woken)
    }

    async fn try_leave(&self, node: NodeId, gone: Moment, commits: &Commits) -> Result<(), DbErr> {
        let transaction = self.lock_log(0, LONG_AGO).await?.transaction;
        let now = presence_now(&transaction).await?;
        settle(&transaction, now, self.limits()).await?;
        forget_node(&transaction, node.0, gone, self.limits()).await?;
        commits.count()?;
        transaction.commit().await
    }
}

/// Living sessions that are over by a moment, those first whose time comes first.
fn due_by(moment: i64) -> sea_orm::Select<sessions::Entity> {
    sessions::Entity::find()
        .filter(is_alive())
        .filter(sessions::Column::ExpiresAt.lte(moment))
        .order_by_asc(sessions::Column::ExpiresAt)
}

async fn has_lease(transaction: &DatabaseTransaction, node: NodeId, now: Moment) -> Result<bool, DbErr> {
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
            .find_also_related(super::entities::users::Entity)
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

/// The unclaimed session that is meant by a name: the living one, or else the one that had the name last, if it ran out.
async fn unclaimed_named(database: &impl ConnectionTrait, key: &PseudonymKey) -> Result<Option<Row>, DbErr> {
    let same_name = || has_name(std::slice::from_ref(key));
    let rows = living().filter(same_name()).all(database).await?;
    let row = if rows.is_empty() {
        sessions::Entity::find()
            .find_also_related(super::entities::users::Entity)
            .filter(sessions::Column::EndedAt.is_not_null())
            .filter(sessions::Column::Folded.eq(key.folded()))
            .order_by_desc(sessions::Column::EndedRevision)
            .limit(1)
            .all(database)
            .await?
            .pop()
    } else {
        let sessions: Vec<_> = rows.iter().cloned().map(session).collect();
        let meant = best_match(&sessions, key).map(|session| session.id.0);
        rows.into_iter().find(|(row, _)| Some(row.id) == meant)
    };
    Ok(row.filter(|(row, _)| !row.claimed))
}
