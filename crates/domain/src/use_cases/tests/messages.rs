//! Saying things, and reading what was said.

use std::time::Duration;

use super::*;
use crate::limits::{Exceeded, Place, Scope};
use crate::ports::Allowance;
use crate::session::SessionId;

#[tokio::test]
async fn messages_are_stored_and_announced_in_the_order_they_came() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    lobby.there_is("Zoë", false).await;
    let answers = lobby
        .post
        .execute(vec![
            post(Caller::Token(john.session.clone()), None, "one"),
            post(Caller::Nobody, Some("nobody-here"), "refused"),
            post(Caller::Nobody, Some("zoë"), "two"),
            post(Caller::Nobody, Some("JohnDoe"), "refused"),
            post(Caller::Token(john.session.clone()), Some("johndoe"), "three"),
        ])
        .await;
    let outcome: Vec<_> = answers.iter().map(|a| a.as_ref().map_or(0, |m| m.id.0)).collect();
    assert_eq!(outcome, [1, 0, 2, 0, 3]);
    assert!(matches!(answers[1], Err(PostError::NotConnected(_))));
    let announced = lobby.announced.take();
    let stored: Vec<_> = lobby.store.messages().into_iter().map(Event::NewMessage).collect();
    assert_eq!(announced, stored);
    assert_eq!(stored.len(), 3);
}

#[tokio::test]
async fn whoever_shows_nothing_has_to_say_a_name() {
    let lobby = Lobby::open();
    lobby.there_is("JohnDoe", false).await;
    let refused = lobby.say(Caller::Nobody, None, "hello").await;
    assert!(matches!(refused, Err(PostError::Forbidden(Forbidden::TokenRequired))), "{refused:?}");
}

/// However a name is spelled, it is the session that counts; and nothing counts that would be refused in any case.
#[tokio::test]
async fn who_has_shown_nothing_is_counted_by_session_and_place_once_it_is_clear_that_they_may_speak() {
    let lobby = Lobby::open();
    let unclaimed = lobby.there_is("Мike", false).await.session;
    let claimed = lobby.there_is("Bob", true).await.session;
    let place = Some(Place::of([192, 0, 2, 1].into()));
    for name in ["Мike", "mike", "MIKE"] {
        let post = Post { place, ..post(Caller::Nobody, Some(name), "hello") };
        lobby.try_post(post).await.expect("the name is enough");
    }
    assert_eq!(lobby.talkers.take(), [(unclaimed.id, place); 3]);
    for post in [
        post(Caller::Nobody, Some("Bob"), "it is claimed"),
        post(Caller::Nobody, Some("Nobody"), "nobody is there"),
        private("Bob", post(Caller::Nobody, Some("mike"), "the name is not enough")),
        called("c-1", post(Caller::Nobody, Some("mike"), "the name is not enough")),
    ] {
        lobby.try_post(post).await.expect_err("it may not");
    }
    for shown in [Caller::Token(claimed.clone()), Caller::Cookie(claimed)] {
        lobby.say(shown, Some("Bob"), "hello").await.expect("it is his");
    }
    assert_eq!(lobby.talkers.take(), []);
}

