//! Who may act in whose name, over every door.

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, Received};

fn hello(sender: &str) -> Value {
    json!({"sender": sender, "content": "hello", "timestamp": "2026-11-23T00:00:00"})
}

/// How a session comes to be claimed.
#[derive(Debug, Clone, Copy)]
enum Claim {
    AtLogIn,
    ByAuthorization,
    ByPlainConnect,
    BySocketIoConnect,
}

#[rstest]
#[tokio::test]
async fn nobody_else_speaks_or_logs_out_for_a_claimed_session(
    #[values(Claim::AtLogIn, Claim::ByAuthorization, Claim::ByPlainConnect, Claim::BySocketIoConnect)] claim: Claim,
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn().await;
    let login = json!({"pseudonym": "JohnDoe", "claim": matches!(claim, Claim::AtLogIn)});
    let john = LoggedIn::from(&app.post("/login", &login, &[]).await.body);
    match claim {
        Claim::AtLogIn => {}
        Claim::ByAuthorization => {
            app.get_as("/session", &[("authorization", &john.bearer())]).await;
        }
        Claim::ByPlainConnect => {
            Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
        }
        Claim::BySocketIoConnect => {
            Connection::enter(&app, Protocol::SocketIo, Auth::Token(&john)).await;
        }
    }
    let zoe = app.log_in("Zoë").await;

    // A second client, which shows nothing, another's cookie or another's token.
    for (auth, code) in [
        (Auth::Nothing, "token_required"),
        (Auth::Cookie(&zoe), "not_your_session"),
        (Auth::Token(&zoe), "not_your_session"),
    ] {
        let (mut second, _) = Connection::enter(&app, protocol, auth).await;
        for name in ["JohnDoe", "johndoe", "ЈоhnDое"] {
            assert_eq!(second.ask("send_message", &hello(name)).await["code"], code, "{auth:?} as {name}");
        }
        second.emit("send_message", &hello("JohnDoe")).await;
        assert_eq!(second.event("error").await["code"], code);
        let still = second.ask("send_message", &json!({})).await;
        assert_eq!(still["code"], "invalid_payload", "the connection lives on");
    }
    app.log_out("JohnDoe", &[]).await.assert_problem(401, "token_required");
    app.log_out("JohnDoe", &[("cookie", &zoe.cookie())]).await.assert_problem(403, "not_your_session");
    app.log_out("johndoe", &[("authorization", &zoe.bearer())]).await.assert_problem(403, "not_your_session");
    assert_eq!(app.online().await, ["JohnDoe", "Zoë"]);

    // Its own token and cookie do.
    for auth in [Auth::Token(&john), Auth::Cookie(&john)] {
        let (mut own, _) = Connection::enter(&app, protocol, auth).await;
        assert!(own.ask("send_message", &hello("JohnDoe")).await.get("id").is_some(), "{auth:?}");
    }
    let logged_out = app.log_out("JohnDoe", &[("cookie", &john.cookie())]).await;
    assert_eq!(logged_out.status, StatusCode::OK);
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn a_cookie_never_claims(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let (mut by_cookie, _) = Connection::enter(&app, protocol, Auth::Cookie(&john)).await;
    by_cookie.ask("send_message", &json!({"content": "hello"})).await;
    app.get_as("/session", &[("cookie", &john.cookie())]).await;
    let (mut nobody, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    assert!(nobody.ask("send_message", &hello("JohnDoe")).await.get("id").is_some());
    assert_eq!(app.log_out("JohnDoe", &[]).await.status, StatusCode::OK);
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn a_cookie_that_proves_nothing_counts_as_absent(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    app.log_out("JohnDoe", &[]).await;
    let (mut stale, session) = Connection::enter(&app, protocol, Auth::Cookie(&john)).await;
    assert_eq!(session.get("user"), None);
    app.post("/login", &json!({"pseudonym": "JohnDoe"}), &[("cookie", &john.cookie())]).await;
    assert!(stale.ask("send_message", &hello("JohnDoe")).await.get("id").is_some());
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn a_page_whose_cookies_session_is_over_goes_on_listening_and_may_log_in_anew(
    #[case] protocol: Protocol,
) {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    let (mut page, _) = Connection::enter(&app, protocol, Auth::Cookie(&john)).await;
    app.log_out("JohnDoe", &[("cookie", &john.cookie())]).await;
    page.event("user_left").await;
    assert_eq!(page.ask("send_message", &json!({"content": "who am I?"})).await["code"], "token_required");
    for name in ["Zoë", "JohnDoe"] {
        app.log_in(name).await;
        page.event("user_joined").await;
        assert!(page.ask("send_message", &hello(name)).await.get("id").is_some(), "{name}");
    }
}

/// It is refused what those are refused who have shown nothing, and in the same words.
#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn a_page_whose_cookies_session_is_over_is_one_of_nobodys(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let zoe = app.log_in_claimed("Zoë").await;
    let john = app.log_in("JohnDoe").await;
    let (mut page, _) = Connection::enter(&app, protocol, Auth::Cookie(&john)).await;
    app.log_out("JohnDoe", &[("cookie", &john.cookie())]).await;
    page.event("user_left").await;
    let (mut nobody, _) = Connection::enter(&app, protocol, Auth::Nothing).await;
    let speaks = |more: Value| {
        let mut message = json!({"content": "hello"});
        message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        ("send_message", message)
    };
    let acts = [
        speaks(json!({})),
        speaks(json!({"to": zoe.session})),
        speaks(json!({"client_id": "c-1"})),
        speaks(json!({"sender": "Zoë"})),
        speaks(json!({"sender": "JohnDoe", "to": zoe.session})),
        speaks(json!({"sender": "JohnDoe", "client_id": "c-1"})),
        ("typing", json!({})),
        ("typing", json!({"to": zoe.session})),
    ];
    for (event, data) in &acts {
        let refused = page.ask(event, data).await;
        assert_eq!(refused["code"], "token_required", "{event} {data}");
        assert_eq!(refused, nobody.ask(event, data).await, "{event} {data}");
    }
    assert_eq!(page.ask("send_message", &hello("JohnDoe")).await["code"], "not_connected");
    app.log_in_claimed("JohnDoe").await;
    assert_eq!(page.ask("send_message", &hello("JohnDoe")).await["code"], "token_required");
}

#[rstest]
#[case(Protocol::Plain)]
#[case(Protocol::SocketIo)]
#[tokio::test]
async fn in_token_mode_a_socket_needs_a_token_or_its_cookie(#[case] protocol: Protocol) {
    let app = App::spawn_with(&[("auth.mode", "token")]).await;
    let john = app.log_in("JohnDoe").await;
    let mut refused = Connection::connecting(&app, protocol, Auth::Nothing).await;
    match (protocol, refused.receive().await) {
        (Protocol::Plain, closed) => assert_eq!(closed, Received::Closed(4401, "token_required".to_owned())),
        (Protocol::SocketIo, Received::ConnectError(error)) => {
            assert_eq!(error["data"]["code"], "token_required");
        }
        (Protocol::SocketIo, other) => panic!("{other:?}"),
    }
    for auth in [Auth::Token(&john), Auth::Header(&john), Auth::Cookie(&john)] {
        let (mut own, _) = Connection::enter(&app, protocol, auth).await;
        assert!(own.ask("send_message", &json!({"content": "hello"})).await.get("id").is_some(), "{auth:?}");
    }
    app.log_out("JohnDoe", &[]).await.assert_problem(401, "token_required");
    let (mut by_cookie, _) = Connection::enter(&app, protocol, Auth::Cookie(&john)).await;
    app.log_out("JohnDoe", &[("cookie", &john.cookie())]).await;
    by_cookie.closed().await;
}
