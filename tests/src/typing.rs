//! Who is typing, and who gets to know.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{App, Auth, Connection, Kind, LoggedIn, Participant, Protocol, RawSocket, Received};

/// What comes in before somebody says this, which is said after it.
async fn typing_until(connection: &mut Connection, content: &str) -> Vec<Value> {
    let mut typing = Vec::new();
    loop {
        match connection.receive().await {
            Received::Event(name, data) if name == "typing" => typing.push(data),
            Received::Event(name, data) if name == "new_message" && data["content"] == content => {
                return typing;
            }
            Received::Event(..) | Received::Ack(..) => {}
            ended => panic!("{ended:?}"),
        }
    }
}

async fn enter(app: &App, protocol: Protocol, who: &LoggedIn) -> Connection {
    Connection::enter(app, protocol, Auth::Token(who)).await.0
}

async fn say(connection: &mut Connection, content: &str) {
    connection.emit("send_message", &json!({"content": content})).await;
}

#[rstest]
#[tokio::test]
async fn everybody_else_is_told_over_both_protocols(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[values(json!({}), json!(null), json!({"to": null}))] data: Value,
) {
    let app = App::spawn().await;
    let (john, zoe) = (app.log_in_claimed("JohnDoe").await, app.log_in("Zoë").await);
    let mut speaker = enter(&app, protocol, &john).await;
    let mut tab = enter(&app, Protocol::Plain, &john).await;
    let (mut by_cookie, _) = Connection::enter(&app, Protocol::SocketIo, Auth::Cookie(&john)).await;
    let mut others = Vec::new();
    for other in [Protocol::Plain, Protocol::SocketIo] {
        others.push(enter(&app, other, &zoe).await);
        others.push(Connection::enter(&app, other, Auth::Nothing).await.0);
    }
    speaker.emit("typing", &data).await;
    say(&mut speaker, "done").await;
    for other in &mut others {
        let told = json!({"pseudonym": "JohnDoe", "session": john.session});
        assert_eq!(typing_until(other, "done").await, [told]);
    }
    for own in [&mut speaker, &mut tab, &mut by_cookie] {
        assert_eq!(typing_until(own, "done").await, [Value::Null; 0], "whoever types knows");
    }
}

