use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use lobby_domain::auth::Authority;
use lobby_domain::event::{Departure, DepartureReason, Revision};
use lobby_domain::ports::{
    ChangeError, NewSession, Online, OnlinePage, OnlineQuery, OpenError, Sessions, Unavailable,
};
use lobby_domain::presence::Standing;
use lobby_domain::pseudonym::{Pseudonym, PseudonymKey};
use lobby_domain::roster::{Change, sort_name};
use lobby_domain::session::{Session, SessionId};
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::{User, UserId};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
};

use super::batch::padded;
use super::entities::{sessions, users};
use super::forget::time_of_end;
use super::listing::page_of;
use super::outcome::{Commits, answered};
use super::roster_log::{next_revision, record_change, revision, revision_of};
use super::standing::{held_for, presence_now};
use super::{LONG_AGO, Store, unavailable};

#[async_trait]
impl Sessions for Store {
    async fn open(&self, new: NewSession) -> Result<(Session, Revision), OpenError> {
        let commits = Commits::default();
        match self.change_for_sure(&commits, || self.try_open(&new, &commits)).await {
            Ok(opened) => opened.map_err(OpenError::from),
            Err(error) => Err(error.into()),
        }
    }

    async fn end(
        &self,
        id: SessionId,
        by: Authority,
        now: Timestamp,
    ) -> Result<Option<Revision>, ChangeError> {
        // Once, and not in each attempt: by it an earlier one is found again.
        let at = answered(time_of_end(&self.read, now)).await.map_err(unavailable)?;
        let commits = Commits::default();
        self.change_for_sure(&commits, || self.try_end(id, by, at, &commits)).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<Session>, Unavailable> {
        let found = answered(living().filter(sessions::Column::Id.eq(id.0)).one(&self.read)).await;
        found.map_err(unavailable)?.map(session).transpose().map_err(unavailable)
    }

    async fn named(&self, keys: &[PseudonymKey]) -> Result<Vec<Session>, Unavailable> {
        answered(self.try_named(keys)).await.map_err(unavailable)
    }

    async fn used_names(&self, keys: &[PseudonymKey]) -> Result<Vec<Pseudonym>, Unavailable> {
        answered(self.try_used_names(keys)).await.map_err(unavailable)
    }

    async fn online(&self) -> Result<Online, Unavailable> {
        answered(self.try_online()).await.map_err(unavailable)
    }

    async fn online_page(&self, query: OnlineQuery) -> Result<OnlinePage, Unavailable> {
        answered(self.try_online_page(query)).await.map_err(unavailable)
    }
}

pub(super) type Row = (sessions::Model, Option<users::Model>);

impl Store {
    async fn try_open(
        &self,
        new: &NewSession,
        commits: &Commits,
    ) -> Result<Result<(Session, Revision), NotFree>, DbErr> {
        let transaction = self.begin().await?;
        let revision = next_revision(&transaction).await?;
        if commits.is_repeated()
            && let Some(row) = living().filter(sessions::Column::Id.eq(new.id.0)).one(&transaction).await?
        {
            let revision = revision_of(&transaction, new.id, true).await?;
            transaction.rollback().await?;
            return Ok(Ok((session(row)?, revision)));
        }
        let same_name = has_name(std::slice::from_ref(new.pseudonym.key()));
        if living().filter(same_name).one(&transaction).await?.is_some() {
            transaction.rollback().await?;
            return Ok(Err(NotFree::Taken));
        }
        let now = presence_now(&transaction).await?;
        if let Some(left) = held_for(&transaction, new.pseudonym.key(), None, now).await? {
            transaction.rollback().await?;
            return Ok(Err(NotFree::Held(left)));
        }
        let standing = Standing::opened(new.claimed, now, self.settings.limits());
        let user = find_or_insert_user(&transaction, new).await?;
        let row = sessions::ActiveModel {
            id: Set(new.id.0),
            user_id: Set(user.id.0),
            pseudonym: Set(new.pseudonym.as_str().to_owned()),
            folded: Set(new.pseudonym.key().folded().to_owned()),
            lookalike: Set(new.pseudonym.key().lookalike().to_owned()),
            crossed: Set(new.pseudonym.key().crossed().to_owned()),
            claimed: Set(new.claimed),
            opened_at: Set(new.now.as_millis()),
            ended_at: Set(None),
            sort_name: Set(sort_name(new.pseudonym.as_str())),
            attended: Set(standing.attended),
            expires_at: Set(standing.expires_at.map(|at| at.0)),
            gone_at: Set(None),
            held_until: Set(None),
            ended_revision: Set(0),
            revoked: Set(false),
        };
        sessions::Entity::insert(row).exec_without_returning(&transaction).await?;
        let session = Session {
            id: new.id,
            user,
            pseudonym: new.pseudonym.clone(),
            connected_at: new.now,
            claimed: new.claimed,
        };
        let joined = Change::Joined { session: session.clone(), revision };
        record_change(&transaction, &joined).await?;
        commits.count()?;
        transaction.commit().await?;
        Ok(Ok((session, revision)))
    }

