//! Logging in and out, and the right to do things in a name.

use super::*;

#[tokio::test]
async fn logging_in_opens_a_session_and_announces_it() {
    let lobby = Lobby::open();
    lobby.clock.set(42);
    let logged_in = lobby.try_log_in("Zoë", false, nothing()).await.expect("the name is free");
    assert_eq!(logged_in.session.pseudonym.as_str(), "Zoë");
    assert_eq!(logged_in.session.connected_at.as_millis(), 42);
    assert!(!logged_in.session.claimed);
    assert_eq!(PlainTokens.verify(logged_in.token.expose()), Some(logged_in.session.id));
    let joined = Event::UserJoined { session: logged_in.session, revision: Revision(1) };
    assert_eq!(lobby.announced.take(), [joined]);
}

#[rstest]
#[case("JohnDoe")]
#[case("johndoe")]
#[case("ЈоhnDое")]
#[tokio::test]
async fn a_name_in_use_is_refused_and_nothing_is_announced(#[case] same: &str) {
    let lobby = Lobby::open();
    lobby.there_is("JohnDoe", false).await;
    let refused = lobby.try_log_in(same, false, nothing()).await;
    assert!(matches!(refused, Err(LogInError::AlreadyConnected(_))), "{refused:?}");
    assert_eq!(lobby.announced.take(), []);
}

#[tokio::test]
async fn a_name_that_is_not_allowed_is_refused_before_anything_is_asked() {
    let mut lobby = Lobby::open();
    lobby.log_in.sessions = Arc::new(MockSessions::new());
    let refused = lobby.try_log_in("admin", false, nothing()).await;
    assert!(matches!(refused, Err(LogInError::InvalidPseudonym(InvalidPseudonym::Reserved))), "{refused:?}");
}

#[tokio::test]
async fn the_names_own_credentials_bring_the_same_session_and_token() {
    let lobby = Lobby::open();
    let first = lobby.there_is("JohnDoe", false).await;
    let by_cookie = lobby.try_log_in("johndoe", false, cookie(&first)).await.expect("it is his");
    assert_eq!(by_cookie, first);
    let by_token = lobby.try_log_in("JohnDoe", false, token(&first)).await.expect("it is his");
    assert_eq!((by_token.session.id, &by_token.token), (first.session.id, &first.token));
    assert!(by_token.session.claimed, "a token shown on purpose claims");
    assert_eq!(lobby.announced.take(), []);
}

#[tokio::test]
async fn another_names_credentials_open_a_new_session_and_the_old_one_goes_on() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", false).await;
    let zoe = lobby.try_log_in("Zoë", false, cookie(&john)).await.expect("the name is free");
    assert_ne!(zoe.session.id, john.session.id);
    assert_eq!(lobby.store.find(john.session.id).await.expect("a look"), Some(john.session));
}

#[tokio::test]
async fn logging_in_with_claim_claims() {
    let lobby = Lobby::open();
    let opened = lobby.try_log_in("JohnDoe", true, nothing()).await.expect("the name is free");
    assert!(opened.session.claimed);
    let zoe = lobby.there_is("Zoë", false).await;
    let kept = lobby.try_log_in("Zoë", true, cookie(&zoe)).await.expect("it is hers");
    assert!(kept.session.claimed);
    assert_eq!(kept.session.id, zoe.session.id);
}

#[tokio::test]
async fn a_bad_token_is_refused_and_a_bad_cookie_counts_as_absent() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", false).await;
    lobby.try_log_out("JohnDoe", nothing()).await.expect("unclaimed");
    let stale = lobby.try_log_in("JohnDoe", false, token(&john)).await;
    assert!(matches!(stale, Err(LogInError::Authenticate(AuthenticateError::InvalidToken))), "{stale:?}");
    let again = lobby.try_log_in("JohnDoe", false, cookie(&john)).await.expect("the name is free");
    assert_ne!(again.session.id, john.session.id);
}

#[tokio::test]
async fn storage_that_is_away_refuses_and_announces_nothing() {
    let mut lobby = Lobby::open();
    let mut sessions = MockSessions::new();
    sessions.expect_open().return_once(|_| Err(away().into()));
    lobby.log_in.sessions = Arc::new(sessions);
    let refused = lobby.try_log_in("JohnDoe", false, nothing()).await;
    assert!(matches!(refused, Err(LogInError::Unavailable(_))), "{refused:?}");
    assert_eq!(lobby.announced.take(), []);
}

