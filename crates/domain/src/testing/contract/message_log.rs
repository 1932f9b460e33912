use std::collections::BTreeSet;

use super::sessions::join_all;
use super::{Store, at, claim, id, open};
use crate::auth::Authority;
use crate::client_id::ClientId;
use crate::message::{Content, Message, MessageId};
use crate::ports::{Address, Draft, LogHead, PageQuery, Posted, Rejection, Retention, Span, Viewer};
use crate::recipient::{Addressee, Meant, Unreached};

fn draft(sender: u128, text: &str) -> Draft {
    let content = Content::parse(text).expect("a good content");
    Draft { sender_session: id(sender), authority: Authority::Token, to: None, content, client_id: None }
}

fn called(client_id: &str, draft: Draft) -> Draft {
    Draft { client_id: Some(ClientId::parse(client_id).expect("a good client id")), ..draft }
}

/// To a session that has a connection.
fn private(to: u128, draft: Draft) -> Draft {
    let addressee = addressee(&id(to).to_string());
    let Meant::Session(session) = addressee.meant else { panic!("a session") };
    Draft { to: Some(Address { addressee, session: Ok(session), is_reached: true }), ..draft }
}

fn addressee(text: &str) -> Addressee {
    Addressee::parse(text).expect("short enough")
}

async fn append(store: &impl Store, drafts: &[Draft]) -> Vec<Result<Posted, Rejection>> {
    store.append(drafts, at(1)).await.expect("an answer")
}

/// All of them new.
async fn say(store: &impl Store, drafts: &[Draft]) -> Vec<Message> {
    let posted = append(store, drafts).await.into_iter().map(|outcome| outcome.expect("it is posted"));
    posted.inspect(|posted| assert!(!posted.repeated)).map(|posted| posted.message).collect()
}

async fn say_many(store: &impl Store, sender: u128, many: usize) {
    let drafts: Vec<_> = (1..=many).map(|n| draft(sender, &n.to_string())).collect();
    say(store, &drafts).await;
}

async fn head(store: &impl Store) -> LogHead {
    store.head().await.expect("a look")
}

async fn ids(store: &impl Store, span: Span, limit: usize, viewer: Viewer) -> (Vec<i64>, bool) {
    let page = store.page(PageQuery { span, limit, viewer }).await.expect("a page");
    (page.messages.iter().map(|message| message.id.0).collect(), page.has_more)
}

fn after(id: i64) -> Span {
    Span::After(MessageId(id))
}

fn before(id: i64) -> Span {
    Span::Before(MessageId(id))
}

/// Before the first message.
pub async fn an_empty_log_stands_at_zero_and_keeps_its_id(store: &impl Store) {
    let empty = head(store).await;
    assert_eq!((empty.first_id, empty.last_id), (MessageId(1), MessageId(0)));
    assert_eq!(ids(store, after(0), 10, Viewer::Lobby).await, (vec![], false));
    open(store, 1, "JohnDoe").await;
    say(store, &[draft(1, "hello")]).await;
    assert_eq!(head(store).await, LogHead { last_id: MessageId(1), ..empty });
}

