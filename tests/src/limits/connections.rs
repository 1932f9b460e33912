use rstest::rstest;
use serde_json::{Value, json};

use super::{
    assert_told, limited, limited_behind_a_proxy, polling_handshake, polling_session, refused_handshake,
};
use crate::harness::{
    App, Auth, Connection, Kind, LoggedIn, Participant, Polling, Protocol, Received, becomes_so, in_time,
};

const BOTH: [Protocol; 2] = [Protocol::Plain, Protocol::SocketIo];

/// A socket from an address.
async fn open_from(app: &App, protocol: Protocol, address: &str) -> Connection {
    Connection::open(app, protocol, &[("x-forwarded-for", address)]).await.expect("it is let in")
}

/// Asserts that nobody more is let in from an address, by whatever kind of socket; answers with what they are told.
async fn assert_refused_from(app: &App, address: &str, status: u16) -> Vec<String> {
    let header = [("x-forwarded-for", address)];
    let mut told = Vec::new();
    for protocol in BOTH {
        let (is, retry_after, body) = refused_handshake(app, protocol, &header).await;
        assert_eq!((is, body["retry_after"].to_string()), (status, retry_after), "{protocol:?}: {body}");
        told.push(body["error"].as_str().or(body["message"].as_str()).expect("a sentence").to_owned());
        assert_eq!(body["code"].is_string(), protocol == Protocol::Plain, "{body}");
    }
    let (is, retry_after, body) = polling_handshake(app.address(), &header).await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((is.as_u16(), body["retry_after"].to_string()), (status, retry_after), "{body}");
    assert_eq!(body["code"], 3, "{body}");
    told
}

#[rstest]
#[case::by_address("limits.connects_per_address", 429, "too many new connections from this address")]
#[case::in_all("limits.connects", 503, "too many new connections:")]
#[tokio::test]
async fn who_connects_too_often_is_refused_at_the_handshake(
    #[case] limit: &str,
    #[case] status: u16,
    #[case] sentence: &str,
) {
    let app = limited_behind_a_proxy(&[(limit, "1/h burst 3")]).await;
    for protocol in BOTH {
        drop(open_from(&app, protocol, "192.0.2.1").await);
    }
    assert_eq!(polling_handshake(app.address(), &[("x-forwarded-for", "192.0.2.1")]).await.0, 200);
    for told in assert_refused_from(&app, "192.0.2.1", status).await {
        assert!(told.starts_with(sentence), "{told}");
    }
    let elsewhere = polling_handshake(app.address(), &[("x-forwarded-for", "192.0.2.2")]).await.0;
    assert_eq!(elsewhere == 200, status == 429, "{elsewhere}");
}

#[rstest]
#[case::by_address(
    "limits.connections_per_address",
    429,
    "as many connections are open from this address as may be"
)]
#[case::in_all("limits.connections", 503, "as many connections are open as may be")]
#[tokio::test]
async fn a_connection_more_than_may_be_is_let_in_when_another_has_gone(
    #[case] limit: &str,
    #[case] status: u16,
    #[case] sentence: &str,
) {
    let app = limited_behind_a_proxy(&[(limit, "3")]).await;
    let mut plain = open_from(&app, Protocol::Plain, "192.0.2.1").await;
    let _socketio = open_from(&app, Protocol::SocketIo, "192.0.2.1").await;
    assert_eq!(polling_handshake(app.address(), &[("x-forwarded-for", "192.0.2.1")]).await.0, 200);
    for told in assert_refused_from(&app, "192.0.2.1", status).await {
        assert_eq!(told, sentence);
    }
    let elsewhere = polling_handshake(app.address(), &[("x-forwarded-for", "192.0.2.2")]).await.0;
    assert_eq!(elsewhere == 200, status == 429, "{elsewhere}");
    plain.close().await;
    let header = [("x-forwarded-for", "192.0.2.1")];
    becomes_so("it to be let in", async || Connection::open(&app, Protocol::SocketIo, &header).await.is_ok())
        .await;
}

/// The move from polling to a WebSocket is the same connection.
#[tokio::test]
async fn a_polling_session_that_moves_to_a_websocket_counts_once() {
    let app =
        limited(&[("limits.connections_per_address", "1"), ("limits.connects_per_address", "1/h burst 1")])
            .await;
    let sid = polling_session(&app).await;
    let _upgraded = Connection::upgraded(&app, &sid).await;
    assert_eq!(polling_handshake(app.address(), &[]).await.0, 429);
}

