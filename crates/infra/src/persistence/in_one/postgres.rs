//! One call of a function that the schema has. It commits by itself.

use lobby_domain::client_id::ClientId;
use lobby_domain::timestamp::Timestamp;
use sea_orm::sqlx::postgres::{PgArguments, PgConnection, PgDatabaseError, PgRow, PgSeverity};
use sea_orm::sqlx::{self, Arguments, Row};

use super::Appended;
use crate::persistence::judge::Judge;

/// The tests' proxy takes it for a commit.
const APPEND: &str = "SELECT log_end, log_time FROM append_in_one($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)";

pub(super) async fn append(
    connection: &mut PgConnection,
    judged: &Judge,
    seen: i64,
) -> Result<Option<Appended>, sqlx::Error> {
    let arguments = arguments(judged, seen).map_err(sqlx::Error::Encode)?;
    // Reads on until the server is ready again: before that it has answered, but not committed.
    match sqlx::query_with(APPEND, arguments).fetch_optional(connection).await {
        Ok(row) => row.map_or(Ok(None), |row| appended(&row)),
        Err(error) if is_refusal(&error) => {
            tracing::debug!(%error, "a batch is not appended in one go");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The server has said that the statement failed, and so has taken back what it had done; where it says that the connection
/// ends, it may have committed before.
fn is_refusal(error: &sqlx::Error) -> bool {
    let told = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    told.is_some_and(|error| error.severity() == PgSeverity::Error)
}

fn appended(row: &PgRow) -> Result<Option<Appended>, sqlx::Error> {
    let Some(before) = row.try_get(0)? else { return Ok(None) };
    Ok(Some(Appended { before, timestamp: Timestamp::from_millis(row.try_get(1)?) }))
}

fn arguments(judged: &Judge, seen: i64) -> Result<PgArguments, sqlx::error::BoxDynError> {
    let (mut all, sessions) = (PgArguments::default(), judged.sessions());
    all.add(seen)?;
    all.add(sessions.keys().copied().collect::<Vec<_>>())?;
    all.add(sessions.values().map(|session| session.claimed).collect::<Vec<_>>())?;
    let messages = || judged.entries().map(|entry| entry.message);
    all.add(messages().map(|message| message.sender_session.0).collect::<Vec<_>>())?;
    all.add(messages().map(|message| message.sender_id.0).collect::<Vec<_>>())?;
    all.add(messages().map(|message| message.sender.as_str()).collect::<Vec<_>>())?;
    all.add(unless_none(messages().map(|message| message.to.as_ref().map(|to| to.session.0))))?;
    all.add(unless_none(messages().map(|message| message.to.as_ref().map(|to| to.pseudonym.as_str()))))?;
    all.add(messages().map(|message| message.content.as_str()).collect::<Vec<_>>())?;
    all.add(unless_none(messages().map(|message| message.client_id.as_ref().map(ClientId::as_str))))?;
    all.add(unless_none(judged.entries().map(|entry| entry.fingerprint)))?;
    all.add(judged.entries().map(|entry| entry.key).collect::<Vec<_>>())?;
    Ok(all)
}

/// Nothing where there is none: an array that is null is as good as one of nulls, and costs nothing.
fn unless_none<T>(values: impl Iterator<Item = Option<T>>) -> Option<Vec<Option<T>>> {
    let values: Vec<_> = values.collect();
    values.iter().any(Option::is_some).then_some(values)
}
