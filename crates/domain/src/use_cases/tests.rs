use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::auth::{AuthMode, Caller, Credentials, Forbidden};
use crate::client_id::ClientId;
use crate::event::{DepartureReason, Event, Revision};
use crate::message::{Content, Message, MessageId};
use crate::ports::{
    AppendError, MessageLog, MockMessageLog, MockSessions, Retention, Sessions, Tokens, Unavailable,
};
use crate::pseudonym::{InvalidPseudonym, Mention};
use crate::recipient::{Addressee, Unreached};
use crate::resume::{NotResumable, Resume};
use crate::roster::SortBy;
use crate::session::Session;
use crate::testing::{
    FixedClock, Listeners, MemoryStore, NumberedIds, PlainTokens, RecordingAnnouncer, names,
};

mod races;

/// A lobby in memory.
struct Lobby {
    store: Arc<MemoryStore>,
    announced: Arc<RecordingAnnouncer>,
    clock: Arc<FixedClock>,
    log_in: LogIn,
    log_out: LogOut,
    post: PostMessages,
    list: ListOnline,
    history: ReadHistory,
    listeners: Arc<Listeners>,
}

impl Lobby {
    fn new(mode: AuthMode) -> Self {
        let store = Arc::new(MemoryStore::default());
        let announced = Arc::new(RecordingAnnouncer::default());
        let clock = Arc::new(FixedClock::default());
        let listeners = Arc::new(Listeners::default());
        let tokens = Arc::new(PlainTokens);
        let authenticate = || Authenticate {
            sessions: store.clone(),
            presence: store.clone(),
            tokens: tokens.clone(),
            clock: clock.clone(),
            announcer: announced.clone(),
        };
        Self {
            log_in: LogIn {
                names: names(),
                authenticate: authenticate(),
                sessions: store.clone(),
                tokens: tokens.clone(),
                ids: Arc::new(NumberedIds::default()),
                clock: clock.clone(),
                announcer: announced.clone(),
            },
            log_out: LogOut {
                mode,
                sessions: store.clone(),
                authenticate: authenticate(),
                clock: clock.clone(),
                announcer: announced.clone(),
            },
            post: PostMessages {
                mode,
                sessions: store.clone(),
                log: store.clone(),
                clock: clock.clone(),
                reach: listeners.clone(),
                announcer: announced.clone(),
            },
            list: ListOnline::new(store.clone()),
            history: ReadHistory::new(store.clone()),
            store,
            listeners,
            announced,
            clock,
        }
    }

    fn open() -> Self {
        Self::new(AuthMode::Open)
    }

    async fn try_log_in(
        &self,
        pseudonym: &str,
        claim: bool,
        by: Credentials,
    ) -> Result<LoggedIn, LogInError> {
        self.log_in.execute(LogInRequest { pseudonym: pseudonym.into(), claim, credentials: by }).await
    }

    /// Logs somebody in and forgets that it was announced.
    async fn there_is(&self, pseudonym: &str, claim: bool) -> LoggedIn {
        let logged_in = self.try_log_in(pseudonym, claim, nothing()).await.expect("the name is free");
        let _ = self.announced.take();
        logged_in
    }

    async fn try_log_out(&self, pseudonym: &str, by: Credentials) -> Result<Session, LogOutError> {
        self.log_out.execute(LogOutRequest { pseudonym: mention(pseudonym), credentials: by }).await
    }

    async fn say(&self, caller: Caller, sender: Option<&str>, text: &str) -> Result<String, PostError> {
        self.try_post(post(caller, sender, text)).await.map(|message| message.sender.to_string())
    }

    async fn try_post(&self, post: Post) -> Result<Message, PostError> {
        let [answer] = self.post.execute(vec![post]).await.try_into().expect("one post, one answer");
        answer
    }
}

fn post(caller: Caller, sender: Option<&str>, text: &str) -> Post {
    let content = Content::parse(text).expect("a good content");
    Post { caller, sender: sender.map(mention), to: None, content, client_id: None }
}

fn by(of: &LoggedIn) -> Caller {
    Caller::Token(of.session.clone())
}

fn called(client_id: &str, post: Post) -> Post {
    Post { client_id: Some(ClientId::parse(client_id).expect("a good client id")), ..post }
}

fn private(to: &str, post: Post) -> Post {
    Post { to: Some(Addressee::parse(to).expect("short enough")), ..post }
}

fn mention(name: &str) -> Mention {
    Mention::parse(name).expect("short enough")
}

fn nothing() -> Credentials {
    Credentials::default()
}

fn token(of: &LoggedIn) -> Credentials {
    Credentials { token: Some(of.token.expose().into()), cookie: None }
}

fn cookie(of: &LoggedIn) -> Credentials {
    Credentials { token: None, cookie: Some(of.token.expose().into()) }
}

fn away() -> Unavailable {
    Unavailable::new("no database")
}

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
