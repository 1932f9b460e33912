//! A function that appends a whole batch in one go, where nothing speaks against it: one way to the database and back instead
//! of five. SQLite needs none.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The step.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait elides them, and a boxed method has to look the same"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All or nothing: a start that is cut off leaves no half of a schema behind.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        only_on_postgres(manager, CREATE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        only_on_postgres(manager, "DROP FUNCTION append_in_one").await
    }
}

async fn only_on_postgres(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

/// Answers with the log's last message before the batch and the batch's time; with nulls if the log is shorter than `seen`,
/// one of the `known` sessions is not what it was, or a client id is taken: then nothing is changed. Arrays of what no message
/// of the batch has may be null.
///
/// Each of its statements sees what was committed before it began. So what they see after the lock is certain.
const CREATE: &str = "
CREATE FUNCTION append_in_one(
    seen BIGINT, known UUID[], known_claimed BOOLEAN[],
    sender_sessions UUID[], sender_ids BIGINT[], senders TEXT[], to_sessions UUID[], to_names TEXT[],
    contents TEXT[], their_client_ids TEXT[], fingerprints BYTEA[], post_keys UUID[],
    OUT log_end BIGINT, OUT log_time BIGINT
) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    locked_end BIGINT;
    locked_time BIGINT;
    unchanged BIGINT;
BEGIN
    SELECT last_id, last_timestamp INTO STRICT locked_end, locked_time FROM log_head FOR UPDATE;
    -- One after the other, by the index, whatever is thought how many there are.
    SELECT COUNT(*) INTO unchanged
        FROM UNNEST(known, known_claimed) AS wanted(id, claimed)
        CROSS JOIN LATERAL (
            SELECT FROM sessions
            WHERE sessions.id = wanted.id AND sessions.claimed = wanted.claimed AND ended_at IS NULL
            LIMIT 1
        ) AS found;
    IF locked_end < seen OR unchanged <> CARDINALITY(known) THEN
        RETURN;
    END IF;
    locked_time := GREATEST(locked_time, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT));
    IF fingerprints IS NOT NULL THEN
        BEGIN
            INSERT INTO client_ids
                (session, client_id, fingerprint, message_id, to_session, to_name, timestamp)
                SELECT new.session, new.client_id, new.fingerprint, locked_end + new.number, new.to_session,
                    new.to_name, locked_time
                FROM UNNEST(sender_sessions, their_client_ids, fingerprints, to_sessions, to_names)
                    WITH ORDINALITY AS new(session, client_id, fingerprint, to_session, to_name, number)
                WHERE new.client_id IS NOT NULL;
        EXCEPTION WHEN unique_violation THEN
            RETURN;
        END;
    END IF;
    INSERT INTO messages
        (id, sender_session, sender_id, sender, to_session, to_name, content, client_id, timestamp, post_key)
        SELECT locked_end + new.number, new.session, new.user_id, new.name, new.to_session, new.to_name,
            new.content, new.client_id, locked_time, new.post_key
        FROM UNNEST(
            sender_sessions, sender_ids, senders, to_sessions, to_names, contents, their_client_ids, post_keys
        ) WITH ORDINALITY
            AS new(session, user_id, name, to_session, to_name, content, client_id, post_key, number);
    UPDATE log_head SET last_id = locked_end + CARDINALITY(post_keys), last_timestamp = locked_time;
    log_end := locked_end;
    log_time := locked_time;
END
$$";
