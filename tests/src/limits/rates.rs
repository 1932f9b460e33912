use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{assert_for_now, assert_long, assert_told, limited, limited_behind_a_proxy, log_in_from};
use crate::harness::{App, Auth, Connection, LoggedIn, Polling, Protocol, Received, becomes_so, in_time};

const BOTH: [Protocol; 2] = [Protocol::Plain, Protocol::SocketIo];

async fn say(app: &App, user: &LoggedIn, content: &str) -> crate::harness::Answer {
    app.post("/messages", &json!({"content": content}), &[("authorization", &user.bearer())]).await
}

#[tokio::test]
async fn who_logs_in_too_often_from_one_address_is_told_when_to_come_back() {
    let app = limited_behind_a_proxy(&[("limits.log_ins_per_address", "1/s burst 3")]).await;
    for n in 0..3 {
        assert_eq!(log_in_from(&app, "192.0.2.1", &format!("User{n}")).await.status, 200);
    }
    let refused = log_in_from(&app, "192.0.2.1", "User3").await;
    assert_eq!(assert_for_now(&refused, 429, "rate_limited"), 1);
    assert_eq!(refused.body["detail"], "too many log-ins from this address: the next is taken in 1 s");
    assert_eq!(log_in_from(&app, "192.0.2.2", "User4").await.status, 200, "another address");
    assert_eq!(app.online().await.len(), 4, "who was refused is not online");
    let is_let_in = async || log_in_from(&app, "192.0.2.1", "User3").await.status == 200;
    becomes_so("it to be let in", is_let_in).await;
}

#[tokio::test]
async fn who_logs_in_again_and_again_as_the_same_session_is_limited_by_it() {
    let app = limited(&[("limits.log_ins_per_session", "1/h burst 2")]).await;
    let [john, bob] = [app.log_in_claimed("JohnDoe").await, app.log_in_claimed("Bob").await];
    let again = async |name: &str, user: &LoggedIn| {
        app.post("/login", &json!({"pseudonym": name}), &[("authorization", &user.bearer())]).await
    };
    for _ in 0..2 {
        assert_eq!(again("JohnDoe", &john).await.status, 200);
    }
    let refused = again("JohnDoe", &john).await;
    assert_long(assert_for_now(&refused, 429, "rate_limited"));
    assert_eq!(again("Bob", &bob).await.status, 200);
}

#[tokio::test]
async fn what_is_too_much_in_all_is_503() {
    let app = limited_behind_a_proxy(&[("limits.log_ins", "1/h burst 2")]).await;
    for n in 1..=2 {
        assert_eq!(log_in_from(&app, &format!("192.0.2.{n}"), &format!("User{n}")).await.status, 200);
    }
    assert_for_now(&log_in_from(&app, "192.0.2.3", "User3").await, 503, "overloaded");
}

