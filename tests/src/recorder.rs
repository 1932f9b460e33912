//! The recording client against a lobby that says what a script tells it to.

use std::ops::RangeInclusive;

use futures_util::{SinkExt, StreamExt};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use crate::checker::{Fault, Log, Post, Record, check};
use crate::harness::{App, LoggedIn, Protocol, Random, Recorder, in_time};

const LOG: &str = "99a10ae7-4b35-4e8a-a1e5-633229ba6926";

/// The lobby's end of a connection to `/ws`.
struct Scripted(WebSocketStream<TcpStream>);

impl Scripted {
    /// Lets the next one in; answers with what it said at `connect` too.
    async fn accept(listener: &TcpListener, last_id: u64, recovered: bool) -> (Self, Value) {
        let (stream, _) = in_time("a connection", listener.accept()).await.expect("somebody comes");
        let stream = in_time("a handshake", accept_async(stream)).await.expect("a handshake");
        let mut accepted = Self(stream);
        let connect = accepted.next().await["data"].clone();
        let session = json!({"log": LOG, "last_id": last_id, "recovered": recovered});
        accepted.say(&json!({"event": "session", "data": session})).await;
        (accepted, connect)
    }

    async fn say(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.expect("somebody is there");
    }

    async fn deliver(&mut self, id: u64) {
        self.say(&json!({"event": "new_message", "data": message(id)})).await;
    }

    async fn next(&mut self) -> Value {
        let frame = in_time("a frame", self.0.next()).await.expect("it is open").expect("a frame");
        serde_json::from_str(frame.to_text().expect("a text")).expect("JSON")
    }
}

fn message(id: u64) -> Value {
    json!({
        "id": id,
        "sender_session": "ann",
        "client_id": format!("n{id}"),
        "content": format!("says {id}"),
        "timestamp": "2026-11-23T05:27:15.425Z",
    })
}

fn post(id: u64) -> Post {
    Post::repeatable(&format!("n{id}"), &format!("says {id}"))
}

async fn start() -> (TcpListener, Recorder) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (_, address) = watch::channel(listener.local_addr().expect("it listens"));
    let ann = LoggedIn { session: "ann".to_owned(), token: "secret".to_owned() };
    let recorder = Recorder::start(&address, Protocol::Plain, "ann", Some(ann), Random::new(1));
    (listener, recorder)
}

/// If these ids are stored, and that is what it should have seen.
fn faults(record: Record, ids: RangeInclusive<u64>, until: u64) -> Vec<Fault> {
    let stored = ids.map(|id| (&message(id)).into()).collect();
    check(&Log::new(0, stored), &[Record { until: Some(until), ..record }])
}

#[tokio::test]
async fn what_was_not_acknowledged_is_repeated_over_the_next_connection_before_anything_else() {
    let (listener, recorder) = start().await;
    let (mut lobby, connect) = Scripted::accept(&listener, 0, false).await;
    assert_eq!(connect, json!({"token": "secret"}));
    recorder.post(post(1)).await;
    recorder.post(post(2)).await;
    let first = lobby.next().await;
    assert_eq!(first["data"], json!({"content": "says 1", "client_id": "n1"}));
    lobby.deliver(1).await;
    recorder.reached(1).await;
    drop(lobby);

    let (mut lobby, connect) = Scripted::accept(&listener, 1, true).await;
    assert_eq!(connect, json!({"token": "secret", "log": LOG, "after": 1}));
    assert_eq!(lobby.next().await, first);
    lobby.say(&json!({"ack": first["ack"], "data": {"id": 1}})).await;
    let second = lobby.next().await;
    assert_eq!(second["data"]["client_id"], "n2");
    lobby.deliver(2).await;
    lobby.say(&json!({"ack": second["ack"], "data": {"id": 2}})).await;
    recorder.settled().await;
    recorder.reached(2).await;

    let record = recorder.stop().await;
    assert_eq!(record.posts.iter().map(|post| post.sent).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(faults(record, 1..=2, 2), []);
}

#[tokio::test]
async fn a_passing_refusal_is_answered_with_the_same_post() {
    let (listener, recorder) = start().await;
    let (mut lobby, _) = Scripted::accept(&listener, 0, false).await;
    recorder.post(post(1)).await;
    for code in ["busy", "unavailable", "outcome_unknown"] {
        let refused = lobby.next().await;
        assert_eq!(refused["data"]["client_id"], "n1");
        lobby.say(&json!({"ack": refused["ack"], "data": {"error": "not now", "code": code}})).await;
    }
    let taken = lobby.next().await;
    lobby.say(&json!({"ack": taken["ack"], "data": {"id": 1}})).await;
    recorder.settled().await;
    assert_eq!(faults(recorder.stop().await, 1..=1, 0), []);
}

/// It has missed something then, and its record has to show that.
#[tokio::test]
async fn a_connection_that_does_not_go_on_begins_where_the_lobby_says() {
    let (listener, recorder) = start().await;
    let (mut lobby, _) = Scripted::accept(&listener, 0, false).await;
    lobby.deliver(1).await;
    recorder.reached(1).await;
    drop(lobby);
    let (mut lobby, _) = Scripted::accept(&listener, 3, false).await;
    lobby.deliver(4).await;
    recorder.reached(4).await;
    let record = recorder.stop().await;
    let places: Vec<_> = record.segments.iter().map(|segment| (segment.after, segment.from)).collect();
    assert_eq!(places, [(None, 0), (Some(1), 3)]);
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn it_follows_the_lobby_to_another_port(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let (sender, address) = watch::channel(app.address());
    let recorder = Recorder::start(&address, protocol, "nobody", None, Random::new(1));
    recorder.connected(1).await;
    let app = app.restart().await;
    sender.send_replace(app.address());
    recorder.connected(2).await;
    assert_eq!(recorder.stop().await.segments.len(), 2);
}
