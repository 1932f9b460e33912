//! Sessions need not be fetched for each batch, and what becomes of them is noticed all the same.

use super::*;

fn by_name(session: SessionId) -> Draft {
    Draft { authority: Authority::Name, ..draft(session, "by name") }
}

async fn says_something(store: &Store, session: SessionId) -> bool {
    let appended = store.append(&[by_name(session)], Timestamp::from_millis(1)).await.expect("an answer");
    appended[0].is_ok()
}

/// What another node does, or an operator.
async fn change(store: &Store, session: SessionId, change: &str) {
    let backend = store.backend();
    let statement = match backend {
        DbBackend::Postgres => format!("{change} WHERE id = $1"),
        _ => format!("{change} WHERE id = ?"),
    };
    let statement = Statement::from_sql_and_values(backend, statement, [session.0.into()]);
    store.writer().execute_raw(statement).await.expect("it is changed");
}

async fn changes_of_others_are_noticed(store: &Store) {
    let changes =
        ["UPDATE sessions SET claimed = TRUE", "UPDATE sessions SET ended_at = 1", "DELETE FROM sessions"];
    for (number, what) in changes.into_iter().enumerate() {
        let (one, other) =
            (join(store, &format!("one-{number}")).await, join(store, &format!("other-{number}")).await);
        assert!(says_something(store, one).await && says_something(store, other).await, "before: {what}");
        change(store, one, what).await;
        let drafts = [by_name(one), by_name(other)];
        let appended = store.append(&drafts, Timestamp::from_millis(1)).await.expect("an answer");
        assert!(matches!(appended[..], [Err(Rejection::Silenced), Ok(_)]), "{what}: {appended:?}");
    }
}

#[tokio::test]
async fn what_others_do_to_a_session_is_noticed_on_sqlite() {
    let (store, _folder) = sqlite().await;
    changes_of_others_are_noticed(&store).await;
}

#[tokio::test]
async fn what_others_do_to_a_session_is_noticed_on_postgres() {
    let server = Postgres::start().await;
    let (store, ()) = postgres(&server).await;
    changes_of_others_are_noticed(&store).await;
}

#[tokio::test]
async fn who_comes_back_from_claimed_to_unclaimed_speaks_by_name_again() {
    let (store, _folder) = sqlite().await;
    let john = join(&store, "JohnDoe").await;
    change(&store, john, "UPDATE sessions SET claimed = TRUE").await;
    assert!(!says_something(&store, john).await);
    // As in a database that has lost its last moments.
    change(&store, john, "UPDATE sessions SET claimed = FALSE").await;
    assert!(says_something(&store, john).await);
}