    /// Under the log's lock: whoever posts sees under that lock whether a session is over.
    async fn try_end(
        &self,
        id: SessionId,
        by: Authority,
        at: Timestamp,
        commits: &Commits,
    ) -> Result<Option<Revision>, DbErr> {
        let transaction = self.lock_log(0, LONG_AGO).await?.transaction;
        let revision = next_revision(&transaction).await?;
        let mut ends = is_alive().add(sessions::Column::Id.eq(id.0));
        if by == Authority::Name {
            ends = ends.add(sessions::Column::Claimed.eq(false));
        }
        let ended = sessions::Entity::update_many()
            .col_expr(sessions::Column::EndedAt, Expr::value(at.as_millis()))
            .col_expr(sessions::Column::ExpiresAt, Expr::value(None::<i64>))
            .col_expr(sessions::Column::EndedRevision, Expr::value(revision.0))
            .col_expr(sessions::Column::Revoked, Expr::value(true))
            .filter(ends)
            .exec_with_returning(&transaction)
            .await?;
        let Some(row) = ended.into_iter().next() else {
            let was_ended = commits.is_repeated() && ended_at(&transaction, id).await? == Some(at);
            let revision = if was_ended { Some(revision_of(&transaction, id, false).await?) } else { None };
            transaction.rollback().await?;
            return Ok(revision);
        };
        let left = Change::Left(departure(row, DepartureReason::Logout, revision));
        record_change(&transaction, &left).await?;
        commits.count()?;
        transaction.commit().await?;
        Ok(Some(revision))
    }

    async fn try_named(&self, keys: &[PseudonymKey]) -> Result<Vec<Session>, DbErr> {
        let mut found = HashMap::new();
        for keys in padded(keys) {
            let rows = living().filter(has_name(&keys)).all(&self.read).await?;
            // Keys of two portions may match one name, in different ways.
            found.extend(rows.into_iter().map(|row| (row.0.id, row)));
        }
        found.into_values().map(session).collect()
    }

    async fn try_used_names(&self, keys: &[PseudonymKey]) -> Result<Vec<Pseudonym>, DbErr> {
        let mut found = HashMap::new();
        for keys in padded(keys) {
            let same = Condition::any()
                .add(users::Column::Folded.is_in(keys.iter().map(PseudonymKey::folded)))
                .add(users::Column::Lookalike.is_in(keys.iter().map(PseudonymKey::lookalike)))
                .add(users::Column::Crossed.is_in(keys.iter().map(PseudonymKey::crossed)));
            let rows = users::Entity::find().filter(same).all(&self.read).await?;
            found.extend(rows.into_iter().map(|user| (user.id, user)));
        }
        Ok(found.into_values().map(|user| Pseudonym::from_stored(user.pseudonym)).collect())
    }

    async fn try_online(&self) -> Result<Online, DbErr> {
        // List and revision are of one moment.
        let transaction = self.begin_snapshot().await?;
        let revision = revision(&transaction).await?;
        let rows = living().order_by_asc(sessions::Column::Id).all(&transaction).await?;
        transaction.commit().await?;
        Ok(Online { revision, sessions: sessions_of(rows)? })
    }