#[tokio::test]
async fn logging_out_ends_the_session_and_announces_it() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", false).await;
    let ended = lobby.try_log_out("johndoe", nothing()).await.expect("unclaimed");
    assert_eq!(ended, john.session);
    let announced = lobby.announced.take();
    let [Event::UserLeft(departure)] = announced.as_slice() else { panic!("{announced:?}") };
    assert_eq!((departure.session, departure.revision), (john.session.id, Revision(2)));
    assert_eq!(departure.reason, DepartureReason::Logout);
    let again = lobby.try_log_out("JohnDoe", nothing()).await;
    assert!(matches!(again, Err(LogOutError::NotConnected(_))), "{again:?}");
    assert_eq!(lobby.announced.take(), []);
}

/// Who may act in whose name. `JohnDoe` is claimed or not, `Zoë` is somebody else.
#[derive(Debug, Clone, Copy)]
enum Shows {
    Nothing,
    Token,
    Cookie,
    OthersToken,
    OthersCookie,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allowed,
    TokenRequired,
    NotYourSession,
}

#[rstest]
#[case(AuthMode::Open, false, Shows::Nothing, Verdict::Allowed)]
#[case(AuthMode::Open, false, Shows::Token, Verdict::Allowed)]
#[case(AuthMode::Open, false, Shows::Cookie, Verdict::Allowed)]
#[case(AuthMode::Open, false, Shows::OthersToken, Verdict::NotYourSession)]
#[case(AuthMode::Open, false, Shows::OthersCookie, Verdict::Allowed)]
#[case(AuthMode::Open, true, Shows::Nothing, Verdict::TokenRequired)]
#[case(AuthMode::Open, true, Shows::Token, Verdict::Allowed)]
#[case(AuthMode::Open, true, Shows::Cookie, Verdict::Allowed)]
#[case(AuthMode::Open, true, Shows::OthersToken, Verdict::NotYourSession)]
#[case(AuthMode::Open, true, Shows::OthersCookie, Verdict::NotYourSession)]
#[case(AuthMode::Token, false, Shows::Nothing, Verdict::TokenRequired)]
#[case(AuthMode::Token, false, Shows::Cookie, Verdict::Allowed)]
#[case(AuthMode::Token, false, Shows::OthersCookie, Verdict::NotYourSession)]
#[case(AuthMode::Token, true, Shows::Nothing, Verdict::TokenRequired)]
#[case(AuthMode::Token, true, Shows::Token, Verdict::Allowed)]
#[case(AuthMode::Token, true, Shows::OthersToken, Verdict::NotYourSession)]
#[tokio::test]
async fn speaking_and_logging_out_need_the_same_right(
    #[case] mode: AuthMode,
    #[case] claimed: bool,
    #[case] shows: Shows,
    #[case] verdict: Verdict,
) {
    let lobby = Lobby::new(mode);
    let john = lobby.there_is("JohnDoe", claimed).await;
    let zoe = lobby.there_is("Zoë", false).await;
    let (caller, credentials) = match shows {
        Shows::Nothing => (Caller::Nobody, nothing()),
        Shows::Token => (Caller::Token(john.session.clone()), token(&john)),
        Shows::Cookie => (Caller::Cookie(john.session.clone()), cookie(&john)),
        Shows::OthersToken => (Caller::Token(zoe.session.clone()), token(&zoe)),
        Shows::OthersCookie => (Caller::Cookie(zoe.session.clone()), cookie(&zoe)),
    };

    let said = match lobby.say(caller, Some("JohnDoe"), "hello").await {
        Ok(_) => Verdict::Allowed,
        Err(PostError::Forbidden(Forbidden::TokenRequired)) => Verdict::TokenRequired,
        Err(PostError::Forbidden(Forbidden::NotYourSession)) => Verdict::NotYourSession,
        Err(other) => panic!("{other:?}"),
    };
    let logged_out = match lobby.try_log_out("JohnDoe", credentials).await {
        Ok(_) => Verdict::Allowed,
        Err(LogOutError::Forbidden(Forbidden::TokenRequired)) => Verdict::TokenRequired,
        Err(LogOutError::Forbidden(Forbidden::NotYourSession)) => Verdict::NotYourSession,
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!((said, logged_out), (verdict, verdict));
    assert_eq!(lobby.store.messages().len(), usize::from(verdict == Verdict::Allowed));
}
