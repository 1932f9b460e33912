use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use uuid::Uuid;

use super::{at, id};
use crate::client_id::ClientId;
use crate::event::{Departure, DepartureReason, Event, Revision};
use crate::message::{Content, LogId, MAX_CONTENT_CHARS, Message, MessageId, Recipient};
use crate::ports::{Bus, Hint, News};
use crate::session::Session;
use crate::testing::name;
use crate::user::{User, UserId};

/// Three nodes on one bus, which hear each other by now.
pub type Nodes = [Arc<dyn Bus>; 3];

/// Enough to fill any queue.
const TOO_MUCH: usize = 20_000;

fn hint(news: News) -> Hint {
    Hint { log: LogId(Uuid::from_u128(1)), news }
}

fn marker(number: u128) -> Hint {
    hint(News::Superseded(number))
}

fn message(number: i64, content: &str) -> Message {
    Message {
        id: MessageId(number),
        sender_session: id(1),
        sender_id: UserId(7),
        sender: name("Zoë"),
        to: None,
        content: Content::parse(content).expect("a good content"),
        client_id: None,
        timestamp: at(1_795_408_260_007),
    }
}

fn session(claimed: bool) -> Session {
    Session {
        id: id(2),
        user: User { id: UserId(8), created_at: at(5) },
        pseudonym: name("JohnDoe"),
        connected_at: at(6),
        claimed,
    }
}

fn departure(reason: DepartureReason) -> Departure {
    Departure { session: id(2), user: UserId(8), pseudonym: name("JohnDoe"), reason, revision: Revision(3) }
}

/// One of each kind of event, and of each way that it can be.
fn all_events() -> Vec<Event> {
    let to = Recipient { session: id(2), pseudonym: name("JohnDoe") };
    let client_id = Some(ClientId::parse("c \"1\" \u{1f389}").expect("a good client id"));
    vec![
        Event::NewMessage(message(i64::MAX, "say \"hi\"\n\tto \\ <b>李明</b> \u{1f389}\u{2028}")),
        Event::NewMessage(Message { to: Some(to), client_id, ..message(1, "x") }),
        Event::UserJoined { session: session(true), revision: Revision(1) },
        Event::UserJoined { session: session(false), revision: Revision(2) },
        Event::UserLeft(departure(DepartureReason::Logout)),
        Event::UserLeft(departure(DepartureReason::Expired)),
    ]
}

/// Lets others do something.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Hears until this comes, and passes over everything else.
async fn hear_the(node: &Arc<dyn Bus>, meant: &Hint) {
    while node.hear().await != *meant {}
}

/// What one node tells comes to all others as it was told, and not to itself.
pub async fn what_a_node_tells_all_others_hear(nodes: &Nodes) {
    let [teller, others @ ..] = nodes;
    for news in [
        News::Happened(all_events()),
        News::Typing { from: id(1), to: None },
        News::Typing { from: id(1), to: Some(id(2)) },
        News::Superseded(u128::MAX),
    ] {
        let told = hint(news);
        teller.publish(&told);
        for other in others {
            assert_eq!(other.hear().await, told);
        }
    }
    // Whatever comes of its own would have come before this.
    others[0].publish(&marker(1));
    assert_eq!(teller.hear().await, marker(1));
    assert_eq!(others[1].hear().await, marker(1));
}

/// The log says whose a hint is, so it has to be the one that was told.
pub async fn a_hint_says_which_log_it_is_of(nodes: &Nodes) {
    let [teller, other, _] = nodes;
    for log in [1, u128::MAX] {
        let told = Hint { log: LogId(Uuid::from_u128(log)), ..marker(2) };
        teller.publish(&told);
        assert_eq!(other.hear().await, told);
    }
}

/// Whatever fits into a transaction gets there, in one hint or in several.
pub async fn what_happens_in_a_large_transaction_comes_whole(nodes: &Nodes) {
    let [teller, other, _] = nodes;
    let content = "\"\u{1f389}\\".repeat(MAX_CONTENT_CHARS / 3);
    let events: Vec<_> = (1..=100).map(|number| Event::NewMessage(message(number, &content))).collect();
    teller.publish(&hint(News::Happened(events.clone())));
    let mut heard = Vec::new();
    while heard.len() < events.len() {
        let Hint { news: News::Happened(part), .. } = other.hear().await else { panic!("something else") };
        assert!(!part.is_empty());
        heard.extend(part);
    }
    assert!(heard == events, "{} events", heard.len());
}

/// Nothing is lost where somebody who waits has something else to do.
pub async fn who_stops_waiting_has_lost_nothing(nodes: &Nodes) {
    let [teller, other, _] = nodes;
    assert!(other.hear().now_or_never().is_none());
    teller.publish(&marker(3));
    let waited = loop {
        match other.hear().now_or_never() {
            Some(hint) => break hint,
            None => pause().await,
        }
    };
    assert_eq!(waited, marker(3));
}

/// Whoever tells more than anybody takes is not held up. What does not fit is gone, and the next hint that does fit comes.
pub async fn what_does_not_fit_is_dropped_and_counted(nodes: &Nodes) {
    let [teller, other, _] = nodes;
    let large = hint(News::Happened(vec![Event::NewMessage(message(1, &"x".repeat(MAX_CONTENT_CHARS)))]));
    for _ in 0..TOO_MUCH {
        teller.publish(&large);
    }
    let dropped = || nodes.iter().map(|node| node.standing().dropped).sum::<u64>();
    assert!(dropped() > 0);
    let mut heard = 0;
    let last = marker(4);
    loop {
        teller.publish(&last);
        match other.hear().now_or_never() {
            Some(hint) if hint == last => break,
            Some(hint) => {
                assert_eq!(hint, large);
                heard += 1;
            }
            None => pause().await,
        }
    }
    assert!(heard < TOO_MUCH, "all of it was kept");
}

/// Operators see what has come of hints.
pub async fn what_is_told_and_heard_is_counted(nodes: &Nodes) {
    let [teller, other, third] = nodes;
    let before = nodes.each_ref().map(|node| node.standing());
    for number in 0..3 {
        teller.publish(&marker(10 + number));
    }
    hear_the(other, &marker(12)).await;
    while teller.standing().published < before[0].published + 3 {
        pause().await;
    }
    assert_eq!(other.standing().heard, before[1].heard + 3);
    assert_eq!(third.standing().heard, before[2].heard, "it has fetched none");
    assert_eq!(nodes.each_ref().map(|node| node.standing().link), before.map(|before| before.link));
}