/// A flood is refused at one address, and takes nothing of what all have together.
#[tokio::test]
async fn a_flood_of_log_ins_from_one_address_refuses_nobody_else() {
    let settings = [("limits.log_ins_per_address", "1/h burst 2"), ("limits.log_ins", "1/h burst 20")];
    let app = limited_behind_a_proxy(&settings).await;
    let names: Vec<_> = (0..200).map(|n| format!("Flood{n}")).collect();
    let flood = join_all(names.iter().map(|name| log_in_from(&app, "192.0.2.66", name))).await;
    assert_eq!(flood.iter().filter(|answer| answer.status == 200).count(), 2);
    assert!(flood.iter().all(|answer| answer.status == 200 || answer.body["code"] == "rate_limited"));
    for n in 0..18 {
        let answer = log_in_from(&app, &format!("2001:db8:0:{n}::1"), &format!("User{n}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// 50 people behind one address, with two tabs each, all at once, by the defaults.
#[tokio::test]
async fn an_office_behind_one_address_can_log_in_and_talk() {
    let app = limited(&[]).await;
    let people = join_all((0..50).map(|n| {
        let app = &app;
        async move {
            let user = app.log_in_claimed(&format!("Colleague{n}")).await;
            let (mut one, _) = Connection::enter(app, BOTH[n % 2], Auth::Token(&user)).await;
            let (other, _) = Connection::enter(app, BOTH[(n + 1) % 2], Auth::Token(&user)).await;
            let said = one.ask("send_message", &json!({"content": format!("hello from {n}")})).await;
            assert!(said["id"].is_i64(), "{said}");
            (one, other)
        }
    }));
    assert_eq!(people.await.len(), 50);
    assert_eq!(app.online().await.len(), 50);
}

#[tokio::test]
async fn messages_of_a_session_are_counted_together_over_every_door() {
    let app = limited(&[("limits.messages_per_session", "1/h burst 4")]).await;
    let [john, bob] = [app.log_in_claimed("JohnDoe").await, app.log_in_claimed("Bob").await];
    let mut sockets = Vec::new();
    for protocol in BOTH {
        sockets.push(Connection::enter(&app, protocol, Auth::Token(&john)).await.0);
    }
    let mut polling = Polling::connecting_at(app.address(), &json!({"token": john.token})).await;
    assert_eq!(say(&app, &john, "1").await.status, 201);
    for socket in &mut sockets {
        assert!(socket.ask("send_message", &json!({"content": "2 and 3"})).await["id"].is_i64());
    }
    let ack = polling.emit_with_ack("send_message", &json!({"content": "4"})).await;
    assert!(polling.ack(ack).await["id"].is_i64());

    assert_long(assert_for_now(&say(&app, &john, "5").await, 429, "rate_limited"));
    for socket in &mut sockets {
        let refused = socket.ask("send_message", &json!({"content": "5"})).await;
        assert_long(assert_told(&refused, "rate_limited"));
        socket.emit("send_message", &json!({"content": "5"})).await;
        assert_long(assert_told(&socket.event("error").await, "rate_limited"));
    }
    let ack = polling.emit_with_ack("send_message", &json!({"content": "5"})).await;
    assert_long(assert_told(&polling.ack(ack).await, "rate_limited"));
    assert_eq!(
        say(&app, &bob, "5").await.body["id"],
        5,
        "another session; and nothing was stored of the rest"
    );
}

#[rstest]
#[case::of_one_address("limits.messages_per_address", 429, "rate_limited")]
#[case::of_all("limits.messages", 503, "overloaded")]
#[tokio::test]
async fn messages_are_limited_by_address_and_in_all(
    #[case] limit: &str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let app = limited_behind_a_proxy(&[(limit, "1/h burst 3")]).await;
    let mut users = Vec::new();
    for name in ["JohnDoe", "Bob"] {
        users.push(app.log_in_claimed(name).await);
    }
    let from = async |address: &str, user: &LoggedIn| {
        let headers = [("authorization", &*user.bearer()), ("x-forwarded-for", address)];
        app.post("/messages", &json!({"content": "hello"}), &headers).await
    };
    for n in 0..3 {
        assert_eq!(from("192.0.2.1", &users[n % 2]).await.status, 201);
    }
    assert_for_now(&from("192.0.2.1", &users[0]).await, status, code);
    let elsewhere = from("192.0.2.2", &users[0]).await;
    assert_eq!(elsewhere.status == 201, code == "rate_limited", "{elsewhere:?}");
}

/// Whoever waits as long as they were told gets through, and nothing is lost of what was said again.
#[rstest]
#[tokio::test]
async fn who_waits_as_long_as_told_gets_through(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = limited(&[("limits.messages_per_session", "2/s burst 1")]).await;
    let john = app.log_in_claimed("JohnDoe").await;
    let (mut socket, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    let all = async {
        for id in 1..=3 {
            let message = json!({"content": "hello", "client_id": format!("c-{id}")});
            let mut answer = socket.ask("send_message", &message).await;
            while answer["id"] != id {
                // As a client does that does as it is told.
                sleep(Duration::from_secs(assert_told(&answer, "rate_limited"))).await;
                answer = socket.ask("send_message", &message).await;
            }
        }
    };
    in_time("all of them to be stored", all).await;
}

#[rstest]
#[case::typing("typing", &json!({}))]
#[case::what_there_is_not("shout", &json!({}))]
#[tokio::test]
async fn other_events_are_limited(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] event: &str,
    #[case] data: &Value,
) {
    // To connect is one.
    let app = limited(&[("limits.events_per_session", "1/h burst 4")]).await;
    let [john, bob] = [app.log_in_claimed("JohnDoe").await, app.log_in_claimed("Bob").await];
    let (mut socket, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    for _ in 0..3 {
        socket.emit(event, data).await;
    }
    let ack = socket.emit_with_ack(event, data).await;
    assert_long(assert_told(&socket.answer(ack).await, "rate_limited"));
    let said = socket.ask("send_message", &json!({"content": "hello"})).await;
    assert!(said["id"].is_i64(), "messages have limits of their own: {said}");
    let (mut other, _) = Connection::enter(&app, protocol, Auth::Token(&bob)).await;
    other.emit("shout", &json!({})).await;
    assert_eq!(other.event("error").await["code"], "unknown_event", "another session");
}

#[tokio::test]
async fn frames_that_are_none_are_counted_too() {
    // To connect is one.
    let app = limited(&[("limits.events_per_session", "1/h burst 4")]).await;
    let john = app.log_in_claimed("JohnDoe").await;
    let (mut socket, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    for code in ["invalid_frame", "invalid_frame", "invalid_frame", "rate_limited", "rate_limited"] {
        socket.send_text("no JSON").await;
        assert_eq!(socket.event("error").await["code"], code);
    }
}

/// Of each of these the database has to be asked.
#[rstest]
#[case::users("/users")]
#[case::messages("/messages")]
#[case::session("/session")]
#[tokio::test]
async fn requests_that_look_something_up_are_limited(#[case] path: &str) {
    let app = limited_behind_a_proxy(&[("limits.events_per_address", "1/h burst 3")]).await;
    let john = app.log_in_claimed("JohnDoe").await;
    let from = async |address: &str| {
        app.get_as(path, &[("authorization", &john.bearer()), ("x-forwarded-for", address)]).await
    };
    for _ in 0..3 {
        assert_eq!(from("192.0.2.1").await.status, 200);
    }
    assert_long(assert_for_now(&from("192.0.2.1").await, 429, "rate_limited"));
    assert_eq!(from("192.0.2.2").await.status, 200);
    let headers = [("x-forwarded-for", "192.0.2.1"), ("authorization", &*john.bearer())];
    assert_for_now(&app.log_out("JohnDoe", &headers).await, 429, "rate_limited");
}

#[tokio::test]
async fn events_are_limited_in_all() {
    let app = limited_behind_a_proxy(&[("limits.events", "1/h burst 2")]).await;
    for n in 1..=2 {
        assert_eq!(app.get_as("/users", &[("x-forwarded-for", &format!("192.0.2.{n}"))]).await.status, 200);
    }
    assert_for_now(&app.get_as("/users", &[("x-forwarded-for", "192.0.2.3")]).await, 503, "overloaded");
}

/// Whoever watches over a lobby must be able to ask, and a page must come with all of its files.
#[tokio::test]
async fn health_and_pages_have_no_limit() {
    let app = limited(&[("limits.events_per_address", "1/h burst 1")]).await;
    app.ready().await;
    for path in ["/health/live", "/health/ready", "/", "/client/main.js", "/openapi.json"] {
        for _ in 0..20 {
            assert_eq!(app.get(path).await.status, 200, "{path}");
        }
    }
}

/// Whatever it is that is refused before anybody looks who asks.
#[rstest]
#[case::no_json("POST", "/login", "application/json", "{", "invalid_json")]
#[case::another_shape("POST", "/messages", "application/json", "[]", "invalid_body")]
#[case::no_type("POST", "/logout", "text/plain", "{}", "unsupported_media_type")]
#[case::no_query("GET", "/users?limit=x", "application/json", "", "invalid_query")]
#[tokio::test]
async fn requests_that_make_no_sense_are_counted(
    #[case] method: &str,
    #[case] path: &str,
    #[case] media_type: &str,
    #[case] body: &str,
    #[case] code: &str,
) {
    let app = limited_behind_a_proxy(&[("limits.events_per_address", "1/h burst 3")]).await;
    let ask = async |address: &str| {
        let request = app.client().request(method.parse().expect("a method"), app.url(path));
        let request = request.header("content-type", media_type).header("x-forwarded-for", address);
        app.send(request.body(body.to_owned())).await
    };
    for _ in 0..3 {
        assert_eq!(ask("192.0.2.1").await.body["code"], code);
    }
    assert_for_now(&ask("192.0.2.1").await, 429, "rate_limited");
    assert_eq!(ask("192.0.2.2").await.body["code"], code);
}

#[rstest]
#[case::another_namespace("40/x,")]
#[case::auth_of_another_shape("40{\"token\":1}")]
#[tokio::test]
async fn who_joins_where_nobody_can_is_counted(#[case] connect: &str) {
    let app = limited(&[("limits.events_per_address", "1/h burst 3")]).await;
    let mut socket = Connection::open(&app, Protocol::SocketIo, &[]).await.expect("it is let in");
    for _ in 0..3 {
        socket.send_text(connect).await;
        let Received::ConnectError(error) = socket.receive().await else { panic!("it is refused") };
        assert_ne!(error["data"]["code"], "rate_limited");
    }
    socket.send_text(connect).await;
    assert!(matches!(socket.receive().await, Received::Closed(..)), "it comes back when it may");
}

#[rstest]
#[tokio::test]
async fn who_connects_is_counted_as_who_it_is(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = limited(&[("limits.events_per_session", "1/h burst 2")]).await;
    let [john, bob] = [app.log_in_claimed("JohnDoe").await, app.log_in_claimed("Bob").await];
    for _ in 0..2 {
        Connection::enter(&app, protocol, Auth::Token(&john)).await;
    }
    let mut refused = Connection::connecting(&app, protocol, Auth::Token(&john)).await;
    let told = match refused.receive().await {
        Received::ConnectError(error) => error["data"].clone(),
        Received::Event(name, data) if name == "error" => data,
        other => panic!("{other:?}"),
    };
    assert_long(assert_told(&told, "rate_limited"));
    assert!(told["error"].as_str().is_some_and(|error| error.contains("of this session")), "{told}");
    Connection::enter(&app, protocol, Auth::Token(&bob)).await;
}

/// Joining, over and over on one connection, looks the session up each time.
#[tokio::test]
async fn who_joins_again_and_again_over_one_connection_is_limited() {
    let app = limited(&[("limits.events_per_address", "1/h burst 5")]).await;
    let (mut socket, _) = Connection::enter(&app, Protocol::SocketIo, Auth::Nothing).await;
    for _ in 0..4 {
        socket.send_text("41").await;
        socket.send_text("40").await;
        assert!(matches!(socket.receive().await, Received::Event(name, _) if name == "session"));
    }
    socket.send_text("41").await;
    socket.send_text("40").await;
    assert!(matches!(socket.receive().await, Received::Closed(..)), "it comes back when it may");
}

#[tokio::test]
async fn nobody_is_refused_where_limits_are_off() {
    let settings =
        [("limits.enabled", "false"), ("limits.log_ins", "1/h burst 1"), ("limits.messages", "1/h burst 1")];
    let app = App::spawn_with(&settings).await;
    for n in 0..10 {
        let user = app.log_in_claimed(&format!("User{n}")).await;
        assert_eq!(say(&app, &user, "hello").await.status, 201);
    }
}