/// Others speak on, in the same transaction.
#[tokio::test]
async fn who_has_spoken_as_a_session_too_often_is_refused_alone() {
    struct Mute;
    impl Allowance for Mute {
        fn speak_as(&self, _: SessionId, _: Option<Place>) -> Result<(), Exceeded> {
            Err(Exceeded { scope: Scope::Holder, wait: Duration::from_secs(7) })
        }
    }
    let mut lobby = Lobby::open();
    lobby.post.allowance = Arc::new(Mute);
    lobby.there_is("JohnDoe", false).await;
    let bob = lobby.there_is("Bob", true).await;
    let posts = vec![
        post(Caller::Nobody, Some("JohnDoe"), "too often"),
        post(Caller::Token(bob.session), None, "hello"),
    ];
    let answers = lobby.post.execute(posts).await;
    assert!(
        matches!(&answers[..], [Err(PostError::TooOften(Exceeded { wait, .. })), Ok(_)] if wait.as_secs() == 7),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_session_that_is_over_says_nothing() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    lobby.try_log_out("JohnDoe", token(&john)).await.expect("it is his");
    let refused = lobby.say(Caller::Token(john.session), None, "still here").await;
    assert!(matches!(refused, Err(PostError::NotConnected(_))), "{refused:?}");
    assert_eq!(lobby.store.messages(), []);
}

#[tokio::test]
async fn a_cookie_of_an_earlier_session_does_not_keep_the_page_from_speaking_in_its_next_one() {
    let lobby = Lobby::open();
    let first = lobby.there_is("JohnDoe", false).await;
    lobby.try_log_out("JohnDoe", nothing()).await.expect("unclaimed");
    lobby.there_is("JohnDoe", false).await;
    let said = lobby.say(Caller::Cookie(first.session), Some("JohnDoe"), "hello").await;
    assert_eq!(said.expect("the name is enough"), "JohnDoe");
}

#[tokio::test]
async fn a_log_that_is_away_refuses_every_post_and_announces_nothing() {
    let mut lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", false).await;
    let mut log = MockMessageLog::new();
    log.expect_append().times(1).return_once(|_, _| Err(away().into()));
    lobby.post.log = Arc::new(log);
    let refused = lobby.say(Caller::Token(john.session), None, "hello").await;
    assert!(matches!(refused, Err(PostError::Unavailable(_))), "{refused:?}");
    assert_eq!(lobby.announced.take(), []);
}

#[tokio::test]
async fn posts_that_are_all_refused_do_not_touch_the_log() {
    let mut lobby = Lobby::open();
    let mut log = MockMessageLog::new();
    log.expect_append().never();
    lobby.post.log = Arc::new(log);
    let refused = lobby.say(Caller::Nobody, Some("nobody-here"), "hello").await;
    assert!(matches!(refused, Err(PostError::NotConnected(_))), "{refused:?}");
}

#[rstest]
#[case(SortBy::Pseudonym, ["alice", "Bob", "Mike", "nina", "Paul", "Zoë"])]
#[case(SortBy::ConnectedAt, ["Zoë", "nina", "Mike", "alice", "Paul", "Bob"])]
#[tokio::test]
async fn who_is_online_is_listed_as_asked(#[case] sort_by: SortBy, #[case] order: [&str; 6]) {
    let lobby = Lobby::open();
    for (second, pseudonym) in ["Zoë", "nina", "Mike", "alice", "gone", "Paul", "Bob"].into_iter().enumerate()
    {
        lobby.clock.set(i64::try_from(second).expect("small") * 1_000);
        lobby.there_is(pseudonym, false).await;
    }
    lobby.try_log_out("gone", nothing()).await.expect("unclaimed");
    let online = lobby.list.execute(sort_by).await.expect("a list");
    let names: Vec<_> = online.sessions.iter().map(|s| s.pseudonym.as_str()).collect();
    assert_eq!(names, order);
    assert_eq!(online.revision, Revision(8));
}

#[tokio::test]
async fn an_outcome_that_is_not_known_is_told_as_such_and_nothing_is_announced() {
    let mut lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", false).await;
    let mut log = MockMessageLog::new();
    log.expect_append().times(1).return_once(|_, _| Err(AppendError::OutcomeUnknown(away())));
    lobby.post.log = Arc::new(log);
    let refused = lobby.say(Caller::Token(john.session), None, "hello").await;
    assert!(matches!(refused, Err(PostError::OutcomeUnknown(_))), "{refused:?}");
    assert_eq!(lobby.announced.take(), []);
}

#[tokio::test]
async fn a_repeat_is_answered_and_not_announced_again() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    let again = called("x", post(by(&john), None, "hello"));
    let first = lobby.try_post(again.clone()).await.expect("posted");
    assert_eq!(lobby.announced.take().len(), 1);
    assert_eq!(lobby.try_post(again).await.expect("the first answer"), first);
    assert_eq!(lobby.announced.take(), []);
    let other = lobby.try_post(called("x", post(by(&john), None, "other"))).await;
    assert!(matches!(other, Err(PostError::ClientIdConflict(_))), "{other:?}");
}

/// Whoever has only a name must neither whisper in it nor use up its client ids.
#[tokio::test]
async fn what_only_a_proved_session_has_is_refused_to_a_mere_name() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", false).await;
    let by_name = || post(Caller::Nobody, Some("JohnDoe"), "hello");
    for refused in [called("x", by_name()), private("JohnDoe", by_name())] {
        let refused = lobby.try_post(refused).await;
        assert!(matches!(refused, Err(PostError::Forbidden(Forbidden::TokenRequired))), "{refused:?}");
    }
    let by_cookie = post(Caller::Cookie(john.session), None, "hello");
    lobby.try_post(called("x", by_cookie)).await.expect("a cookie proves the session");
}

