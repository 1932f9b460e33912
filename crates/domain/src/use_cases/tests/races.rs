//! Sessions that run out, or come back, between two looks at them.

use super::*;

#[tokio::test]
async fn a_log_out_by_token_ends_for_good_who_runs_out_meanwhile() {
    let mut lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    let mut sessions = MockSessions::new();
    sessions.expect_named().times(1).return_once(|_| Ok(vec![]));
    let back = john.session.clone();
    sessions.expect_named().times(1).return_once(|_| Ok(vec![back]));
    sessions.expect_end().times(1).return_once(|_, _, _| Ok(Some(Revision(4))));
    lobby.log_out.sessions = Arc::new(sessions);
    let ended = lobby.try_log_out("JohnDoe", token(&john)).await.expect("it is his");
    assert_eq!(ended, john.session);
}

#[tokio::test]
async fn a_log_out_of_somebody_who_is_not_there_is_refused_with_a_token_too() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    let refused = lobby.try_log_out("Zoë", token(&john)).await;
    assert!(matches!(refused, Err(LogOutError::NotConnected(_))), "{refused:?}");
}

/// Two tabs bring it back at once: the second one finds it neither alive, a moment ago, nor run out, any more.
#[tokio::test]
async fn a_token_is_good_whose_session_is_brought_back_meanwhile() {
    let mut lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    let mut sessions = MockSessions::new();
    sessions.expect_find().times(1).return_once(|_| Ok(None));
    let back = john.session.clone();
    sessions.expect_find().times(1).return_once(|_| Ok(Some(back)));
    lobby.log_out.authenticate.sessions = Arc::new(sessions);
    let caller = lobby.log_out.authenticate.execute(&token(&john)).await.expect("it is good");
    assert_eq!(caller, by(&john));
}
