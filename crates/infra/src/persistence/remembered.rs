//! Sessions as they were last seen under the log's lock.
//!
//! A batch asks about hundreds, and to fetch so many rows takes longer than to insert its messages. Of what is written of a
//! session only two things ever change: it is claimed, and it ends. So the database is asked, under the lock, how many of a
//! batch's sessions are still what they were, and only if that is not all of them are they fetched again.
//!
//! A file is changed through one connection of this process and by nobody else, and SQLite itself tells of each change of a
//! row that is made there, whoever wants it. As long as there was none, nothing has to be asked. (Of a table that is emptied by
//! one statement without a condition it does not tell; sessions are not.)

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::{SqliteConnection, SqliteOperation};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QuerySelect, Value,
};
use uuid::Uuid;

use super::batch::padded;
use super::entities::sessions;

/// The most sessions that are remembered, at some hundred bytes each. Past it all are forgotten: those that speak come back
/// with their next message.
const MOST: usize = 16_384;

/// Living sessions by their ids.
#[derive(Default)]
pub(super) struct Remembered {
    seen: Mutex<HashMap<Uuid, Seen>>,
    changes: Changes,
}

/// A session, and how many changes there had been when it was last looked at.
struct Seen {
    session: Arc<sessions::Model>,
    changes: u64,
}

pub(super) type Sessions = HashMap<Uuid, Arc<sessions::Model>>;

/// How often a session was changed through a connection to a file, or may have been. Clones share it.
#[derive(Debug, Default, Clone)]
pub(super) struct Changes(Arc<AtomicU64>);

impl Changes {
    /// From here on this connection counts them, before they are committed.
    pub(super) async fn are_noted_by(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let count = self.0.clone();
        connection.lock_handle().await?.set_update_hook(move |change| {
            if change.table == "sessions" && change.operation != SqliteOperation::Insert {
                count.fetch_add(1, Ordering::Release);
            }
        });
        Ok(())
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Remembered {
    /// What counts changes made through a connection.
    pub(super) fn changes(&self) -> Changes {
        self.changes.clone()
    }

    /// Those of `ids` that there are, living or not. `ids` are different from each other.
    pub(super) async fn look_up(
        &self,
        transaction: &DatabaseTransaction,
        ids: &[Uuid],
    ) -> Result<Sessions, DbErr> {
        let known = self.known(ids);
        if !are_unchanged(transaction, &known).await? {
            return self.fetch(transaction, ids).await;
        }
        let unknown: Vec<_> = ids.iter().filter(|id| !known.contains_key(id)).copied().collect();
        let mut all = self.fetch(transaction, &unknown).await?;
        self.confirm(&known);
        all.extend(known);
        Ok(all)
    }

    /// All of `ids`, as they were when they were last looked at; nothing if one of them is not known.
    pub(super) fn all_known(&self, ids: &[Uuid]) -> Option<Sessions> {
        let known = self.known(ids);
        (known.len() == ids.len()).then_some(known)
    }

    /// The same, if they have not changed since. For whoever holds the connection to a file.
    pub(super) fn all_unchanged(&self, ids: &[Uuid]) -> Option<Sessions> {
        let (seen, changes) =
            (self.seen.lock().expect("nothing panics while it looks"), self.changes.count());
        let unchanged = |id| seen.get(id).filter(|seen| seen.changes == changes);
        ids.iter().map(|id| Some((*id, unchanged(id)?.session.clone()))).collect()
    }

    fn known(&self, ids: &[Uuid]) -> Sessions {
        let seen = self.seen.lock().expect("nothing panics while it looks");
        ids.iter().filter_map(|id| Some((*id, seen.get(id)?.session.clone()))).collect()
    }

    async fn fetch(&self, transaction: &DatabaseTransaction, ids: &[Uuid]) -> Result<Sessions, DbErr> {
        let mut found = Sessions::new();
        for ids in padded(ids) {
            let rows = sessions::Entity::find().filter(is_one_of(transaction, ids)).all(transaction).await?;
            found.extend(rows.into_iter().map(|session| (session.id, Arc::new(session))));
        }
        self.forget(ids);
        self.remember(&found);
        Ok(found)
    }

    fn forget(&self, ids: &[Uuid]) {
        let mut seen = self.seen.lock().expect("nothing panics while it looks");
        for id in ids {
            seen.remove(id);
        }
    }

    /// They were found unchanged, under the lock: as long as it is held, nobody changes them.
    fn confirm(&self, known: &Sessions) {
        let (mut seen, changes) =
            (self.seen.lock().expect("nothing panics while it looks"), self.changes.count());
        for id in known.keys() {
            if let Some(seen) = seen.get_mut(id) {
                seen.changes = changes;
            }
        }
    }

    /// The living of those that were just looked at, under the lock too.
    fn remember(&self, found: &Sessions) {
        let (mut seen, changes) =
            (self.seen.lock().expect("nothing panics while it looks"), self.changes.count());
        if seen.len() + found.len() > MOST {
            seen.clear();
        }
        let living = found.iter().filter(|(_, session)| session.ended_at.is_none());
        seen.extend(living.map(|(id, session)| (*id, Seen { session: session.clone(), changes })));
    }
}

/// Whether all of them still live, and are claimed or not as they were.
async fn are_unchanged(transaction: &DatabaseTransaction, known: &Sessions) -> Result<bool, DbErr> {
    let mut unchanged = 0;
    for claimed in [true, false] {
        let ids = known.values().filter(|session| session.claimed == claimed).map(|session| session.id);
        for ids in padded(&ids.collect::<Vec<_>>()) {
            // Not `one`: its limit is a bound value, for which SQLite would plan a statement anew each time.
            let counted = sessions::Entity::find()
                .select_only()
                .column_as(sessions::Column::Id.count(), "unchanged")
                .filter(sessions::Column::EndedAt.is_null())
                .filter(sessions::Column::Claimed.eq(claimed))
                .filter(is_one_of(transaction, ids))
                .into_tuple::<i64>()
                .all(transaction)
                .await?;
            unchanged += counted.into_iter().sum::<i64>();
        }
    }
    Ok(usize::try_from(unchanged) == Ok(known.len()))
}

fn is_one_of(database: &impl ConnectionTrait, ids: Vec<Uuid>) -> Expr {
    match database.get_database_backend() {
        // An array that is looked through for each session would be slow in either direction: this is a join.
        DbBackend::Postgres => {
            Expr::cust_with_values("id IN (SELECT UNNEST($1::uuid[]))", [Value::from(ids)])
        }
        _ => Expr::col(sessions::Column::Id).is_in(ids),
    }
}