/// However it ends, another is let in.
#[rstest]
#[case::polling(false)]
#[case::upgraded(true)]
#[tokio::test]
async fn a_session_that_began_by_polling_leaves_its_room_when_it_ends(#[case] is_upgraded: bool) {
    let app = limited(&[("limits.connections_per_address", "1")]).await;
    let sid = polling_session(&app).await;
    let upgraded = if is_upgraded { Some(Connection::upgraded(&app, &sid).await) } else { None };
    assert_eq!(polling_handshake(app.address(), &[]).await.0, 429, "it is there");
    if let Some(mut upgraded) = upgraded {
        upgraded.close().await;
    } else {
        let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let closed = app.client().post(app.url(&path)).body("1").send();
        assert_eq!(in_time("an answer", closed).await.expect("an answer").status(), 200);
    }
    becomes_so("room", async || polling_handshake(app.address(), &[]).await.0 == 200).await;
}

#[tokio::test]
async fn a_session_has_no_more_connections_than_it_may() {
    let app = limited(&[("limits.connections_per_session", "2")]).await;
    let [john, bob] = [app.log_in_claimed("JohnDoe").await, app.log_in_claimed("Bob").await];
    let mut open = Vec::new();
    for protocol in BOTH {
        open.push(Connection::enter(&app, protocol, Auth::Token(&john)).await.0);
    }
    assert_turned_away(&app, &john, "too_many_connections").await;
    Connection::enter(&app, Protocol::Plain, Auth::Token(&bob)).await;
    Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;

    open.remove(0).close().await;
    let comes_in = async || {
        let mut socket = Connection::connecting(&app, Protocol::Plain, Auth::Token(&john)).await;
        matches!(socket.receive().await, Received::Event(name, _) if name == "session")
    };
    becomes_so("it to be let in", comes_in).await;
}

#[tokio::test]
async fn a_session_that_connects_too_often_is_told_when_to_come_back() {
    let app = limited(&[("limits.connects_per_session", "1/h burst 2")]).await;
    let john = app.log_in_claimed("JohnDoe").await;
    for protocol in BOTH {
        Connection::enter(&app, protocol, Auth::Token(&john)).await;
    }
    assert_turned_away(&app, &john, "rate_limited").await;
    let (_, session) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    assert_eq!(session["users_total"], 1, "whose connection was refused is not gone");
}

/// With a token it is told why, over polling too; with a cookie it is closed, and comes back by itself.
async fn assert_turned_away(app: &App, user: &LoggedIn, code: &str) {
    let mut plain = Connection::connecting(app, Protocol::Plain, Auth::Token(user)).await;
    assert_told(&plain.event("error").await, code);
    assert_eq!(plain.receive().await, Received::Closed(1013, code.to_owned()));
    let mut socketio = Connection::connecting(app, Protocol::SocketIo, Auth::Token(user)).await;
    let mut polling = Polling::connecting_at(app.address(), &json!({"token": user.token})).await;
    for received in [socketio.receive().await, polling.receive().await] {
        let Received::ConnectError(error) = received else { panic!("{received:?}") };
        assert_eq!(error["data"]["code"], code, "{error}");
        assert!(error["data"]["retry_after"].as_u64().is_some_and(|seconds| seconds >= 1), "{error}");
    }
    let mut by_cookie = Connection::connecting(app, Protocol::SocketIo, Auth::Cookie(user)).await;
    assert!(matches!(by_cookie.receive().await, Received::Closed(..)));
}

/// The original's clients, as they are.
#[rstest]
#[case::polling("polling")]
#[case::websocket("websocket")]
#[case::both("polling,websocket")]
#[tokio::test]
async fn an_unmodified_client_comes_back_by_itself_when_there_is_room(#[case] transports: &str) {
    let app = limited(&[("limits.connections_per_address", "1")]).await;
    let (mut first, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    let mut client = Participant::start(&app, Kind::Node, transports, "none");
    client.begin_to_connect("main").await;
    client.event("main", "connect_error").await;
    first.close().await;
    client.event("main", "session").await;
}

/// However they go, nobody is left counted.
#[tokio::test]
async fn connections_that_come_and_go_leave_nothing_behind() {
    let app = limited(&[("limits.connections", "1")]).await;
    for round in 0..20 {
        let protocol = BOTH[round % 2];
        // Dropped, it is cut.
        becomes_so("room", async || Connection::open(&app, protocol, &[]).await.is_ok()).await;
    }
}
