use rstest::rstest;
use serde_json::json;

use super::{assert_for_now, assert_long, assert_told, limited, polling_handshake};
use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, Received, http_client, in_time};

/// Who may not say more in a name leaves what its address, and all, may say.
#[tokio::test]
async fn who_is_refused_in_a_name_takes_nothing_of_their_address_or_of_all() {
    let settings = [
        ("limits.messages_per_session", "1/h burst 1"),
        ("limits.messages_per_address", "1/h burst 2"),
        ("limits.messages", "1/h burst 2"),
    ];
    let app = limited(&settings).await;
    let say_as =
        async |name: &str| app.post("/messages", &json!({"content": "hello", "sender": name}), &[]).await;
    for name in ["Ann", "Bob"] {
        app.log_in(name).await;
    }
    assert_eq!(say_as("Ann").await.status, 201);
    for _ in 0..10 {
        let refused = say_as("Ann").await;
        assert_for_now(&refused, 429, "rate_limited");
        assert!(refused.body["detail"].as_str().is_some_and(|detail| detail.contains("of this session")));
    }
    assert_eq!(say_as("Bob").await.status, 201, "one more from here");
}

/// Comes in by its session, and is turned away by its limit.
async fn be_turned_away(app: &App, protocol: Protocol, auth: Auth<'_>, code: &str) {
    let mut connection = Connection::connecting(app, protocol, auth).await;
    match connection.receive().await {
        Received::ConnectError(error) => assert_eq!(error["data"]["code"], code, "{error}"),
        Received::Event(name, data) if name == "error" => assert_eq!(data["code"], code, "{data}"),
        Received::Closed(..) => {}
        other => panic!("{other:?}"),
    }
}

fn shown(by_cookie: bool, user: &LoggedIn) -> Auth<'_> {
    if by_cookie { Auth::Cookie(user) } else { Auth::Token(user) }
}

/// Also the tab of a page that knows of no limits, and comes back every second.
#[rstest]
#[case::too_often("limits.connects_per_session", "1/h burst 1", "rate_limited")]
#[case::too_many("limits.connections_per_session", "1", "too_many_connections")]
#[case::asks_too_often("limits.events_per_session", "1/h burst 1", "rate_limited")]
#[tokio::test]
async fn a_session_that_is_turned_away_takes_no_connection_of_its_address_or_of_all(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[values(false, true)] by_cookie: bool,
    #[case] limit: &str,
    #[case] value: &str,
    #[case] code: &str,
) {
    let settings = [
        (limit, value),
        ("limits.connects_per_address", "1/h burst 3"),
        ("limits.connects", "1/h burst 3"),
        ("limits.events_per_address", "1/h burst 3"),
        ("limits.events", "1/h burst 3"),
    ];
    let app = limited(&settings).await;
    let john = app.log_in_claimed("JohnDoe").await;
    let _first = Connection::enter(&app, protocol, shown(by_cookie, &john)).await;
    for _ in 0..10 {
        be_turned_away(&app, protocol, shown(by_cookie, &john), code).await;
    }
    let _others = [
        Connection::enter(&app, protocol, Auth::Nothing).await,
        Connection::enter(&app, protocol, Auth::Nothing).await,
    ];
    assert_eq!(polling_handshake(app.address(), &[]).await.0, 429, "there were three");
}

/// One handshake is given back once: what comes over a connection later is paid anew.
#[tokio::test]
async fn a_connection_that_is_refused_again_and_again_gives_nothing_back_that_it_did_not_take() {
    let settings =
        [("limits.connects_per_session", "1/h burst 1"), ("limits.connects_per_address", "1/h burst 3")];
    let app = limited(&settings).await;
    let john = app.log_in_claimed("JohnDoe").await;
    let _first = Connection::enter(&app, Protocol::SocketIo, Auth::Token(&john)).await;
    let mut refused = Connection::open(&app, Protocol::SocketIo, &[]).await.expect("the second of three");
    for _ in 0..5 {
        refused.send_text(&format!("40{}", json!({"token": john.token}))).await;
        let Received::ConnectError(error) = refused.receive().await else { panic!("it is refused") };
        assert_long(assert_told(&error["data"], "rate_limited"));
    }
    for _ in 0..2 {
        assert_eq!(polling_handshake(app.address(), &[]).await.0, 200);
    }
    assert_eq!(polling_handshake(app.address(), &[]).await.0, 429);
}

/// As a page of another site can make its visitors ask, by an image.
#[rstest]
#[case::no_handshake("/ws", &[], 426)]
#[case::another_version("/ws", &[("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "12")], 426)]
#[case::another_origin("/ws", &[("origin", "https://evil.example")], 403)]
#[case::no_handshake_of_socketio("/socket.io/?EIO=4&transport=websocket", &[], 400)]
#[case::no_version_of_socketio(
    "/socket.io/?EIO=4&transport=websocket", &[("upgrade", "websocket"), ("connection", "upgrade")], 400
)]
#[tokio::test]
async fn what_is_no_handshake_takes_no_connection_of_its_address(
    #[case] path: &str,
    #[case] headers: &[(&str, &str)],
    #[case] status: u16,
) {
    let app = limited(&[("limits.connects_per_address", "1/h burst 1")]).await;
    let client = http_client();
    for _ in 0..3 {
        let request = client.get(app.url(path));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(in_time("an answer", request.send()).await.expect("an answer").status(), status);
    }
    Connection::open(&app, Protocol::Plain, &[]).await.expect("it is the first");
}
