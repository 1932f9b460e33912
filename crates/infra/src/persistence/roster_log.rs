use async_trait::async_trait;
use lobby_domain::event::{Departure, DepartureReason, Revision};
use lobby_domain::ports::{CHANGES_KEPT, Changes, RosterLog, Unavailable};
use lobby_domain::pseudonym::Pseudonym;
use lobby_domain::roster::Change;
use lobby_domain::session::{Session, SessionId};
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::{User, UserId};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::entities::{roster_changes, roster_head};
use super::outcome::answered;
use super::{Store, unavailable};

/// Changes between two deletions of old ones, each of as many rows: so a change seldom costs more than itself, and the log
/// is never much longer than it has to be.
const TRIM_EVERY: i64 = 256;

const LOGOUT: &str = "logout";
const EXPIRED: &str = "expired";

#[async_trait]
impl RosterLog for Store {
    async fn revision(&self) -> Result<Revision, Unavailable> {
        answered(revision(&self.read)).await.map_err(unavailable)
    }

    async fn changes(&self, after: Revision, most: usize) -> Result<Changes, Unavailable> {
        answered(self.try_changes(after, most)).await.map_err(unavailable)
    }
}

impl Store {
    async fn try_changes(&self, after: Revision, most: usize) -> Result<Changes, DbErr> {
        let transaction = self.begin_snapshot().await?;
        let newest = revision(&transaction).await?;
        let oldest = roster_changes::Entity::find()
            .order_by_asc(roster_changes::Column::Revision)
            .one(&transaction)
            .await?;
        let rows = roster_changes::Entity::find()
            .filter(roster_changes::Column::Revision.gt(after.0))
            .order_by_asc(roster_changes::Column::Revision)
            .limit(most as u64)
            .all(&transaction)
            .await?;
        transaction.commit().await?;
        let first_kept = Revision(oldest.map_or(newest.0 + 1, |row| row.revision));
        Ok(Changes { first_kept, changes: rows.into_iter().map(change).collect::<Result<_, _>>()? })
    }
}

/// The list's revision.
pub(super) async fn revision(database: &impl ConnectionTrait) -> Result<Revision, DbErr> {
    let head = roster_head::Entity::find_by_id(1).one(database).await?;
    head.map(|head| Revision(head.revision)).ok_or_else(no_head)
}

/// Who is online is as it is seen from now on, until the transaction ends.
#[derive(Clone, Copy)]
pub(super) struct ListLock(());

/// Takes the lock on the list, and changes nothing of it. On SQLite the transaction has it since its first statement.
pub(super) async fn lock_list(transaction: &DatabaseTransaction) -> Result<ListLock, DbErr> {
    let head = roster_head::Entity::find_by_id(1).lock_exclusive().one(transaction).await?;
    head.map(|_| ListLock(())).ok_or_else(no_head)
}

/// Takes the next revision, and with it the lock on the list until the transaction ends. [`record_change`] is owed then,
/// or the transaction is taken back.
pub(super) async fn next_revision(transaction: &DatabaseTransaction) -> Result<Revision, DbErr> {
    let heads = roster_head::Entity::update_many()
        .col_expr(roster_head::Column::Revision, Expr::col(roster_head::Column::Revision).add(1))
        .exec_with_returning(transaction)
        .await?;
    let head = heads.into_iter().next().ok_or_else(no_head)?;
    Ok(Revision(head.revision))
}

/// Keeps a change in the transaction that took its revision.
pub(super) async fn record_change(transaction: &DatabaseTransaction, change: &Change) -> Result<(), DbErr> {
    roster_changes::Entity::insert(row(change)).exec_without_returning(transaction).await?;
    let Revision(revision) = change.revision();
    if revision % TRIM_EVERY == 0 {
        roster_changes::Entity::delete_many()
            .filter(roster_changes::Column::Revision.lte(revision - CHANGES_KEPT))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

/// The revision of a change that was found made: a session's last arrival or departure.
pub(super) async fn revision_of(
    transaction: &DatabaseTransaction,
    session: SessionId,
    joined: bool,
) -> Result<Revision, DbErr> {
    // It was made a moment ago, so it is among the newest rows: no index has to be kept for this.
    let row = roster_changes::Entity::find()
        .filter(roster_changes::Column::Session.eq(session.0))
        .filter(roster_changes::Column::Joined.eq(joined))
        .order_by_desc(roster_changes::Column::Revision)
        .one(transaction)
        .await?;
    row.map(|row| Revision(row.revision))
        .ok_or_else(|| DbErr::RecordNotFound(format!("the change of {session}")))
}

fn row(change: &Change) -> roster_changes::ActiveModel {
    let (user, pseudonym) = match change {
        Change::Joined { session, .. } => (session.user.id, &session.pseudonym),
        Change::Left(departure) => (departure.user, &departure.pseudonym),
    };
    let (joined, reason) = match change {
        Change::Joined { session, .. } => (Some(session), None),
        Change::Left(departure) => (None, Some(reason_text(departure.reason))),
    };
    roster_changes::ActiveModel {
        revision: Set(change.revision().0),
        joined: Set(joined.is_some()),
        session: Set(change.session().0),
        user_id: Set(user.0),
        pseudonym: Set(pseudonym.as_str().to_owned()),
        created_at: Set(joined.map(|session| session.user.created_at.as_millis())),
        connected_at: Set(joined.map(|session| session.connected_at.as_millis())),
        reason: Set(reason.map(str::to_owned)),
    }
}

fn change(row: roster_changes::Model) -> Result<Change, DbErr> {
    let lacks = |what| DbErr::Custom(format!("change {} lacks {what}", row.revision));
    let time = |millis: Option<i64>| millis.map(Timestamp::from_millis).ok_or_else(|| lacks("a time"));
    let (session, user) = (SessionId(row.session), UserId(row.user_id));
    let revision = Revision(row.revision);
    if row.joined {
        let session = Session {
            id: session,
            user: User { id: user, created_at: time(row.created_at)? },
            connected_at: time(row.connected_at)?,
            pseudonym: Pseudonym::from_stored(row.pseudonym),
            claimed: false,
        };
        return Ok(Change::Joined { session, revision });
    }
    let reason = row.reason.as_deref().and_then(reason_of).ok_or_else(|| lacks("a reason that is known"))?;
    let pseudonym = Pseudonym::from_stored(row.pseudonym);
    Ok(Change::Left(Departure { session, user, pseudonym, reason, revision }))
}

fn reason_text(reason: DepartureReason) -> &'static str {
    match reason {
        DepartureReason::Logout => LOGOUT,
        DepartureReason::Expired => EXPIRED,
    }
}

fn reason_of(text: &str) -> Option<DepartureReason> {
    match text {
        LOGOUT => Some(DepartureReason::Logout),
        EXPIRED => Some(DepartureReason::Expired),
        _ => None,
    }
}

fn no_head() -> DbErr {
    DbErr::RecordNotFound("roster_head".to_owned())
}
