use std::pin::Pin;
use std::task::Waker;

use actix_web::body::{BoxBody, MessageBody as _};
use futures_util::FutureExt as _;

use super::*;
use crate::{
    Heartbeat, SendError,
    testing::{self, FIN_BINARY, FIN_PING, FIN_TEXT, FIRST_TEXT, close, frame, header},
};

/// The other end of a connection: what it sends, and the response's body that it reads.
struct Peer {
    sender: testing::Sender,
    body: BoxBody,
}

fn open(limits: &Limits) -> (Peer, Connection) {
    let (sender, body) = testing::body();
    let (response, connection) = accept(&testing::request(), body, limits).unwrap();
    (Peer { sender, body: response.into_body() }, connection)
}

impl Peer {
    fn send(&self, bytes: Vec<u8>) {
        self.sender.send(bytes);
    }

    /// What has been written, and whether the body has ended.
    fn read(&mut self) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        loop {
            match Pin::new(&mut self.body).poll_next(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(chunk)) => all.extend(chunk.unwrap()),
                Poll::Ready(None) => return (all, true),
                Poll::Pending => return (all, false),
            }
        }
    }
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.bytes().to_vec()).collect()
}

fn our_close(code: CloseCode, reason: &str) -> Vec<u8> {
    bytes(&[Frame::close(Some(code), reason)])
}

fn closed(by: ClosedBy, code: impl Into<Option<CloseCode>>, reason: &str) -> Incoming {
    Incoming::Closed(Closed { by, code: code.into(), reason: reason.to_owned() })
}

#[actix_web::test]
async fn messages_arrive_and_pings_are_answered() {
    let (mut peer, mut connection) = open(&Limits::default());
    peer.send([frame(FIN_PING, b"1"), frame(FIN_TEXT, b"text"), frame(FIN_BINARY, b"data")].concat());
    assert_eq!(connection.next().await, Incoming::Text("text".into()));
    assert_eq!(connection.next().await, Incoming::Binary("data".into()));
    assert_eq!(peer.read(), (bytes(&[Frame::pong(b"1")]), false));
}

#[actix_web::test]
async fn the_peers_close_is_echoed_and_ends_the_body() {
    for (sent, code, reason, echo) in [
        (close(4001, b"done"), CloseCode::new(4001), "done", Frame::close(CloseCode::new(4001), "")),
        (frame(0x88, b""), None, "", Frame::close(None, "")),
    ] {
        let (mut peer, mut connection) = open(&Limits::default());
        peer.send([sent, frame(FIN_TEXT, b"too late")].concat());
        for _ in 0..2 {
            assert_eq!(connection.next().await, closed(ClosedBy::Peer, code, reason));
        }
        assert_eq!(peer.read(), (bytes(&[echo]), true));
        assert_eq!(connection.outbox().send(&Frame::text("x")), Err(SendError::Closed));
    }
}

