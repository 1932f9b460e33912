//! Keeping sessions alive that somebody acts for, and bringing back those that ran out.

use lobby_domain::ports::Woken;
use lobby_domain::presence::{Moment, Standing};
use lobby_domain::pseudonym::PseudonymKey;
use lobby_domain::session::{Session, SessionId, best_match};
use lobby_domain::timestamp::Timestamp;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::entities::{sessions, users};
use super::outcome::Commits;
use super::roster_log::lock_list;
use super::sessions::{Row, find_with_user, has_name, living, session};
use super::standing::{bring_back, keep_standing, presence_now, settle, standing};
use super::{LONG_AGO, Store};

impl Store {
    /// The session, if it is alive and nothing has to be written of it.
    pub(super) async fn try_find_awake(&self, id: SessionId, claim: bool) -> Result<Option<Session>, DbErr> {
        let Some(row) = find_with_user(id).one(&self.read).await? else { return Ok(None) };
        let mut standing = standing(&row.0);
        let now = presence_now(&self.read).await?;
        if !standing.is_alive() || self.rouse(&mut standing, claim, now) {
            return Ok(None);
        }
        session(row).map(Some)
    }

    /// Says whether that has to be written.
    fn rouse(&self, standing: &mut Standing, claim: bool, now: Moment) -> bool {
        if claim { standing.claim(now, self.limits()) } else { standing.touch(now, self.limits()) }
    }

    pub(super) async fn try_wake(
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
            let list = lock_list(transaction).await?;
            let Some((session, revision)) =
                bring_back(transaction, list, woken.0, now, self.limits(), at).await?
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
        Ok(Some((session((sessions::Model { claimed, ..row }, user))?, revision)))
    }

    pub(super) async fn try_wake_named(
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
}

/// The unclaimed session that is meant by a name: the living one, or else the one that had the name last, if it ran out.
pub(super) async fn unclaimed_named(
    database: &impl ConnectionTrait,
    key: &PseudonymKey,
) -> Result<Option<Row>, DbErr> {
    let same_name = || has_name(std::slice::from_ref(key));
    let rows = living().filter(same_name()).all(database).await?;
    let row = if rows.is_empty() {
        sessions::Entity::find()
            .find_also_related(users::Entity)
            .filter(sessions::Column::EndedAt.is_not_null())
            .filter(sessions::Column::Folded.eq(key.folded()))
            .order_by_desc(sessions::Column::EndedRevision)
            .limit(1)
            .all(database)
            .await?
            .pop()
    } else {
        let sessions = rows.iter().cloned().map(session).collect::<Result<Vec<_>, _>>()?;
        let meant = best_match(&sessions, key).map(|session| session.id.0);
        rows.into_iter().find(|(row, _)| Some(row.id) == meant)
    };
    Ok(row.filter(|(row, _)| !row.claimed))
}
