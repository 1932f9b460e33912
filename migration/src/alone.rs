//! Nodes that start together, one after the other.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};

/// Of PostgreSQL's locks that mean what their users say: the bytes of `lobby`.
const MIGRATING: i64 = 0x6c_6f_62_62_79;

/// Does something to a database of which `database` is the only connection, while nobody else does. A file has a lock of its
/// own, so this is for PostgreSQL, which takes the lock back by itself where the connection ends.
pub async fn alone<T>(
    database: &DatabaseConnection,
    task: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    if database.get_database_backend() != DbBackend::Postgres {
        return task.await;
    }
    database.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATING})")).await?;
    let outcome = task.await;
    let released = database.execute_unprepared(&format!("SELECT pg_advisory_unlock({MIGRATING})")).await;
    let outcome = outcome?;
    released.map(|_| outcome)
}