#[tokio::test]
async fn a_private_message_goes_to_the_session_that_is_meant() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    let zoe = lobby.there_is("Zoë", true).await;
    let id = zoe.session.id.to_string();
    for to in ["zoë", "Zoë", id.as_str(), id.to_uppercase().as_str()] {
        let message = lobby.try_post(private(to, post(by(&john), None, "psst"))).await.expect(to);
        assert_eq!(message.to.expect("it is private").session, zoe.session.id);
    }
    let to_himself = lobby.try_post(private("JohnDoe", post(by(&john), None, "note"))).await.expect("posted");
    assert_eq!(to_himself.to.expect("it is private").session, john.session.id);
}

#[tokio::test]
async fn whoever_cannot_be_reached_is_said_to_be_so() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    let zoe = lobby.there_is("Zoë", false).await;
    let gone = lobby.there_is("gone", true).await;
    lobby.try_log_out("gone", token(&gone)).await.expect("it is theirs");
    let verdict = async |to: &str| match lobby.try_post(private(to, post(by(&john), None, "psst"))).await {
        Ok(_) => "reached",
        Err(PostError::Unreached(Unreached::Unknown(_))) => "unknown",
        Err(PostError::Unreached(Unreached::Offline(_))) => "offline",
        Err(PostError::Unreached(Unreached::Unreachable(_))) => "unreachable",
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(verdict("nobody").await, "unknown");
    assert_eq!(verdict("00000000-0000-0000-0000-0000000000ff").await, "unknown");
    assert_eq!(verdict("gone").await, "offline");
    assert_eq!(verdict(&gone.session.id.to_string()).await, "offline");
    assert_eq!(verdict("Zoë").await, "unreachable");
    assert_eq!(verdict(&zoe.session.id.to_string()).await, "unreachable");
    lobby.listeners.add(zoe.session.id);
    assert_eq!(verdict("Zoë").await, "reached");
}

/// Between looking the name up and getting an id it may have changed hands.
#[tokio::test]
async fn a_private_message_never_goes_to_a_successor() {
    let mut lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    let zoe = lobby.there_is("Zoë", true).await;
    let seen_before = vec![zoe.session.clone()];
    let mut sessions = MockSessions::new();
    sessions.expect_named().return_once(move |_| Ok(seen_before));
    lobby.post.sessions = Arc::new(sessions);
    lobby.try_log_out("Zoë", token(&zoe)).await.expect("it is hers");
    lobby.there_is("Zoë", true).await;
    let refused = lobby.try_post(private("Zoë", post(by(&john), None, "psst"))).await;
    assert!(matches!(refused, Err(PostError::Unreached(Unreached::Offline(_)))), "{refused:?}");
}

#[tokio::test]
async fn history_is_read_by_whoever_may_see_it() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    let zoe = lobby.there_is("Zoë", true).await;
    lobby.try_post(post(by(&john), None, "public")).await.expect("posted");
    lobby.try_post(private("Zoë", post(by(&john), None, "psst"))).await.expect("posted");
    let seen = async |caller: &Caller, passage| {
        let page = lobby.history.execute(caller, passage, 10).await.expect("a page");
        page.messages.iter().map(|message| message.id.0).collect::<Vec<_>>()
    };
    let from_start = Passage::After(Resume { log: None, after: MessageId(0) });
    for passage in [from_start, Passage::Newest, Passage::Before(MessageId(3))] {
        assert_eq!(seen(&by(&zoe), passage).await, [1, 2]);
        assert_eq!(seen(&Caller::Nobody, passage).await, [1]);
    }
    let two = lobby.history.execute(&by(&zoe), from_start, 0).await.expect("a page");
    assert_eq!((two.messages.len(), two.has_more), (1, true), "at least one");
}

#[tokio::test]
async fn history_that_is_not_whole_is_refused() {
    let lobby = Lobby::open();
    let john = lobby.there_is("JohnDoe", true).await;
    for n in 0..3 {
        lobby.try_post(post(by(&john), None, &n.to_string())).await.expect("posted");
    }
    lobby.store.prune(Retention { since: None, at_most: Some(1) }, 10).await.expect("it prunes");
    let after = async |id| {
        let passage = Passage::After(Resume { log: None, after: MessageId(id) });
        lobby.history.execute(&Caller::Nobody, passage, 10).await
    };
    assert!(matches!(after(1).await, Err(HistoryError::NotResumable(NotResumable::Pruned(_)))));
    assert_eq!(after(2).await.expect("a page").messages.len(), 1);
    assert!(matches!(after(4).await, Err(HistoryError::NotResumable(NotResumable::OtherLog(_)))));
}
