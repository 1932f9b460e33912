//! Log-ins and log-outs whose commit's answer gets lost: what was done is told, or else nobody would hear of it.

use std::collections::BTreeSet;

use lobby_domain::event::Revision;

use super::outcomes::{ALL, Bench};
use super::*;

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
        assert!(bench.store.claim(bench.ann).await.expect("an answer"), "{when:?}");
        fired.wait().await;
        assert!(bench.beside.find(bench.ann).await.expect("a look").expect("it lives").claimed, "{when:?}");
    }
}