#[rstest]
#[tokio::test]
async fn what_is_for_one_is_told_to_their_connections_alone(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[values("id", "Bob", "B\u{41e}\u{412}")] to: &str,
) {
    let app = App::spawn().await;
    let (john, bob) = (app.log_in_claimed("JohnDoe").await, app.log_in("Bob").await);
    let zoe = app.log_in("Zoë").await;
    let mut speaker = enter(&app, protocol, &john).await;
    let mut meant = vec![enter(&app, Protocol::Plain, &bob).await];
    meant.push(Connection::enter(&app, Protocol::SocketIo, Auth::Cookie(&bob)).await.0);
    let mut others = vec![enter(&app, Protocol::Plain, &zoe).await, enter(&app, protocol, &john).await];
    others.push(Connection::enter(&app, Protocol::SocketIo, Auth::Nothing).await.0);
    let to = if to == "id" { bob.session.as_str() } else { to };
    speaker.emit("typing", &json!({"to": to})).await;
    say(&mut speaker, "done").await;
    for connection in &mut meant {
        let told = json!({"pseudonym": "JohnDoe", "session": john.session, "to": "Bob"});
        assert_eq!(typing_until(connection, "done").await, [told]);
    }
    for connection in &mut others {
        assert_eq!(typing_until(connection, "done").await, [Value::Null; 0]);
    }
    assert_eq!(typing_until(&mut speaker, "done").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_successor_is_not_told_what_was_for_their_predecessor() {
    let app = App::spawn().await;
    let (john, first) = (app.log_in_claimed("JohnDoe").await, app.log_in_claimed("Bob").await);
    app.log_out("Bob", &[("authorization", &first.bearer())]).await;
    let second = app.log_in("bob").await;
    let mut successor = enter(&app, Protocol::Plain, &second).await;
    let mut speaker = enter(&app, Protocol::Plain, &john).await;
    speaker.emit("typing", &json!({"to": first.session})).await;
    say(&mut speaker, "done").await;
    assert_eq!(typing_until(&mut successor, "done").await, [Value::Null; 0]);
}

#[rstest]
#[case::nobody_known("nobody")]
#[case::no_name_at_all("\u{0}")]
#[case::longer_than_any_name(&"x".repeat(10_000))]
#[case::a_session_that_never_was("00000000-0000-0000-0000-000000000001")]
#[case::oneself("JohnDoe")]
#[case::empty("")]
#[tokio::test]
async fn typing_for_somebody_who_is_not_there_comes_to_nothing(#[case] to: &str) {
    let app = App::spawn().await;
    let john = app.log_in_claimed("JohnDoe").await;
    let (mut listener, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    let mut speaker = enter(&app, Protocol::SocketIo, &john).await;
    speaker.emit("typing", &json!({"to": to})).await;
    say(&mut speaker, "done").await;
    assert_eq!(typing_until(&mut listener, "done").await, [Value::Null; 0]);
    match speaker.receive().await {
        Received::Event(name, _) if name == "new_message" => {}
        other => panic!("it was to hear nothing but its own message, not {other:?}"),
    }
}

#[rstest]
#[tokio::test]
async fn typing_needs_a_proved_session_and_a_good_payload(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let (mut nobody, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    let mut own = enter(&app, protocol, &john).await;
    let good = [json!({}), json!({"to": "JohnDoe"}), json!({"pseudonym": "JohnDoe", "sender": "JohnDoe"})];
    let bad = [json!(1), json!("JohnDoe"), json!([]), json!({"to": 1}), json!({"to": {}}), json!(true)];
    for data in &good {
        refused(&mut nobody, data, "token_required").await;
    }
    for data in &bad {
        refused(&mut nobody, data, "invalid_payload").await;
        refused(&mut own, data, "invalid_payload").await;
    }
    let (mut by_cookie, _) = Connection::enter(&app, protocol, Auth::Cookie(&john)).await;
    by_cookie.emit("typing", &json!({})).await;
    assert_eq!(nobody.event("typing").await["pseudonym"], "JohnDoe");
}

/// Once with an ack, once without.
async fn refused(connection: &mut Connection, data: &Value, code: &str) {
    assert_eq!(connection.ask("typing", data).await["code"], code, "{data}");
    connection.emit("typing", data).await;
    assert_eq!(connection.event("error").await["code"], code, "{data}");
}

#[rstest]
#[tokio::test]
async fn an_ack_is_not_answered(#[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let mut speaker = enter(&app, protocol, &john).await;
    let unanswered = speaker.emit_with_ack("typing", &json!({})).await;
    let answered = speaker.emit_with_ack("send_message", &json!({"content": "done"})).await;
    loop {
        match speaker.receive().await {
            Received::Ack(id, _) if id == answered => break,
            Received::Ack(id, answer) => panic!("{id} was answered: {answer} ({unanswered})"),
            Received::Event(..) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_session_that_is_over_types_no_more() {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let (mut page, _) = Connection::enter(&app, Protocol::Plain, Auth::Cookie(&john)).await;
    app.log_out("JohnDoe", &[]).await;
    app.log_in("Zoë").await;
    let (mut listener, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    page.emit("typing", &json!({})).await;
    let said = page.ask("send_message", &json!({"sender": "Zoë", "content": "done"})).await;
    assert!(said.get("id").is_some(), "{said}");
    assert_eq!(typing_until(&mut listener, "done").await, [Value::Null; 0]);
}

#[rstest]
#[tokio::test]
async fn of_a_flood_one_a_second_goes_out_however_many_connections_there_are(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    const SECOND: Duration = Duration::from_secs(1);

    let app = App::spawn().await;
    let (john, zoe) = (app.log_in("JohnDoe").await, app.log_in("Zoë").await);
    let mut listener = enter(&app, protocol, &zoe).await;
    let mut tabs = vec![enter(&app, protocol, &john).await];
    tabs.push(enter(&app, Protocol::Plain, &john).await);
    let began = Instant::now();
    let mut told = 0;
    while told < 3 {
        for tab in &mut tabs {
            for to in [json!({}), json!({"to": zoe.session})] {
                tab.emit("typing", &to).await;
            }
        }
        // Whoever comes back has typed already.
        tabs[1] = enter(&app, Protocol::Plain, &john).await;
        say(&mut tabs[0], "done").await;
        told += u32::try_from(typing_until(&mut listener, "done").await.len()).expect("few");
        typing_until(&mut tabs[0], "done").await;
        let elapsed = began.elapsed();
        assert!(SECOND * told.saturating_sub(1) <= elapsed, "{told} within {elapsed:?}");
    }
}

#[tokio::test]
async fn sessions_are_counted_each_by_itself() {
    let app = App::spawn().await;
    let (mut listener, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    for name in ["Alice", "Bob", "Zoë"] {
        let who = app.log_in(name).await;
        enter(&app, Protocol::Plain, &who).await.emit("typing", &json!({})).await;
        assert_eq!(listener.event("typing").await["pseudonym"], name);
    }
}

#[tokio::test]
async fn typing_leaves_nothing_behind_and_needs_no_database() {
    let app = App::spawn().await;
    let (john, zoe) = (app.log_in("JohnDoe").await, app.log_in("Zoë").await);
    let (mut listener, before) = Connection::enter(&app, Protocol::Plain, Auth::Token(&zoe)).await;
    let mut speaker = enter(&app, Protocol::SocketIo, &john).await;
    for table in ["log_head", "users", "sessions"] {
        app.alter_database(&format!("ALTER TABLE {table} RENAME TO hidden_{table}")).await;
    }
    app.get("/health/ready").await.assert_problem(503, "unavailable");
    speaker.emit("typing", &json!({"to": "zoë"})).await;
    assert_eq!(listener.event("typing").await["to"], "Zoë");
    for table in ["log_head", "users", "sessions"] {
        app.alter_database(&format!("ALTER TABLE hidden_{table} RENAME TO {table}")).await;
    }
    let (_, after) = Connection::enter(&app, Protocol::Plain, Auth::Token(&zoe)).await;
    for member in ["log", "last_id", "revision", "users"] {
        assert_eq!(before[member], after[member]);
    }
    let history = app.get_as("/messages", &[("authorization", &zoe.bearer())]).await;
    assert_eq!(history.body["messages"], json!([]));
}

/// What waits for it is far below what would end it, and far above what lets typing through.
#[tokio::test]
async fn a_slow_reader_is_not_told_and_not_ended_by_it() {
    // More than what the kernel's buffers on both sides hold, by a few MiB.
    const ROUNDS: usize = 75;
    const AT_ONCE: usize = 60;

    let app = App::spawn_with(&[("websocket.outbox", "33554432")]).await;
    let (john, zoe) = (app.log_in("JohnDoe").await, app.log_in("Zoë").await);
    let mut slow = RawSocket::open(&app).await;
    slow.send_text(r#"{"event":"connect"}"#).await;
    slow.read_until(r#""event":"session""#).await;
    let mut speaker = enter(&app, Protocol::Plain, &john).await;
    let mut listener = enter(&app, Protocol::Plain, &zoe).await;
    let content = "x".repeat(4_000);
    for _ in 0..ROUNDS {
        for _ in 0..AT_ONCE {
            say(&mut speaker, &content).await;
        }
        listener.messages(AT_ONCE).await;
        speaker.messages(AT_ONCE).await;
    }
    speaker.emit("typing", &json!({})).await;
    say(&mut speaker, "the last word").await;
    assert_eq!(typing_until(&mut listener, "the last word").await.len(), 1);
    let received = slow.read_until("the last word").await;
    assert!(received.len() > ROUNDS * AT_ONCE * content.len());
    assert!(!received.windows(8).any(|window| window == b"\"typing\""), "it was told");

    // It has caught up.
    let mut told = enter(&app, Protocol::Plain, &zoe).await;
    told.emit("typing", &json!({})).await;
    slow.read_until(r#""event":"typing""#).await;
}

#[rstest]
#[tokio::test]
async fn real_clients_see_each_other_typing(
    #[values("websocket", "polling", "polling,websocket")] transports: &str,
) {
    let app = App::spawn().await;
    let mut node = Participant::start(&app, Kind::Node, transports, "all");
    let mut python = Participant::start(&app, Kind::Python, transports, "all");
    for (participant, name) in [(&mut node, "Alice"), (&mut python, "Bob")] {
        participant.log_in(name).await;
        participant.connect("main").await;
    }
    node.typing("main", None).await;
    assert_eq!(python.event("main", "typing").await["pseudonym"], "Alice");
    python.typing("main", Some("ALICE")).await;
    let told = node.event("main", "typing").await;
    assert_eq!((&told["pseudonym"], &told["to"]), (&json!("Bob"), &json!("Alice")));
    node.quit().await;
    python.quit().await;
}
