//! Sessions that run out: who has the name then, and what brings them back.

mod forgotten;

use std::cell::OnceCell;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use crate::harness::{Answer, App, Auth, Connection, LoggedIn, Protocol, becomes_so};

/// Times so short that a test can wait for them.
const SHORT: [(&str, &str); 4] = [
    ("presence.lease", "300ms"),
    ("presence.grace", "300ms"),
    ("presence.unconnected", "300ms"),
    ("presence.unclaimed", "300ms"),
];

/// Somebody who is there all the while, and sees who comes and goes.
struct Observer {
    connection: Connection,
}

impl Observer {
    async fn of(app: &App) -> Self {
        let observer = app.log_in_claimed("Observer").await;
        Self { connection: Connection::enter(app, Protocol::Plain, Auth::Token(&observer)).await.0 }
    }

    /// Somebody has run out; answers with the revision.
    async fn expired(&mut self, of: &LoggedIn) -> i64 {
        loop {
            let left = self.connection.event("user_left").await;
            if left["session"] == of.session.as_str() {
                assert_eq!(left["reason"], "expired", "{left}");
                return left["revision"].as_i64().expect("a number");
            }
        }
    }

    /// Somebody is there (again).
    async fn joined(&mut self, session: &str) -> Value {
        loop {
            let joined = self.connection.event("user_joined").await;
            if joined["user"]["session"] == session {
                return joined;
            }
        }
    }
}

async fn lobby(own: &[(&str, &str)]) -> App {
    App::spawn_with(&[&SHORT, own].concat()).await
}

async fn try_log_in(app: &App, name: &str, headers: &[(&str, &str)]) -> Answer {
    app.post("/login", &json!({"pseudonym": name}), headers).await
}

/// Logs in under a name as soon as that is free.
async fn log_in_when_free(app: &App, name: &str) -> LoggedIn {
    let logged_in = OnceCell::new();
    becomes_so("the name to be free", async || {
        let answer = try_log_in(app, name, &[]).await;
        if !answer.status.is_success() {
            answer.assert_problem(400, "name_held");
            return false;
        }
        logged_in.set(LoggedIn::from(&answer.body)).is_ok()
    })
    .await;
    logged_in.into_inner().expect("somebody is logged in")
}

#[tokio::test]
async fn a_name_is_held_for_its_holder_and_then_free_for_others() {
    let app = lobby(&[("auth.hold", "3s")]).await;
    let mut observer = Observer::of(&app).await;
    let john = app.log_in_claimed("JohnDoe").await;
    observer.expired(&john).await;
    for same in ["JohnDoe", "johndoe", "ЈоhnDое"] {
        let refused = try_log_in(&app, same, &[]).await;
        refused.assert_problem(400, "name_held");
        let seconds = refused.body["retry_after"].as_u64().expect("whole seconds");
        assert!((1..=3).contains(&seconds), "{refused:?}");
        assert_eq!(refused.header("retry-after"), seconds.to_string());
        assert_eq!(refused.header("set-cookie"), "");
    }
    app.log_out("JohnDoe", &[]).await.assert_problem(400, "not_connected");

    let other = log_in_when_free(&app, "johndoe").await;
    assert_ne!(other.session, john.session);
    let refused = app.get_as("/session", &[("authorization", &john.bearer())]).await;
    refused.assert_problem(401, "invalid_token");
}

/// How somebody shows a token.
#[derive(Debug, Clone, Copy)]
enum Way {
    LogInByToken,
    LogInByCookie,
    Connect(Protocol),
    Handshake(Protocol),
    Authorization,
}

async fn come_back(app: &App, john: &LoggedIn, way: Way) -> String {
    let (bearer, cookie) = (john.bearer(), john.cookie());
    let session = match way {
        Way::LogInByToken => try_log_in(app, "johndoe", &[("authorization", &bearer)]).await.body,
        Way::LogInByCookie => try_log_in(app, "johndoe", &[("cookie", &cookie)]).await.body,
        Way::Connect(protocol) => Connection::enter(app, protocol, Auth::Token(john)).await.1["user"].clone(),
        Way::Handshake(protocol) => {
            Connection::enter(app, protocol, Auth::Header(john)).await.1["user"].clone()
        }
        Way::Authorization => app.get_as("/session", &[("authorization", &bearer)]).await.body,
    };
    session["session"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned()
}

#[rstest]
#[tokio::test]
async fn a_token_brings_its_session_back(
    #[values(
        Way::LogInByToken,
        Way::LogInByCookie,
        Way::Connect(Protocol::Plain),
        Way::Connect(Protocol::SocketIo),
        Way::Handshake(Protocol::Plain),
        Way::Handshake(Protocol::SocketIo),
        Way::Authorization
    )]
    way: Way,
    #[values("10m", "1ms")] hold: &str,
) {
    let app = lobby(&[("auth.hold", hold)]).await;
    let mut observer = Observer::of(&app).await;
    let john = app.log_in_claimed("JohnDoe").await;
    let first = observer.joined(&john.session).await;
    let left = observer.expired(&john).await;
    assert_eq!(come_back(&app, &john, way).await, john.session);
    let again = observer.joined(&john.session).await;
    assert!(again["revision"].as_i64() > Some(left), "{again}");
    assert!(again["user"]["connected_at"].as_str() > first["user"]["connected_at"].as_str(), "{again}");
    assert_eq!(again["user"]["id"], first["user"]["id"]);

    // It is the same as before: it runs out, comes back, and is over once it is logged out.
    observer.expired(&john).await;
    let logged_out = app.log_out("JohnDoe", &[("authorization", &john.bearer())]).await;
    assert_eq!(logged_out.status.as_u16(), 200, "{logged_out:?}");
    let refused = try_log_in(&app, "JohnDoe", &[("authorization", &john.bearer())]).await;
    refused.assert_problem(401, "invalid_token");
    let new = try_log_in(&app, "JohnDoe", &[]).await;
    assert_ne!(LoggedIn::from(&new.body).session, john.session, "the name is free at once");
}

