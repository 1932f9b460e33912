use std::thread;

use lobby_domain::limits::Quota;
use tokio::time::advance;
use uuid::Uuid;

use super::*;

fn quota(burst: u32) -> Option<Quota> {
    Quota::new(1, Duration::from_secs(1), burst)
}

fn place(n: u8) -> Option<Place> {
    place_of(Some(SocketAddr::from(([192, 0, 2, n], 1))))
}

fn from(n: u8) -> Visitor {
    Visitor { place: place(n), holder: None }
}

fn session(n: u128) -> SessionId {
    SessionId(Uuid::from_u128(n << 64))
}

type Act<'a> = &'a dyn Fn() -> Result<(), Refusal>;

fn said(refused: Result<(), Refusal>) -> (Code, String, Option<u32>) {
    let refusal = refused.expect_err("it is too much");
    (refusal.code, refusal.detail, refusal.retry_after)
}

#[tokio::test(start_paused = true)]
async fn each_thing_that_is_done_has_limits_of_its_own() {
    let quotas = |burst| Quotas { per_place: quota(burst), ..Quotas::default() };
    let doorman = Doorman::new(&Limits {
        log_ins: quotas(1),
        connections: quotas(2),
        messages: quotas(3),
        events: quotas(4),
        ..Limits::default()
    });
    let deeds: [(&str, usize, Act<'_>); 4] = [
        ("log-ins", 1, &|| doorman.log_in(from(1))),
        ("new connections", 2, &|| doorman.connection(place(1)).map(drop)),
        ("messages", 3, &|| doorman.message(from(1))),
        ("requests", 4, &|| doorman.event(from(1))),
    ];
    for (what, times, deed) in deeds {
        assert_eq!((0..10).take_while(|_| deed().is_ok()).count(), times, "{what}");
        let sentence = format!("too many {what} from this address: the next is taken in 1 s");
        assert_eq!(said(deed()), (Code::RateLimited, sentence, Some(1)));
    }
    assert_eq!(doorman.log_in(from(2)), Ok(()), "another address");
    advance(Duration::from_secs(1)).await;
    for (what, _, deed) in deeds {
        assert_eq!(deed(), Ok(()), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_all_may_do_together_is_refused_as_overload() {
    let log_ins = Quotas { in_all: quota(1), ..Quotas::default() };
    let doorman = Doorman::new(&Limits { log_ins, ..Limits::default() });
    doorman.log_in(from(1)).expect("the first");
    let sentence = "too many log-ins: the next is taken in 1 s".to_owned();
    assert_eq!(said(doorman.log_in(from(2))), (Code::Overloaded, sentence, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn who_has_shown_nothing_is_limited_by_session_and_place() {
    let messages = Quotas { per_holder: quota(2), ..Quotas::default() };
    let doorman = Doorman::new(&Limits { messages, ..Limits::default() });
    let speak_as = |n, host| doorman.speak_as(session(n), place(host)).map_err(too_many_messages);
    for _ in 0..2 {
        speak_as(1, 1).expect("two at once");
    }
    let sentence = "too many messages of this session: the next is taken in 1 s".to_owned();
    assert_eq!(said(speak_as(1, 1)), (Code::RateLimited, sentence, Some(1)));
    speak_as(2, 1).expect("another session");
    speak_as(1, 2).expect("another place");
    let shown = Visitor { place: place(1), holder: Some(session(1).into()) };
    doorman.message(shown).expect("the session itself");
}

/// Of a connection that its session may not have, nothing is left taken; but it cannot give back what it has not taken.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_refused_gives_back_what_its_handshake_has_taken_and_no_more() {
    let connections = Quotas { per_place: quota(3), per_holder: quota(1), ..Quotas::default() };
    let doorman = Doorman::new(&Limits { connections, ..Limits::default() });
    let seat = doorman.connection(place(1)).expect("one of three");
    drop(seat.enter(Some(session(1))).expect("the first"));
    for _ in 0..10 {
        let seat = doorman.connection(place(1)).expect("another of three, each time");
        for _ in 0..3 {
            assert_eq!(said(seat.enter(Some(session(1))).map(drop)).0, Code::RateLimited);
        }
    }
    let nobodys = doorman.connection(place(1)).expect("another of three");
    drop(nobodys.enter(None).expect("the handshake has paid for it"));
    assert_eq!(said(nobodys.enter(Some(session(1))).map(drop)).0, Code::RateLimited);
    drop(nobodys.enter(Some(session(2))).expect("the last of three"));
    assert_eq!(said(doorman.connection(place(1)).map(drop)).0, Code::RateLimited);
    assert_eq!(said(nobodys.enter(None).map(drop)).0, Code::RateLimited);
}

#[tokio::test(start_paused = true)]
async fn who_knocks_too_often_gives_back_what_the_handshake_has_taken() {
    let per_holder = Quotas { per_holder: quota(1), ..Quotas::default() };
    let connections = Quotas { per_place: quota(2), ..Quotas::default() };
    let doorman = Doorman::new(&Limits { connections, events: per_holder, ..Limits::default() });
    let seat = doorman.connection(place(1)).expect("one of two");
    seat.knock(Some(session(1))).expect("the first");
    drop(seat.enter(Some(session(1))).expect("it has knocked"));
    for _ in 0..10 {
        let seat = doorman.connection(place(1)).expect("the other of two, each time");
        assert_eq!(said(seat.knock(Some(session(1)))).0, Code::RateLimited);
    }
    let _other = doorman.connection(place(1)).expect("the other of two");
    assert_eq!(said(doorman.connection(place(1)).map(drop)).0, Code::RateLimited);
}

#[tokio::test(start_paused = true)]
async fn tcp_connections_are_counted_by_place_until_they_turn_out_to_be_a_nodes() {
    let sockets = Room { per_place: Some(1), per_holder: None, in_all: Some(3) };
    let doorman = Doorman::new(&Limits { sockets, ..Limits::default() });
    let one = doorman.socket(place(1)).expect("there is room");
    assert_eq!(doorman.socket(place(1)).err(), Some(Scope::Place));
    one.is_a_nodes();
    one.is_a_nodes();
    let other = doorman.socket(place(1)).expect("the node's is not counted there");
    assert_eq!(doorman.socket(place(1)).err(), Some(Scope::Place));
    let of_a_proxy = doorman.socket(None).expect("there is room");
    assert_eq!(doorman.socket(None).err(), Some(Scope::All));
    drop(one);
    let _more = doorman.socket(place(2)).expect("there is room again");
    drop((other, of_a_proxy));
    let _again = doorman.socket(place(1)).expect("there is room again");
}

#[tokio::test(start_paused = true)]
async fn a_seat_is_free_again_when_its_connection_is_gone() {
    let room = Room { per_place: Some(1), per_holder: Some(1), in_all: Some(2) };
    let doorman = Doorman::new(&Limits { room, ..Limits::default() });
    let seat = doorman.connection(place(1)).expect("there is room");
    let refused = doorman.connection(place(1)).map(drop);
    let sentence = "as many connections are open from this address as may be".to_owned();
    assert_eq!(said(refused), (Code::TooManyConnections, sentence, Some(ROOM_AFTER)));
    let other = doorman.connection(place(2)).expect("there is room");
    let refused = doorman.connection(place(3)).map(drop);
    let sentence = "as many connections are open as may be".to_owned();
    assert_eq!(said(refused), (Code::Overloaded, sentence, Some(ROOM_AFTER)));
    drop(seat);
    let _third = doorman.connection(place(3)).expect("there is room again");

    let own = other.enter(Some(session(1))).expect("there is room");
    let refused = other.enter(Some(session(1))).map(drop);
    let sentence = "this session has as many connections as it may have".to_owned();
    assert_eq!(said(refused), (Code::TooManyConnections, sentence, Some(ROOM_AFTER)));
    let _other = other.enter(Some(session(2))).expect("another session");
    drop(own);
    let _again = other.enter(Some(session(1))).expect("there is room again");
}

/// The seat is taken first; who is then refused for coming too often must not keep it.
#[tokio::test(start_paused = true)]
async fn who_is_refused_leaves_no_seat_taken() {
    let connections = Quotas { per_place: quota(1), per_holder: quota(1), ..Quotas::default() };
    let room = Room { per_place: Some(1), per_holder: Some(1), in_all: Some(1) };
    let doorman = Doorman::new(&Limits { connections, room, ..Limits::default() });
    let seat = doorman.connection(place(1)).expect("the first");
    drop(seat.enter(Some(session(1))).expect("the first"));
    for _ in 0..10 {
        assert_eq!(said(seat.enter(Some(session(1))).map(drop)).0, Code::RateLimited);
    }
    drop(seat);
    for _ in 0..10 {
        assert_eq!(said(doorman.connection(place(1)).map(drop)).0, Code::RateLimited);
    }
    advance(Duration::from_secs(1)).await;
    let seat = doorman.connection(place(1)).expect("there is room");
    let _own = seat.enter(Some(session(1))).expect("there is room");
}

#[tokio::test]
async fn a_doorman_who_is_away_refuses_nobody() {
    let doorman = Doorman::away();
    for _ in 0..10_000 {
        doorman.log_in(from(1)).expect("nobody is there to refuse");
        doorman.speak_as(session(1), place(1)).expect("nobody is there to refuse");
        let seat = doorman.connection(place(1)).expect("nobody is there to refuse");
        drop(seat.enter(Some(session(1))).expect("nobody is there to refuse"));
        drop(doorman.socket(place(1)).expect("nobody is there to refuse"));
    }
}

/// However many ask at once, no more get through than the burst.
#[tokio::test]
async fn workers_share_one_bucket() {
    let messages = Quotas { per_place: Quota::new(1, Duration::from_hours(1), 20), ..Quotas::default() };
    let doorman = Doorman::new(&Limits { messages, ..Limits::default() });
    let taken: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..1_000).filter(|_| doorman.message(from(1)).is_ok()).count()))
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).sum()
    });
    assert_eq!(taken, 20);
}
