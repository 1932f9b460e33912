//! Log-ins and log-outs whose commit's answer gets lost: what was done is told, or else nobody would hear of it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use lobby_domain::event::Revision;
use lobby_domain::ports::{ChangeError, OpenError};
use lobby_testbed::When;

use super::outcomes::{ALL, Bench};
use super::*;

impl Bench {
    /// What comes of a change whose commit is cut off, with nobody to reach the database any more.
    async fn lose_for_good<T>(&self, when: When, change: impl Future<Output = T>) -> T {
        let fired = self.proxy.cut_at_commit(when);
        let away = async {
            fired.wait().await;
            self.proxy.refuse();
        };
        tokio::join!(change, away).0
    }
}

fn bob() -> NewSession {
    let id = SessionId(random_log_id());
    NewSession { id, pseudonym: name("Bob"), claimed: true, now: Timestamp::from_millis(1) }
}

async fn online(store: &Store) -> (i64, BTreeSet<SessionId>) {
    let online = store.online().await.expect("a look");
    (online.revision.0, online.sessions.iter().map(|session| session.id).collect())
}

#[tokio::test]
async fn a_log_in_that_is_cut_off_is_one_session() {
    let server = Postgres::start().await;
    for when in ALL {
        let bench = Bench::start(&server).await;
        let bob = bob();
        let fired = bench.proxy.cut_at_commit(when);
        let (session, revision) = bench.store.open(bob.clone()).await.expect("it is opened");
        fired.wait().await;
        assert_eq!((session.id, revision, session.claimed), (bob.id, Revision(2), true), "{when:?}");
        assert_eq!(online(&bench.beside).await, (2, BTreeSet::from([bench.ann, bob.id])), "{when:?}");
    }
}

#[tokio::test]
async fn a_log_out_that_is_cut_off_ends_the_session_once() {
    let server = Postgres::start().await;
    for when in ALL {
        let bench = Bench::start(&server).await;
        let fired = bench.proxy.cut_at_commit(when);
        let ended = bench.store.end(bench.ann, Authority::Name, Timestamp::from_millis(7)).await;
        fired.wait().await;
        assert_eq!(ended.expect("it ends"), Some(Revision(2)), "{when:?}");
        assert_eq!(online(&bench.beside).await, (2, BTreeSet::new()), "{when:?}");
        let again = bench.store.end(bench.ann, Authority::Name, Timestamp::from_millis(8)).await;
        assert_eq!(again.expect("an answer"), None, "{when:?}");
    }
}

#[tokio::test]
async fn a_claim_that_is_cut_off_is_one() {
    let server = Postgres::start().await;
    for when in ALL {
        let bench = Bench::start(&server).await;
        let fired = bench.proxy.cut_at_commit(when);
        let claimed = claim(&bench.store, bench.ann).await;
        assert!(claimed.expect("an answer").is_some(), "{when:?}");
        fired.wait().await;
        assert!(bench.beside.find(bench.ann).await.expect("a look").expect("it lives").claimed, "{when:?}");
    }
}

/// Whoever is told so looks first.
#[tokio::test]
async fn what_became_of_a_commit_is_said_to_be_unknown_while_the_database_stays_away() {
    let server = Postgres::start().await;
    join_all(ALL.map(async |when| {
        let (opening, ending) = (Bench::start(&server).await, Bench::start(&server).await);
        let opened = opening.lose_for_good(when, opening.store.open(bob()));
        let end = ending.store.end(ending.ann, Authority::Token, Timestamp::from_millis(7));
        let (opened, ended) = tokio::join!(opened, ending.lose_for_good(when, end));
        assert!(matches!(opened, Err(OpenError::OutcomeUnknown(_))), "{when:?}: {opened:?}");
        assert!(matches!(ended, Err(ChangeError::OutcomeUnknown(_))), "{when:?}: {ended:?}");
        let claimed = claim(&opening.store, opening.ann).await;
        assert!(matches!(claimed, Err(ChangeError::Unavailable(_))), "nothing was asked: {claimed:?}");
    }))
    .await;
}

/// The last attempt only looks what came of those before.
#[tokio::test]
async fn a_change_that_is_never_committed_is_certain_not_to_be_made() {
    let server = Postgres::start().await;
    let bench = Bench::start(&server).await;
    // Checked at the commit, as a full disk is.
    let refusing = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                    $$ BEGIN RAISE EXCEPTION 'full'; END $$; \
                    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON sessions \
                    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()";
    bench.beside.writer().execute_unprepared(refusing).await.expect("a trigger");
    let before = online(&bench.beside).await;
    let opened = bench.store.open(bob()).await;
    assert!(matches!(opened, Err(OpenError::Unavailable(_))), "{opened:?}");
    let claimed = claim(&bench.store, bench.ann).await;
    assert!(matches!(claimed, Err(ChangeError::Unavailable(_))), "{claimed:?}");
    let ended = bench.store.end(bench.ann, Authority::Token, Timestamp::from_millis(7)).await;
    assert!(matches!(ended, Err(ChangeError::Unavailable(_))), "{ended:?}");
    assert_eq!(online(&bench.beside).await, before);
}