#[actix_web::test]
async fn our_close_waits_for_the_answer_and_discards_the_rest() {
    let (mut peer, mut connection) = open(&Limits::default());
    let outbox = connection.outbox();
    outbox.send(&Frame::text("before")).unwrap();
    outbox.close(CloseCode::GOING_AWAY, "restart");
    peer.send([frame(FIN_TEXT, b"unheard"), frame(FIN_PING, b"")].concat());
    assert_eq!(connection.next().now_or_never(), None);
    let sent = [bytes(&[Frame::text("before")]), our_close(CloseCode::GOING_AWAY, "restart")].concat();
    assert_eq!(peer.read(), (sent, false));
    peer.send(close(1000, b"fine"));
    assert_eq!(connection.next().await, closed(ClosedBy::Us, CloseCode::GOING_AWAY, "restart"));
    assert_eq!(peer.read(), (vec![], true));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_our_close_is_cut() {
    let (mut peer, mut connection) = open(&Limits::default());
    let (outbox, start) = (connection.outbox(), Instant::now());
    outbox.close(CloseCode::NORMAL, "");
    assert_eq!(connection.next().await, closed(ClosedBy::Us, CloseCode::NORMAL, ""));
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert_eq!(peer.read(), (vec![], true), "what it did not take is dropped");
}

#[tokio::test(start_paused = true)]
async fn a_close_from_elsewhere_wakes_the_connection() {
    let (_peer, mut connection) = open(&Limits::default());
    let (outbox, start) = (connection.outbox(), Instant::now());
    let closing = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        outbox.close(CloseCode::POLICY, "out");
    };
    let (incoming, ()) = futures_util::join!(connection.next(), closing);
    assert_eq!(incoming, closed(ClosedBy::Us, CloseCode::POLICY, "out"));
    assert_eq!(start.elapsed(), Duration::from_secs(65));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_chatters_on_after_our_close_is_cut_too() {
    let (peer, mut connection) = open(&Limits::default());
    let start = Instant::now();
    connection.outbox().close(CloseCode::NORMAL, "");
    let chatter = async {
        for _ in 0..100 {
            let _heard = peer.sender.is_heard(frame(FIN_TEXT, b"and another thing"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let end = async { (connection.next().await, start.elapsed()) };
    let ((incoming, after), ()) = futures_util::join!(end, chatter);
    assert_eq!(incoming, closed(ClosedBy::Us, CloseCode::NORMAL, ""));
    assert_eq!(after, Duration::from_secs(5));
}

#[actix_web::test]
async fn what_is_refused_is_told_and_ends_the_body() {
    for (sent, code, reason) in [
        (header(FIN_BINARY, 1 << 30), CloseCode::TOO_BIG, "message too big"),
        (vec![FIN_TEXT, 0], CloseCode::PROTOCOL, "a client must mask its frames"),
        (frame(FIN_TEXT, b"\xFF"), CloseCode::INVALID_DATA, "invalid UTF-8"),
    ] {
        let (mut peer, mut connection) = open(&Limits::default());
        peer.send(sent);
        assert_eq!(connection.next().await, closed(ClosedBy::Us, code, reason));
        assert_eq!(peer.read(), (our_close(code, reason), true));
    }
}

#[actix_web::test]
async fn a_peer_that_vanishes_is_lost_once_its_last_words_are_read() {
    let (mut peer, mut connection) = open(&Limits::default());
    peer.send([frame(FIN_TEXT, b"last"), frame(FIRST_TEXT, b"unfinished")].concat());
    connection.outbox().send(&Frame::text("never read")).unwrap();
    let (sender, _) = testing::body();
    drop(std::mem::replace(&mut peer.sender, sender));
    assert_eq!(connection.next().await, Incoming::Text("last".into()));
    assert_eq!(connection.next().await, closed(ClosedBy::Lost, None, "the connection broke"));
    assert_eq!(peer.read(), (vec![], true));
}

#[actix_web::test]
async fn a_dropped_response_is_a_lost_connection() {
    let (peer, mut connection) = open(&Limits::default());
    let Peer { sender: _sender, body } = peer;
    let dropping = async { drop(body) };
    let (incoming, ()) = futures_util::join!(connection.next(), dropping);
    assert_eq!(incoming, closed(ClosedBy::Lost, None, "the connection broke"));
}

#[actix_web::test]
async fn a_slow_peer_is_closed_with_1013_even_if_it_then_breaks_away() {
    let (peer, mut connection) = open(&Limits { outbox_bytes: 1000, ..Limits::default() });
    let outbox = connection.outbox();
    assert_eq!(outbox.send(&Frame::binary(&[0; 2000])), Err(SendError::Overflow));
    drop(peer);
    assert_eq!(connection.next().await, closed(ClosedBy::Us, CloseCode::TRY_AGAIN, "too slow"));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_that_reads_no_pongs_is_closed() {
    let (mut peer, mut connection) = open(&Limits { outbox_bytes: 10_000, ..Limits::default() });
    peer.send(frame(FIN_PING, b"").repeat(1000));
    assert_eq!(connection.next().now_or_never(), None);
    assert_eq!(peer.read(), (our_close(CloseCode::TRY_AGAIN, "too slow"), false));
    assert_eq!(connection.next().await, closed(ClosedBy::Us, CloseCode::TRY_AGAIN, "too slow"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_then_cut() {
    let (mut peer, mut connection) =
        open(&Limits { heartbeat: Some(Heartbeat::default()), ..Limits::default() });
    let start = Instant::now();
    let pinged = async {
        tokio::time::sleep(Duration::from_secs(26)).await;
        peer.read()
    };
    let (incoming, pinged) = futures_util::join!(connection.next(), pinged);
    assert_eq!(pinged, (bytes(&[Frame::ping(b"")]), false));
    assert_eq!(incoming, closed(ClosedBy::Lost, None, "nothing was heard for too long"));
    assert_eq!(start.elapsed(), Duration::from_secs(45));
    assert_eq!(peer.read(), (vec![], true));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays() {
    let (mut peer, mut connection) =
        open(&Limits { heartbeat: Some(Heartbeat::default()), ..Limits::default() });
    let answering = async {
        let mut pings = 0;
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if peer.read() == (bytes(&[Frame::ping(b"")]), false) {
                pings += 1;
                peer.send(frame(0x8A, b""));
            }
        }
        peer.send(frame(FIN_TEXT, b"still here"));
        pings
    };
    let (incoming, pings) = futures_util::join!(connection.next(), answering);
    assert_eq!(incoming, Incoming::Text("still here".into()));
    assert!((22..=24).contains(&pings), "{pings} pings in ten minutes");
}

#[actix_web::test]
async fn a_dropped_connection_flushes_and_ends_whatever_handles_there_are() {
    let (mut peer, connection) = open(&Limits::default());
    let outbox = connection.outbox();
    outbox.send(&Frame::text("flushed")).unwrap();
    drop(connection);
    assert_eq!(outbox.send(&Frame::text("x")), Err(SendError::Closed));
    assert_eq!(peer.read(), (bytes(&[Frame::text("flushed")]), true));
}

#[actix_web::test]
async fn a_cancelled_wait_loses_nothing() {
    let (peer, mut connection) = open(&Limits::default());
    for byte in [frame(FIRST_TEXT, b"slow"), frame(0x80, b"ly")].concat() {
        assert_eq!(connection.next().now_or_never(), None);
        peer.send(vec![byte]);
    }
    assert_eq!(connection.next().await, Incoming::Text("slowly".into()));
}

#[actix_web::test]
async fn a_request_that_is_no_handshake_gets_an_error() {
    let request = actix_web::test::TestRequest::default().to_http_request();
    let (_sender, body) = testing::body();
    assert!(accept(&request, body, &Limits::default()).is_err());
}
