//! What is still there afterwards.

use lobby_infra::signature::SecretKeys;
use serde_json::json;

use crate::checker::{Log, Post, check};
use crate::harness::{
    App, Auth, Connection, Database, LoggedIn, Program, Protocol, Random, Recorder, SECRET_KEY,
};

#[tokio::test]
async fn users_messages_ids_and_tokens_go_on_after_a_restart() {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    app.log_in("gone").await;
    app.log_out("gone", &[]).await;
    let (mut connection, before) = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    for n in 1..=3 {
        let said = connection.ask("send_message", &json!({"content": "before"})).await;
        assert_eq!(said["id"], n);
    }
    drop(connection);

    let app = app.restart().await;
    assert_eq!(app.online().await, ["JohnDoe"]);
    let (mut connection, session) = Connection::enter(&app, Protocol::SocketIo, Auth::Token(&john)).await;
    assert_eq!((&session["log"], &session["users"]), (&before["log"], &before["users"]));
    assert_eq!((&session["last_id"], &session["revision"]), (&json!(3), &json!(3)));
    assert_eq!(connection.ask("send_message", &json!({"content": "after"})).await["id"], 4);
    let again = app.log_in("gone").await;
    let users = app.get("/users?sort_by=connected_at").await.body;
    assert_eq!((&users[1]["session"], &users[1]["id"]), (&json!(again.session), &json!(2)));
}

#[tokio::test]
async fn a_token_outlives_its_key_as_long_as_that_is_the_previous_one() {
    let app = App::spawn().await;
    let old = app.log_in_claimed("JohnDoe").await;
    let login = json!({"pseudonym": "JohnDoe"});

    let app = app.restart_with_secrets(&SecretKeys::new("new".into(), Some(SECRET_KEY.into()))).await;
    for proof in [("authorization", old.bearer()), ("cookie", old.cookie())] {
        let who = app.get_as("/session", &[(proof.0, &proof.1)]).await;
        assert_eq!((who.status.as_u16(), &who.body["session"]), (200, &json!(old.session)), "{proof:?}");
    }
    for protocol in [Protocol::Plain, Protocol::SocketIo] {
        let (mut connection, _) = Connection::enter(&app, protocol, Auth::Token(&old)).await;
        assert!(connection.ask("send_message", &json!({"content": "still I"})).await.get("id").is_some());
    }
    let again = app.post("/login", &login, &[("cookie", &old.cookie())]).await;
    let new = LoggedIn::from(&again.body);
    assert!(new.session == old.session && new.token != old.token, "{again:?}");
    assert!(again.header("set-cookie").contains(&new.token), "{again:?}");

    let app = app.restart_with_secrets(&"new".into()).await;
    app.get_as("/session", &[("authorization", &old.bearer())]).await.assert_problem(401, "invalid_token");
    app.get_as("/session", &[("cookie", &old.cookie())]).await.assert_problem(401, "token_required");
    app.log_out("JohnDoe", &[("authorization", &old.bearer())]).await.assert_problem(401, "invalid_token");
    for proof in [("authorization", new.bearer()), ("cookie", new.cookie())] {
        assert_eq!(app.get_as("/session", &[(proof.0, &proof.1)]).await.status.as_u16(), 200, "{proof:?}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_of_the_program() {
    let mut program = Program::start(Database::Sqlite).await;
    let mut random = Random::new(1);
    let plain = Recorder::log_in(&program.address(), Protocol::Plain, "JohnDoe", random.fork()).await;
    let socketio = Recorder::log_in(&program.address(), Protocol::SocketIo, "Zoë", random.fork()).await;
    for (connections, id) in [(1, 1), (2, 3), (3, 5)] {
        plain.connected(connections).await;
        socketio.connected(connections).await;
        plain.post(Post::once("hello")).await;
        plain.settled().await;
        socketio.post(Post::once("hi")).await;
        plain.reached(id + 1).await;
        socketio.reached(id + 1).await;
        socketio.settled().await;
        program.kill().await;
        program.start_again().await;
    }
    plain.connected(4).await;
    socketio.connected(4).await;
    let records = [plain.stop().await, socketio.stop().await];
    program.stop().await;

    let stored: Vec<_> = records[0].segments.iter().flat_map(|segment| segment.seen.clone()).collect();
    assert_eq!(stored.len(), 6);
    assert_eq!(check(&Log::new(0, stored), &records), []);
}

#[tokio::test]
async fn a_database_that_is_broken_is_told_and_live_connections_stay() {
    let app = App::spawn().await;
    app.log_in("JohnDoe").await;
    let (mut connection, _) = Connection::enter(&app, Protocol::Plain, Auth::Nothing).await;
    let message = json!({"content": "hello", "sender": "JohnDoe"});
    app.alter_database("ALTER TABLE log_head RENAME TO hidden").await;
    app.get("/health/ready").await.assert_problem(503, "unavailable");
    assert_eq!(app.get("/health/live").await.status, 200);
    let refused = connection.ask("send_message", &message).await;
    assert_eq!((&refused["code"], &refused["retry_after"]), (&json!("unavailable"), &json!(1)));
    app.alter_database("ALTER TABLE hidden RENAME TO log_head").await;
    app.ready().await;
    assert_eq!(connection.ask("send_message", &message).await["id"], 1);
}
