//! Sessions as they were last seen under the log's lock.
//!
//! A batch asks about hundreds, and to fetch so many rows takes longer than to insert its messages. Of what is written of a
//! session only two things ever change: it is claimed, and it ends. So the database is asked, under the lock, how many of a
//! batch's sessions are still what they were, and only if that is not all of them are they fetched again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use sea_orm::sea_query::{Expr, ExprTrait};
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
pub(super) struct Remembered(Mutex<Sessions>);

pub(super) type Sessions = HashMap<Uuid, Arc<sessions::Model>>;

impl Remembered {
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
        all.extend(known);
        Ok(all)
    }

    fn known(&self, ids: &[Uuid]) -> Sessions {
        let remembered = self.0.lock().expect("nothing panics while it looks");
        ids.iter().filter_map(|id| Some((*id, remembered.get(id)?.clone()))).collect()
    }

    async fn fetch(&self, transaction: &DatabaseTransaction, ids: &[Uuid]) -> Result<Sessions, DbErr> {
        let mut found = Sessions::new();
        for ids in padded(ids) {
            let rows = sessions::Entity::find().filter(is_one_of(transaction, ids)).all(transaction).await?;
            found.extend(rows.into_iter().map(|session| (session.id, Arc::new(session))));
        }
        let mut remembered = self.0.lock().expect("nothing panics while it looks");
        for id in ids {
            remembered.remove(id);
        }
        if remembered.len() + found.len() > MOST {
            remembered.clear();
        }
        let living = found.iter().filter(|(_, session)| session.ended_at.is_none());
        remembered.extend(living.map(|(id, session)| (*id, session.clone())));
        Ok(found)
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