    async fn try_online_page(&self, query: OnlineQuery) -> Result<OnlinePage, DbErr> {
        let most = query.most;
        let transaction = self.begin_snapshot().await?;
        let revision = revision(&transaction).await?;
        let mut rows = page_of(living(), query).all(&transaction).await?;
        transaction.commit().await?;
        let has_more = rows.len() > most;
        rows.truncate(most);
        let online = Online { revision, sessions: sessions_of(rows)? };
        Ok(OnlinePage { online, has_more })
    }
}

/// Why a name cannot be had.
enum NotFree {
    Taken,
    Held(Duration),
}

impl From<NotFree> for OpenError {
    fn from(why: NotFree) -> Self {
        match why {
            NotFree::Taken => Self::NameTaken,
            NotFree::Held(retry_after) => Self::NameHeld { retry_after },
        }
    }
}

/// What is told of a session's end.
pub(super) fn departure(row: sessions::Model, reason: DepartureReason, revision: Revision) -> Departure {
    Departure {
        session: SessionId(row.id),
        user: UserId(row.user_id),
        pseudonym: Pseudonym::from_stored(row.pseudonym),
        reason,
        revision,
    }
}

async fn ended_at(database: &impl ConnectionTrait, id: SessionId) -> Result<Option<Timestamp>, DbErr> {
    let row = sessions::Entity::find_by_id(id.0).one(database).await?;
    Ok(row.and_then(|row| row.ended_at).map(Timestamp::from_millis))
}

async fn find_or_insert_user(database: &impl ConnectionTrait, new: &NewSession) -> Result<User, DbErr> {
    let key = new.pseudonym.key();
    let nearest_first = [
        users::Column::Folded.eq(key.folded()),
        users::Column::Crossed.eq(key.crossed()),
        users::Column::Lookalike.eq(key.lookalike()),
    ];
    for same in nearest_first {
        if let Some(known) = users::Entity::find().filter(same).one(database).await? {
            return Ok(user(&known));
        }
    }
    let row = users::ActiveModel {
        id: NotSet,
        pseudonym: Set(new.pseudonym.as_str().to_owned()),
        folded: Set(key.folded().to_owned()),
        lookalike: Set(key.lookalike().to_owned()),
        crossed: Set(key.crossed().to_owned()),
        created_at: Set(new.now.as_millis()),
    };
    Ok(user(&users::Entity::insert(row).exec_with_returning(database).await?))
}

/// All who are online, with their users.
pub(super) fn living() -> sea_orm::SelectTwo<sessions::Entity, users::Entity> {
    sessions::Entity::find().find_also_related(users::Entity).filter(is_alive())
}

pub(super) fn is_alive() -> Condition {
    Condition::all().add(sessions::Column::EndedAt.is_null())
}

pub(super) fn has_name(keys: &[PseudonymKey]) -> Condition {
    Condition::any()
        .add(sessions::Column::Folded.is_in(keys.iter().map(PseudonymKey::folded)))
        .add(sessions::Column::Lookalike.is_in(keys.iter().map(PseudonymKey::lookalike)))
        .add(sessions::Column::Crossed.is_in(keys.iter().map(PseudonymKey::crossed)))
}

/// A session, living or not.
pub(super) fn find_with_user(id: SessionId) -> sea_orm::SelectTwo<sessions::Entity, users::Entity> {
    sessions::Entity::find().find_also_related(users::Entity).filter(sessions::Column::Id.eq(id.0))
}

fn user(row: &users::Model) -> User {
    User { id: UserId(row.id), created_at: Timestamp::from_millis(row.created_at) }
}

/// Fails where the user is not there: a foreign key keeps every session's, but a backup may have been put back without.
pub(super) fn session((row, owner): Row) -> Result<Session, DbErr> {
    let owner = owner.ok_or_else(|| DbErr::RecordNotFound(format!("the user of session {}", row.id)))?;
    Ok(Session {
        id: SessionId(row.id),
        user: user(&owner),
        pseudonym: Pseudonym::from_stored(row.pseudonym),
        connected_at: Timestamp::from_millis(row.opened_at),
        claimed: row.claimed,
    })
}

fn sessions_of(rows: Vec<Row>) -> Result<Vec<Session>, DbErr> {
    rows.into_iter().map(session).collect()
}
