use lobby_domain::ports::{ChangeError, MockPresence, NewSession, Sessions, Unavailable};
use lobby_domain::testing::{
    FixedClock, Listeners, MemoryStore, NumberedIds, PlainTokens, RecordingAnnouncer, name, names,
};
use lobby_domain::timestamp::Timestamp;
use lobby_domain::use_cases::{LogIn, LogOut, PostMessages};
use tokio::time::advance;
use uuid::Uuid;

use super::*;
use crate::writer::Changes;

fn session(n: usize) -> SessionId {
    SessionId(Uuid::from_u128(n as u128 + 1))
}

/// A slack of 3 s for unconnected sessions, of 1 s for unclaimed ones.
fn touched() -> Touched {
    let unclaimed = Duration::from_secs(10);
    Touched::new(&Limits { unconnected: Duration::from_secs(30), unclaimed, ..Limits::default() })
}

#[tokio::test(start_paused = true)]
async fn who_was_kept_alive_need_not_be_again_within_the_smallest_slack() {
    let touched = touched();
    assert!(!touched.is_fresh(session(0)));
    touched.note(session(0));
    advance(Duration::from_millis(999)).await;
    assert!(touched.is_fresh(session(0)) && !touched.is_fresh(session(1)));
    advance(Duration::from_millis(1)).await;
    assert!(!touched.is_fresh(session(0)));
    touched.note(session(0));
    assert!(touched.clone().is_fresh(session(0)), "clones share it");
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded() {
    let touched = touched();
    for n in 0..MOST {
        touched.note(session(n));
    }
    assert!(touched.is_fresh(session(0)) && touched.is_fresh(session(MOST - 1)));
    // All of them are fresh: so all are forgotten.
    touched.note(session(MOST));
    assert!(!touched.is_fresh(session(0)) && touched.is_fresh(session(MOST)));

    // Those that are stale go first.
    advance(Duration::from_millis(500)).await;
    for n in 0..MOST - 1 {
        touched.note(session(n));
    }
    advance(Duration::from_millis(600)).await;
    touched.note(session(MOST + 1));
    assert!(touched.is_fresh(session(0)) && touched.is_fresh(session(MOST + 1)));
    assert!(!touched.is_fresh(session(MOST)));
}

/// Over a lobby that can be read and, for a reason, not be changed.
fn identify(store: &Arc<MemoryStore>, reason: fn() -> ChangeError) -> Identify {
    let mut presence = MockPresence::new();
    presence.expect_wake().returning(move |_, _, _| Err(reason()));
    let (mode, presence) = (AuthMode::Open, Arc::new(presence));
    let (clock, announcer) = (Arc::new(FixedClock::default()), Arc::new(RecordingAnnouncer::default()));
    let (sessions, tokens) = (store.clone(), Arc::new(PlainTokens));
    let authenticate = Authenticate {
        sessions: sessions.clone(),
        presence,
        tokens: tokens.clone(),
        clock: clock.clone(),
        announcer: announcer.clone(),
    };
    let log_in = LogIn {
        names: names(),
        authenticate: authenticate.clone(),
        sessions: sessions.clone(),
        tokens,
        ids: Arc::new(NumberedIds::default()),
        clock: clock.clone(),
        announcer: announcer.clone(),
    };
    let log_out = LogOut {
        mode,
        sessions: sessions.clone(),
        authenticate: authenticate.clone(),
        clock: clock.clone(),
        announcer: announcer.clone(),
    };
    let reach = Arc::new(Listeners::default());
    let allowance = Arc::new(Doorman::away());
    let post = PostMessages { mode, log: sessions.clone(), sessions, clock, reach, announcer, allowance };
    let changes = Changes { log_in, log_out, authenticate: authenticate.clone(), post };
    let (writer, _, _) = Writer::spawn(changes, 1);
    Identify { mode, authenticate, writer, touched: touched(), doorman: Doorman::away() }
}

fn shown(n: usize) -> (Credentials, Credentials) {
    let token = Some(format!("token-of-{}", session(n)));
    let by_cookie = Credentials { cookie: token.clone(), ..Credentials::default() };
    (Credentials { token, ..Credentials::default() }, by_cookie)
}

#[tokio::test]
async fn who_reads_is_recognised_also_while_nothing_can_be_changed() {
    let store = Arc::new(MemoryStore::default());
    for (n, claimed) in [(0, true), (1, false)] {
        let pseudonym = name(&format!("user{n}"));
        let new = NewSession { id: session(n), pseudonym, claimed, now: Timestamp::from_millis(0) };
        store.open(new).await.expect("the name is free");
    }
    let reasons: [fn() -> ChangeError; 2] = [
        || ChangeError::Unavailable(Unavailable::new("as the test wants it")),
        || ChangeError::OutcomeUnknown(Unavailable::new("as the test wants it")),
    ];
    for reason in reasons {
        let identify = identify(&store, reason);
        let (token, cookie) = shown(0);
        // The second is refused without being tried.
        for _ in 0..2 {
            let caller = identify.listener(&token).await.expect("it was seen alive");
            assert!(matches!(caller, Caller::Token(seen) if seen.id == session(0)));
            let caller = identify.listener(&cookie).await.expect("it was seen alive");
            assert!(matches!(caller, Caller::Cookie(seen) if seen.id == session(0)));
        }
        let (to_be_claimed, _) = shown(1);
        identify.listener(&to_be_claimed).await.expect_err("that is a change");
    }
}