/// Within one call and over many.
pub async fn messages_get_the_next_ids_in_order(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    let mut seen = Vec::new();
    for drafts in [vec![draft(1, "a"), draft(2, "b"), draft(1, "c")], vec![], vec![draft(2, "d")]] {
        seen.extend(say(store, &drafts).await);
    }
    let said: Vec<_> = seen.iter().map(|m| (m.id.0, m.content.as_str())).collect();
    assert_eq!(said, [(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
    let page = store.page(PageQuery { span: after(0), limit: 10, viewer: Viewer::Lobby }).await;
    assert_eq!(page.expect("a page").messages, seen, "what is answered is what is stored");
}

/// As the sessions were when it was said.
pub async fn a_message_says_who_sent_it_and_to_whom(store: &impl Store) {
    let zoe = open(store, 1, "Zoë").await;
    let john = open(store, 2, "JohnDoe").await;
    let drafts = [draft(1, "hello 李明"), private(2, called("c-1", draft(1, "psst")))];
    let [public, private] = say(store, &drafts).await.try_into().expect("two messages");
    assert_eq!((public.sender_session, public.sender_id), (zoe.id, zoe.user.id));
    assert_eq!((public.sender.as_str(), public.content.as_str()), ("Zoë", "hello 李明"));
    assert_eq!((public.to, public.client_id), (None, None));
    let to = private.to.expect("it is private");
    assert_eq!((to.session, to.pseudonym.as_str()), (john.id, "JohnDoe"));
    assert_eq!(private.client_id.expect("it has one").as_str(), "c-1");
}

/// A full batch at once, and statements of every size.
pub async fn any_number_of_messages_goes_into_one_transaction(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    let mut last = 0;
    for many in [1, 2, 3, 7, 64, 100, 255, 256] {
        let drafts: Vec<_> =
            (0..many).map(|n| called(&format!("{many}-{n}"), draft(1, &format!("{n}")))).collect();
        let said: Vec<_> = say(store, &drafts).await.iter().map(|message| message.id.0).collect();
        assert_eq!(said, (last + 1..=last + many).collect::<Vec<_>>());
        last += many;
    }
    assert_eq!(head(store).await.last_id.0, last);
}

/// And leaves no gap where it would have been.
pub async fn a_session_that_is_over_gets_no_id(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    store.end(id(2), Authority::Name, at(1)).await.expect("it ends");
    let outcomes = append(store, &[draft(1, "a"), draft(2, "b"), draft(9, "c"), draft(1, "d")]).await;
    let ids: Vec<_> = outcomes.iter().map(|o| o.as_ref().map_or(0, |posted| posted.message.id.0)).collect();
    assert_eq!(ids, [1, 0, 0, 2]);
    assert_eq!(append(store, &[draft(2, "e")]).await, [Err(Rejection::Silenced)]);
    assert_eq!(head(store).await.last_id, MessageId(2));
    assert_eq!(say(store, &[draft(1, "f")]).await[0].id, MessageId(3));
}

/// Also when it was unclaimed as the draft was made.
pub async fn a_claimed_session_says_nothing_by_its_name_alone(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    let by_name = Draft { authority: Authority::Name, ..draft(1, "by name") };
    assert_eq!(say(store, std::slice::from_ref(&by_name)).await.len(), 1);
    assert!(claim(store, 1).await);
    let outcomes = append(store, &[by_name, draft(1, "his own")]).await;
    assert_eq!(outcomes[0], Err(Rejection::Silenced));
    assert_eq!(outcomes[1].as_ref().expect("it is his").message.content.as_str(), "his own");
}

/// Whatever the clock does.
pub async fn time_in_the_log_never_goes_back(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    let mut stamps = Vec::new();
    for now in [5_000, 3_000, 6_000] {
        let posted = store.append(&[draft(1, "x"), draft(1, "y")], at(now)).await.expect("an answer");
        stamps.extend(posted.into_iter().map(|outcome| outcome.expect("it is posted").message.timestamp));
    }
    assert!(stamps.is_sorted(), "{stamps:?}");
}

/// Of a log that belongs to one node: its clock counts, but never backwards.
pub async fn the_nodes_own_clock_counts(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    let mut stamps = Vec::new();
    for now in [5_000, 3_000, 6_000] {
        let posted = store.append(&[draft(1, "x"), draft(1, "y")], at(now)).await.expect("an answer");
        stamps.extend(posted.into_iter().map(|o| o.expect("it is posted").message.timestamp.as_millis()));
    }
    assert_eq!(stamps, [5_000, 5_000, 5_000, 5_000, 6_000, 6_000]);
}

/// Every id once, none left out, also among refusals.
pub async fn ids_stay_gapless_under_concurrency(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    let batches: Vec<_> = (0..20)
        .map(|n| [draft(1, &format!("{n}a")), draft(9, "refused"), draft(1, &format!("{n}b"))])
        .collect();
    let appends = batches.iter().map(|batch| store.append(batch, at(1)));
    let mut ids = BTreeSet::new();
    for outcomes in join_all(appends).await {
        let pair: Vec<_> =
            outcomes.expect("an answer").into_iter().flatten().map(|p| p.message.id.0).collect();
        assert_eq!(pair[1], pair[0] + 1, "a batch stays together");
        ids.extend(pair);
    }
    assert_eq!(ids, (1..=40).collect());
}

/// In a later call, in the same one, and however often.
pub async fn a_repeat_gets_the_first_answer_and_no_second_message(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    let first = say(store, &[called("x", draft(1, "hello"))]).await.remove(0);
    let again = called("x", draft(1, "hello"));
    for outcome in append(store, &[again.clone(), draft(1, "other"), again]).await.iter().step_by(2) {
        let posted = outcome.as_ref().expect("the first answer");
        assert_eq!((&posted.message, posted.repeated), (&first, true));
    }
    let twice = called("y", draft(1, "twice at once"));
    let outcomes = append(store, &[twice.clone(), twice]).await;
    let [one, other] = outcomes.try_into().expect("two outcomes");
    let (one, other) = (one.expect("posted"), other.expect("posted"));
    assert_eq!((one.message, one.repeated, other.repeated), (other.message, false, true));
    let another_session = say(store, &[called("x", draft(2, "hello"))]).await;
    assert_eq!(another_session[0].id, MessageId(4));
}

/// A hundred at once.
pub async fn a_repeat_that_races_the_first_is_one_message(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    let post = [called("x", draft(1, "hello"))];
    let mut first_ones = 0;
    for outcomes in join_all((0..100).map(|_| store.append(&post, at(1)))).await {
        let posted = outcomes.expect("an answer").remove(0).expect("it is posted");
        assert_eq!(posted.message.id, MessageId(1));
        first_ones += usize::from(!posted.repeated);
    }
    assert_eq!((first_ones, head(store).await.last_id), (1, MessageId(1)));
}

/// Another content, another addressee, or one where there was none.
pub async fn a_client_id_is_not_used_for_something_else(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    let first = called("x", private(2, draft(1, "hello")));
    say(store, std::slice::from_ref(&first)).await;
    let others = [
        called("x", private(2, draft(1, "hello!"))),
        called("x", private(1, draft(1, "hello"))),
        called("x", draft(1, "hello")),
    ];
    let conflict = Err(Rejection::ClientIdConflict(ClientId::parse("x").expect("a good client id")));
    for outcome in append(store, &others).await {
        assert_eq!(outcome, conflict);
    }
    let within_one = [called("y", draft(1, "one")), called("y", draft(1, "other"))];
    assert!(append(store, &within_one).await[1].is_err());
    assert_eq!(head(store).await.last_id, MessageId(2));
}

/// The first answer was that it went through.
pub async fn a_repeat_is_answered_also_when_its_recipient_is_gone(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    let to_zoe = |session| Address { addressee: addressee("Zoë"), session, is_reached: true };
    let post = Draft { to: Some(to_zoe(Ok(id(2)))), ..called("x", draft(1, "psst")) };
    let first = say(store, std::slice::from_ref(&post)).await.remove(0);
    store.end(id(2), Authority::Token, at(1)).await.expect("it ends");
    open(store, 3, "Zoë").await;
    let offline = Err(Unreached::Offline("Zoë".to_owned()));
    for meant_now in [offline, Ok(id(2)), Ok(id(3))] {
        let again = Draft { to: Some(to_zoe(meant_now)), ..post.clone() };
        let posted = append(store, &[again]).await.remove(0).expect("the first answer");
        assert_eq!((posted.message, posted.repeated), (first.clone(), true));
    }
}

/// Messages may go before their client ids do.
pub async fn a_repeat_is_answered_also_when_its_message_is_pruned(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    let post = called("x", private(2, draft(1, "psst")));
    let first = say(store, std::slice::from_ref(&post)).await.remove(0);
    say_many(store, 1, 3).await;
    let keep = Retention { at_most: Some(1), since: None };
    assert!(!store.prune(keep, 100).await.expect("it prunes"));
    let posted = append(store, &[post]).await.remove(0).expect("the first answer");
    assert_eq!((posted.message, posted.repeated), (first, true));
}

/// Not before, and a few at a time.
pub async fn client_ids_are_forgotten_when_their_time_is_over(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    let post = |n: usize| called(&format!("{n}"), draft(1, "hello"));
    say(store, &[post(0), post(1), post(2)]).await;
    assert!(!store.forget_client_ids(at(0), 10).await.expect("it forgets none"));
    assert!(append(store, &[post(0)]).await.remove(0).expect("posted").repeated);
    let later = at(i64::from(u32::MAX) * 1_000_000);
    assert!(store.forget_client_ids(later, 2).await.expect("it forgets two"));
    assert!(!store.forget_client_ids(later, 2).await.expect("it forgets one"));
    assert_eq!(say(store, &[post(0), post(1), post(2)]).await.len(), 3);
}

/// Whoever it was meant for, and whoever has the name now.
pub async fn a_private_message_needs_a_recipient_who_is_there(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    open(store, 2, "Zoë").await;
    store.end(id(2), Authority::Token, at(1)).await.expect("it ends");
    open(store, 3, "Zoë").await;
    let unreached = |why| Err(Rejection::Unreached(why));
    let outcomes = append(store, &[private(2, draft(1, "late")), private(9, draft(1, "who?"))]).await;
    let (zoe, unknown) = (|| "Zoë".to_owned(), Unreached::Unknown(id(9).to_string()));
    assert_eq!(outcomes, [unreached(Unreached::Offline(zoe())), unreached(unknown)]);

    let unproved = |number| {
        let draft = private(number, draft(1, "who reads this?"));
        Draft { to: draft.to.map(|to| Address { is_reached: false, ..to }), ..draft }
    };
    let outcomes = append(store, &[unproved(3), unproved(1)]).await;
    assert_eq!(outcomes[0], unreached(Unreached::Unreachable(zoe())));
    assert!(outcomes[1].is_ok(), "to oneself");
    assert!(claim(store, 3).await);
    say(store, &[unproved(3), private(3, draft(1, "psst"))]).await;
    let nobody = Unreached::Unknown("nobody".to_owned());
    let to_nobody =
        Address { addressee: addressee("nobody"), session: Err(nobody.clone()), is_reached: false };
    let outcomes = append(store, &[Draft { to: Some(to_nobody), ..draft(1, "?") }]).await;
    assert_eq!(outcomes, [unreached(nobody)]);
}

/// Nobody else, not the next holder of a name either.
pub async fn private_messages_are_seen_by_the_two_sessions_alone(store: &impl Store) {
    for (number, name) in [(1, "JohnDoe"), (2, "Zoë"), (3, "Mallory")] {
        open(store, number, name).await;
    }
    say(
        store,
        &[
            draft(1, "1: public"),
            private(2, draft(1, "2: to Zoë")),
            private(1, draft(2, "3: to John")),
            private(1, draft(1, "4: to himself")),
            draft(3, "5: public"),
            private(3, draft(2, "6: to Mallory")),
        ],
    )
    .await;
    store.end(id(2), Authority::Token, at(1)).await.expect("it ends");
    open(store, 4, "Zoë").await;
    for (viewer, visible) in [
        (Viewer::Lobby, vec![1, 2, 3, 4, 5, 6]),
        (Viewer::Nobody, vec![1, 5]),
        (Viewer::Session(id(1)), vec![1, 2, 3, 4, 5]),
        (Viewer::Session(id(2)), vec![1, 2, 3, 5, 6]),
        (Viewer::Session(id(3)), vec![1, 5, 6]),
        (Viewer::Session(id(4)), vec![1, 5]),
    ] {
        for span in [after(0), before(100)] {
            assert_eq!(ids(store, span, 10, viewer).await, (visible.clone(), false), "{viewer:?} {span:?}");
        }
        let one_by_one = walk(store, viewer).await;
        assert_eq!(one_by_one, visible, "{viewer:?}");
    }
}

async fn walk(store: &impl Store, viewer: Viewer) -> Vec<i64> {
    let (mut seen, mut has_more) = (Vec::new(), true);
    while has_more {
        let (page, more) = ids(store, after(seen.last().copied().unwrap_or(0)), 1, viewer).await;
        seen.extend(page);
        has_more = more;
    }
    seen
}

/// Both directions, every edge.
pub async fn the_log_is_read_in_pages(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    say_many(store, 1, 10).await;
    for (span, limit, expected, has_more) in [
        (after(0), 3, vec![1, 2, 3], true),
        (after(3), 3, vec![4, 5, 6], true),
        (after(7), 3, vec![8, 9, 10], false),
        (after(0), 10, (1..=10).collect(), false),
        (after(10), 3, vec![], false),
        (after(99), 3, vec![], false),
        (before(i64::MAX), 3, vec![8, 9, 10], true),
        (before(8), 3, vec![5, 6, 7], true),
        (before(4), 3, vec![1, 2, 3], false),
        (before(1), 3, vec![], false),
        (before(-5), 3, vec![], false),
    ] {
        for viewer in [Viewer::Lobby, Viewer::Nobody, Viewer::Session(id(1)), Viewer::Session(id(9))] {
            assert_eq!(
                ids(store, span, limit, viewer).await,
                (expected.clone(), has_more),
                "{span:?} {viewer:?}"
            );
        }
    }
}

/// From its beginning, a few at a time; ids go on.
pub async fn what_is_not_to_be_kept_is_pruned(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    assert!(!store.prune(Retention { at_most: Some(1), since: None }, 5).await.expect("nothing to prune"));
    say_many(store, 1, 10).await;
    let first = async || head(store).await.first_id.0;
    assert!(!store.prune(Retention::default(), 5).await.expect("everything is kept"));
    assert_eq!(first().await, 1);
    let keep = Retention { at_most: Some(4), since: None };
    assert!(store.prune(keep, 5).await.expect("it prunes"));
    assert_eq!(first().await, 6);
    assert!(!store.prune(keep, 5).await.expect("it prunes"));
    assert_eq!(ids(store, after(0), 20, Viewer::Lobby).await, (vec![7, 8, 9, 10], false));
    let page =
        store.page(PageQuery { span: after(0), limit: 1, viewer: Viewer::Nobody }).await.expect("a page");
    assert_eq!((page.head.first_id.0, page.head.last_id.0), (7, 10), "as of the same moment");

    let forever = at(i64::from(u32::MAX) * 1_000_000);
    assert!(!store.prune(Retention { at_most: None, since: Some(at(0)) }, 5).await.expect("all are newer"));
    assert!(!store.prune(Retention { at_most: None, since: Some(forever) }, 5).await.expect("it prunes"));
    let empty = head(store).await;
    assert_eq!((empty.first_id.0, empty.last_id.0), (11, 10));
    assert_eq!(say(store, &[draft(1, "on")]).await[0].id, MessageId(11));
}

/// However often, and nothing of it is seen.
pub async fn a_log_that_can_be_written_says_so(store: &impl Store) {
    open(store, 1, "JohnDoe").await;
    say_many(store, 1, 2).await;
    let before = head(store).await;
    for _ in 0..3 {
        store.check_writable().await.expect("it is");
    }
    assert_eq!(head(store).await, before);
    assert_eq!(say(store, &[draft(1, "on")]).await[0].id, MessageId(3));
}
