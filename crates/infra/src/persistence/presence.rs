use std::time::Duration;

use async_trait::async_trait;
use lobby_domain::event::{Departure, DepartureReason, Revision};
use lobby_domain::ports::{AttendError, Attended, Beaten, ChangeError, Presence, Unavailable, Woken};
use lobby_domain::presence::{Limits, Moment, NodeId};
use lobby_domain::pseudonym::PseudonymKey;
use lobby_domain::roster::Change;
use lobby_domain::session::{Session, SessionId};
use lobby_domain::timestamp::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::attend::{LeaseLost, has_lease};
use super::entities::{nodes, presence_clock, sessions};
use super::forget::time_of_end;
use super::outcome::{Commits, answered};
use super::roster_log::{next_revision, record_change};
use super::sessions::{departure, find_with_user, is_alive, session};
use super::standing::{forget_node, no_clock, presence_now, settle, standing};
use super::wake::unclaimed_named;
use super::{LONG_AGO, Store, unavailable};

const NODE_COLUMNS: [nodes::Column; 4] =
    [nodes::Column::Id, nodes::Column::LeaseSince, nodes::Column::LeaseUntil, nodes::Column::Address];

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
        let at = answered(time_of_end(&self.read, at)).await.map_err(unavailable)?;
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
        let dormant = found.filter(|(row, _)| standing(row).is_dormant());
        dormant.map(session).transpose().map_err(unavailable)
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
    pub(super) fn limits(&self) -> &Limits {
        self.settings.limits()
    }

    async fn try_beat(
        &self,
        node: NodeId,
        since: Option<(Moment, Duration)>,
        commits: &Commits,
    ) -> Result<Beaten, DbErr> {
        let transaction = self.begin().await?;
        let (now, alone) = self.move_on(&transaction, since).await?;
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
            return Ok(Beaten { now, alone, held: true });
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
        let (now, alone) = self.move_on(&transaction, since).await?;
        settle(&transaction, now, self.limits()).await?;
        forget_node(&transaction, node.0, now, self.limits()).await?;
        let until = now.after(self.limits().lease).0;
        let row = Query::insert()
            .into_table(nodes::Entity)
            .columns(NODE_COLUMNS)
            .values_panic([node.0.into(), now.0.into(), until.into(), self.settings.address().into()])
            .to_owned();
        transaction.execute(&row).await?;
        commits.count()?;
        transaction.commit().await?;
        Ok(Beaten { now, alone, held: false })
    }

    /// Moves presence time on to what a node has measured, if that is later. The second is whether nobody else has, since what
    /// the node has measured from.
    async fn move_on(
        &self,
        transaction: &DatabaseTransaction,
        since: Option<(Moment, Duration)>,
    ) -> Result<(Moment, bool), DbErr> {
        let counted = since.filter(|(_, elapsed)| *elapsed <= self.limits().lease);
        let Some((count, measured)) = counted.map(|(count, elapsed)| (count, count.after(elapsed))) else {
            return Ok((move_on_to(transaction, Moment(i64::MIN)).await?, false));
        };
        let unmoved = presence_clock::Entity::update_many()
            .col_expr(presence_clock::Column::Now, Expr::value(measured.0))
            .filter(presence_clock::Column::Now.eq(count.0))
            .exec(transaction)
            .await?;
        if unmoved.rows_affected == 1 {
            return Ok((measured, true));
        }
        Ok((move_on_to(transaction, measured).await?, false))
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
            .col_expr(sessions::Column::EndedAt, Expr::value(at.as_millis()))
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

/// Presence time, which is no earlier then.
async fn move_on_to(transaction: &DatabaseTransaction, measured: Moment) -> Result<Moment, DbErr> {
    let column = || Expr::col(presence_clock::Column::Now);
    let later = Expr::case(column().lt(measured.0), measured.0).finally(column());
    let clocks = presence_clock::Entity::update_many()
        .col_expr(presence_clock::Column::Now, later.into())
        .exec_with_returning(transaction)
        .await?;
    clocks.first().map(|clock| Moment(clock.now)).ok_or_else(no_clock)
}
