use tokio::time::advance;
use uuid::Uuid;

use super::*;

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