#[tokio::test]
async fn a_token_waits_until_another_is_done_with_the_name() {
    let app = lobby(&[("auth.hold", "1ms")]).await;
    let mut observer = Observer::of(&app).await;
    let john = app.log_in_claimed("JohnDoe").await;
    observer.expired(&john).await;
    let other = log_in_when_free(&app, "JohnDoe").await;
    let (_tab, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&other)).await;
    for (header, value) in [("authorization", john.bearer())] {
        app.get_as("/session", &[(header, &value)]).await.assert_problem(401, "invalid_token");
        try_log_in(&app, "JohnDoe", &[(header, &value)]).await.assert_problem(401, "invalid_token");
    }
    app.log_out("JohnDoe", &[("authorization", &other.bearer())]).await;
    assert_eq!(come_back(&app, &john, Way::Authorization).await, john.session);
}

#[rstest]
#[case::rest(None)]
#[case::plain(Some(Protocol::Plain))]
#[case::socket_io(Some(Protocol::SocketIo))]
#[tokio::test]
async fn an_unclaimed_session_comes_back_by_speaking_in_its_name(#[case] socket: Option<Protocol>) {
    let app = lobby(&[]).await;
    let mut observer = Observer::of(&app).await;
    let john = app.log_in("JohnDoe").await;
    let first = observer.joined(&john.session).await;
    observer.expired(&john).await;
    let post = json!({"sender": "JohnDoe", "content": "still here"});
    let said = match socket {
        None => app.post("/messages", &post, &[]).await.body,
        Some(protocol) => {
            let (mut connection, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
            connection.ask("send_message", &post).await
        }
    };
    assert!(said["id"].is_i64(), "{said}");
    let again = observer.joined(&john.session).await;
    assert!(again["revision"].as_i64() > first["revision"].as_i64(), "{again}");
    let heard = observer.connection.event("new_message").await;
    assert_eq!(heard["sender_session"], john.session.as_str());
    // It has no hold.
    observer.expired(&john).await;
    let new = try_log_in(&app, "JohnDoe", &[]).await;
    assert_ne!(LoggedIn::from(&new.body).session, john.session);
}

#[tokio::test]
async fn a_session_that_ran_out_comes_back_after_a_restart_too() {
    let app = lobby(&[("auth.hold", "10m")]).await;
    let mut observer = Observer::of(&app).await;
    let john = app.log_in_claimed("JohnDoe").await;
    observer.expired(&john).await;
    let app = app.restart_with(&[("auth.hold", "10m")]).await;
    try_log_in(&app, "JohnDoe", &[]).await.assert_problem(400, "name_held");
    assert_eq!(come_back(&app, &john, Way::LogInByToken).await, john.session);
}

/// A cookie would not bring it back: so it never was gone.
#[tokio::test]
async fn a_session_without_a_socket_lives_by_its_requests() {
    const UNCONNECTED: Duration = Duration::from_secs(2);
    const LEASE: Duration = Duration::from_millis(300);

    let app = lobby(&[("presence.unconnected", "2s")]).await;
    let mut observer = Observer::of(&app).await;
    let john = app.log_in_claimed("JohnDoe").await;
    let (began, mut now_and_then) = (Instant::now(), interval(UNCONNECTED / 10));
    let mut last = began;
    while began.elapsed() < 2 * UNCONNECTED {
        now_and_then.tick().await;
        last = Instant::now();
        let who = app.get_as("/session", &[("cookie", &john.cookie())]).await;
        assert_eq!(who.body["session"], john.session.as_str(), "after {:?}", began.elapsed());
    }
    observer.expired(&john).await;
    // A node notes a request within a tenth of that, and presence time by the last beat.
    assert!(last.elapsed() + LEASE >= UNCONNECTED, "{:?}", last.elapsed());
}
