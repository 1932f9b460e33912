use std::pin::Pin;
use std::sync::Arc;

use bytestring::ByteString;
use futures_util::poll;
use tokio::sync::oneshot;

use super::*;
use crate::channel::{Receiver, channel};
use crate::registry::{Entry, Registry, Request};
use crate::transport::{Incoming, Pipe, Polling};
use crate::{Config, Socket};

/// Bytes that may wait for the client; a [`packet`] takes more than a quarter.
const BOUND: usize = 1_000;

/// A session that polls, and the way of its client's requests.
struct Session {
    polling: Polling,
    entry: Arc<Entry>,
}

/// The other end of a WebSocket that has taken over.
struct Upgraded {
    outgoing: Receiver<Outgoing>,
    _incoming: Sender<Incoming>,
}

impl Session {
    fn open() -> Self {
        let registry = Arc::new(Registry::default());
        let registration = registry.register("abc", None);
        let entry = registry.find("abc", None).unwrap();
        let config = Config { outbox_bytes: BOUND, ..Config::default() };
        Self { polling: Polling::new(registration, &config), entry }
    }

    fn socket(&self) -> Socket {
        Socket::new("/".into(), Rc::clone(self.polling.link()), 1)
    }

    /// The client polls, and gets what waits for it.
    async fn poll(&mut self) {
        let (answer, answered) = oneshot::channel();
        assert!(self.entry.pass(Request::Poll(answer)));
        assert!(matches!(self.polling.next(true).await, Incoming::Polled));
        assert!(poll!(Box::pin(self.polling.next(true))).is_pending());
        assert!(!answered.await.unwrap().is_empty());
    }

    /// The client moves to a WebSocket, which so far reads nothing.
    async fn upgrade(&mut self) -> Upgraded {
        let ((to_socket, outgoing), (incoming, from_socket)) = (channel(BOUND), channel(BOUND));
        assert!(self.entry.pass(Request::Upgrade(Pipe { to_socket, from_socket })));
        for text in ["2probe", "5"] {
            incoming.force(Incoming::Text(ByteString::from_static(text)));
        }
        assert!(poll!(Box::pin(self.polling.next(true))).is_pending());
        Upgraded { outgoing, _incoming: incoming }
    }
}

impl Upgraded {
    async fn read(&mut self) {
        self.outgoing.next().await.unwrap();
    }
}

fn packet() -> Packet {
    Packet::event_with("/", "x", &"x".repeat(BOUND / 4)).unwrap()
}

/// Sends more than half of the bound, and waits for room.
async fn fill(socket: &Socket) -> Pin<Box<dyn Future<Output = ()>>> {
    assert!(poll!(Box::pin(socket.room())).is_ready());
    for _ in 0..2 {
        socket.send(&packet()).unwrap();
    }
    let socket = socket.clone();
    let mut room: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move { socket.room().await });
    assert!(poll!(&mut room).is_pending());
    room
}

#[tokio::test]
async fn a_poll_makes_room() {
    let mut session = Session::open();
    let mut room = fill(&session.socket()).await;
    session.poll().await;
    assert!(poll!(&mut room).is_ready());
}

#[tokio::test]
async fn what_the_websocket_reads_makes_room_after_an_upgrade() {
    let mut session = Session::open();
    let mut websocket = session.upgrade().await;
    let mut room = fill(&session.socket()).await;
    websocket.read().await;
    assert!(poll!(&mut room).is_pending(), "that was the answer to the probe");
    websocket.read().await;
    assert!(poll!(&mut room).is_ready());
}

#[tokio::test]
async fn whoever_waits_during_an_upgrade_waits_for_the_websocket_then() {
    let mut session = Session::open();
    let mut room = fill(&session.socket()).await;
    let mut websocket = session.upgrade().await;
    assert!(poll!(&mut room).is_pending());
    for _ in 0..2 {
        websocket.read().await;
    }
    assert!(poll!(&mut room).is_ready());
}

#[tokio::test]
async fn an_upgrade_that_fails_strands_nobody() {
    let mut session = Session::open();
    let mut room = fill(&session.socket()).await;
    let ((to_socket, _outgoing), (incoming, from_socket)) = (channel(BOUND), channel(BOUND));
    assert!(session.entry.pass(Request::Upgrade(Pipe { to_socket, from_socket })));
    drop(incoming);
    session.poll().await;
    assert!(poll!(&mut room).is_ready());
}

#[tokio::test]
async fn each_of_several_looks_whether_another_has_taken_the_room() {
    let mut session = Session::open();
    let socket = session.socket();
    let mut one = fill(&socket).await;
    let mut other = Box::pin(socket.room());
    assert!(poll!(&mut other).is_pending());
    session.poll().await;
    assert!(poll!(&mut one).is_ready());
    let _third = fill(&socket).await;
    assert!(poll!(&mut other).is_pending());
    session.poll().await;
    assert!(poll!(&mut other).is_ready());
}

