//! What becomes of names and tokens when sessions run out.

use std::time::Duration;

use super::*;
use crate::ports::Presence;
use crate::presence::{Limits, NodeId};
use crate::timestamp::Timestamp;
use uuid::Uuid;

const NODE: NodeId = NodeId(Uuid::nil());

/// As the sessions' own times have it.
fn limits() -> Limits {
    Limits::default()
}

/// Presence time goes on by so much, and whoever is over then is ended.
async fn pass(lobby: &Lobby, time: Duration) {
    let mut last = lobby.store.beat(NODE, None).await.expect("a beat").now;
    let end = last.after(time);
    while last < end {
        let step = limits().lease.min(end.since(last));
        last = lobby.store.beat(NODE, Some((last, step))).await.expect("a beat").now;
    }
    lobby.store.reap(NODE, u32::MAX, Timestamp::from_millis(0)).await.expect("a look");
}

/// A claimed session that has just run out.
async fn there_was(lobby: &Lobby, pseudonym: &str) -> LoggedIn {
    let logged_in = lobby.there_is(pseudonym, true).await;
    pass(lobby, limits().unconnected + limits().lease).await;
    assert_eq!(lobby.store.find(logged_in.session.id).await.expect("a look"), None);
    logged_in
}

#[tokio::test]
async fn a_held_name_is_refused_for_as_long_as_it_is_held() {
    let lobby = Lobby::open();
    there_was(&lobby, "JohnDoe").await;
    for (passed, left) in [(0, 60), (45, 15)] {
        pass(&lobby, Duration::from_secs(passed)).await;
        let refused = lobby.try_log_in("johndoe", false, nothing()).await;
        let Err(LogInError::NameHeld { name, retry_after }) = refused else { panic!("{refused:?}") };
        assert_eq!((name.as_str(), retry_after), ("johndoe", Duration::from_secs(left)));
    }
    assert_eq!(lobby.announced.take(), []);
    pass(&lobby, Duration::from_secs(15)).await;
    lobby.try_log_in("johndoe", false, nothing()).await.expect("the name is free");
}

#[rstest]
#[case::token(token)]
#[case::cookie(cookie)]
#[tokio::test]
async fn logging_in_with_its_own_proof_brings_a_session_back_and_announces_it(
    #[case] shown: fn(&LoggedIn) -> Credentials,
) {
    let lobby = Lobby::open();
    let john = there_was(&lobby, "JohnDoe").await;
    let again = lobby.try_log_in("johndoe", false, shown(&john)).await.expect("it is his");
    assert_eq!((again.session.id, again.session.claimed), (john.session.id, true));
    let announced = lobby.announced.take();
    let [Event::UserJoined { session, revision }] = announced.as_slice() else { panic!("{announced:?}") };
    assert_eq!((session.id, *revision), (john.session.id, Revision(3)));
}

#[tokio::test]
async fn a_proof_for_another_name_does_not_open_a_held_one() {
    let lobby = Lobby::open();
    there_was(&lobby, "JohnDoe").await;
    let zoe = lobby.there_is("Zoë", true).await;
    for shown in [token(&zoe), cookie(&zoe)] {
        let refused = lobby.try_log_in("JohnDoe", false, shown).await;
        assert!(matches!(refused, Err(LogInError::NameHeld { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_session_whose_name_another_has_does_not_come_back_before_that_ends() {
    let lobby = Lobby::open();
    let john = there_was(&lobby, "JohnDoe").await;
    pass(&lobby, limits().hold).await;
    let other = lobby.there_is("JohnDoe", true).await;
    let refused = lobby.try_log_in("JohnDoe", false, token(&john)).await;
    assert!(matches!(refused, Err(LogInError::Authenticate(AuthenticateError::InvalidToken))), "{refused:?}");
    let refused = lobby.try_log_in("JohnDoe", false, cookie(&john)).await;
    assert!(matches!(refused, Err(LogInError::AlreadyConnected(_))), "{refused:?}");
    lobby.try_log_out("JohnDoe", token(&other)).await.expect("it is his");
    let again = lobby.try_log_in("JohnDoe", false, token(&john)).await.expect("it is his");
    assert_eq!(again.session.id, john.session.id);
}

#[tokio::test]
async fn in_token_mode_whoever_shows_nothing_is_not_told_who_is_online() {
    let lobby = Lobby::new(AuthMode::Token);
    lobby.there_is("JohnDoe", false).await;
    for name in ["JohnDoe", "Nobody"] {
        let refused = lobby.try_log_out(name, nothing()).await;
        assert!(
            matches!(refused, Err(LogOutError::Forbidden(Forbidden::TokenRequired))),
            "{name}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn whoever_shows_nothing_never_does_what_needs_a_proof() {
    let lobby = Lobby::open();
    for needs in [
        called("x", post(Caller::Nobody, Some("Nobody"), "hello")),
        private("JohnDoe", post(Caller::Nobody, Some("Nobody"), "hello")),
    ] {
        let refused = lobby.try_post(needs).await;
        assert!(matches!(refused, Err(PostError::Forbidden(Forbidden::TokenRequired))), "{refused:?}");
    }
}