#[tokio::test]
async fn whoever_has_stopped_waiting_is_not_missed() {
    let mut session = Session::open();
    let socket = session.socket();
    drop(fill(&socket).await);
    let mut room = Box::pin(socket.room());
    assert!(poll!(&mut room).is_pending());
    session.poll().await;
    assert!(poll!(&mut room).is_ready());
}

#[tokio::test]
async fn no_room_is_waited_for_when_the_socket_or_its_session_has_ended() {
    let ways_out: [fn(&Socket); 4] =
        [Socket::disconnect, Socket::close, Socket::end, |socket| while socket.send(&packet()).is_ok() {}];
    for leave in ways_out {
        for upgraded in [false, true] {
            let mut session = Session::open();
            let _websocket = if upgraded { Some(session.upgrade().await) } else { None };
            let socket = session.socket();
            let mut room = fill(&socket).await;
            leave(&socket);
            assert!(poll!(&mut room).is_ready());
            assert!(poll!(Box::pin(socket.room())).is_ready());
        }
    }
}

#[tokio::test]
async fn no_room_is_waited_for_when_the_websocket_is_gone() {
    let mut session = Session::open();
    let websocket = session.upgrade().await;
    let mut room = fill(&session.socket()).await;
    drop(websocket);
    assert!(poll!(&mut room).is_ready());
}

/// Of 100 bytes with all that it costs to hold it, at least.
fn volatile() -> Packet {
    Packet::event_with("/", "x", &"x".repeat(20)).unwrap()
}

#[tokio::test]
async fn what_may_be_left_out_is_sent_while_little_waits_and_closes_nobody() {
    for upgraded in [false, true] {
        let mut session = Session::open();
        let mut websocket = if upgraded { Some(session.upgrade().await) } else { None };
        if let Some(websocket) = &mut websocket {
            websocket.read().await;
        }
        let socket = session.socket();
        let taken = (0..100).filter(|_| socket.send_volatile(&volatile())).count();
        assert!((1..5).contains(&taken), "an eighth of {BOUND} bytes is taken by {taken}");
        socket.send(&packet()).unwrap();
        assert!((0..100).all(|_| !socket.send_volatile(&volatile())));
        assert!(session.polling.link().ending().is_none() && socket.is_connected());
        match &mut websocket {
            Some(websocket) => {
                for _ in 0..=taken {
                    websocket.read().await;
                }
            }
            None => session.poll().await,
        }
        assert!(socket.send_volatile(&volatile()), "the client has caught up");
    }
}

#[tokio::test]
async fn attachments_count_and_are_not_parted_from_their_packet() {
    let mut session = Session::open();
    let socket = session.socket();
    let placeholder = serde_json::value::to_raw_value(&crate::Placeholder { num: 0 }).unwrap();
    let large = Packet::binary_event("/", "x", &[&placeholder], &[bytes::Bytes::from(vec![0; BOUND / 8])]);
    assert!(!socket.send_volatile(&large));
    assert!(socket.send_volatile(&volatile()), "nothing of it waits");
    session.poll().await;
}

#[tokio::test]
async fn nothing_that_may_be_left_out_is_sent_when_the_socket_or_its_session_has_ended() {
    let ways_out: [fn(&Socket); 4] =
        [Socket::disconnect, Socket::close, Socket::end, |socket| while socket.send(&packet()).is_ok() {}];
    for leave in ways_out {
        let session = Session::open();
        let socket = session.socket();
        leave(&socket);
        assert!(!socket.send_volatile(&volatile()));
    }
}

#[tokio::test]
async fn a_socket_that_has_left_does_not_wait_while_others_of_its_connection_do() {
    let session = Session::open();
    let (leaves, stays) = (session.socket(), session.socket());
    let mut room = fill(&leaves).await;
    let mut other = Box::pin(stays.room());
    assert!(poll!(&mut other).is_pending());
    leaves.end();
    assert!(poll!(&mut room).is_ready());
    assert!(poll!(&mut other).is_pending());
}

#[tokio::test]
async fn packets_that_are_sent_together_come_one_by_one_where_there_is_no_websocket() {
    let mut session = Session::open();
    let socket = session.socket();
    let together = Packets::new(["a", "b"].map(|name| Packet::event("/", name, &[])).into());
    socket.send_all(&together).unwrap();
    let (answer, answered) = oneshot::channel();
    assert!(session.entry.pass(Request::Poll(answer)));
    assert!(matches!(session.polling.next(true).await, Incoming::Polled));
    assert!(poll!(Box::pin(session.polling.next(true))).is_pending());
    assert_eq!(answered.await.unwrap(), "42[\"a\"]\u{1e}42[\"b\"]");

    let mut websocket = session.upgrade().await;
    socket.send_all(&together).unwrap();
    websocket.read().await;
    for packet in ["42[\"a\"]", "42[\"b\"]"] {
        let Some(Outgoing::Frame(frame)) = websocket.outgoing.next().await else { panic!("a packet") };
        assert_eq!(frame.payload(), packet.as_bytes());
    }
}
