//! Log in, list, log out, every refusal.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{App, LoggedIn};

#[tokio::test]
async fn logging_in_answers_as_the_original_does_and_more() {
    let app = App::spawn().await;
    let answer = app.post("/login", &json!({"pseudonym": "JohnDoe"}), &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.body.as_object().expect("an object");
    let members: BTreeSet<_> = body.keys().map(String::as_str).collect();
    let expected = ["id", "pseudonym", "is_connected", "created_at", "connected_at", "session", "token"];
    assert_eq!(members, expected.into());
    assert_eq!(
        (&body["id"], &body["pseudonym"], &body["is_connected"]),
        (&json!(1), &json!("JohnDoe"), &json!(true))
    );
    for moment in ["created_at", "connected_at"] {
        let text = body[moment].as_str().expect("a text");
        assert!(text.len() == 24 && text.ends_with('Z') && &text[10..11] == "T", "{text}");
    }
    let token = body["token"].as_str().expect("a text");
    let expected = format!("lobby_session={token}; HttpOnly; SameSite=Lax; Path=/");
    assert_eq!(answer.header("set-cookie"), expected);
}

#[tokio::test]
async fn behind_tls_the_cookie_is_for_tls_only() {
    let app = App::spawn_with(&[("auth.secure_cookie", "true")]).await;
    let answer = app.post("/login", &json!({"pseudonym": "JohnDoe"}), &[]).await;
    assert!(answer.header("set-cookie").contains("; Secure"), "{answer:?}");
}

#[rstest]
#[case::the_same("JohnDoe")]
#[case::in_other_case("johnDOE")]
#[case::with_cyrillic_letters("ЈоhnDое")]
#[tokio::test]
async fn a_name_that_is_connected_is_refused(#[case] same: &str) {
    let app = App::spawn().await;
    app.log_in("JohnDoe").await;
    let refused = app.post("/login", &json!({"pseudonym": same}), &[]).await;
    refused.assert_problem(400, "already_connected");
    assert_eq!(app.online().await, ["JohnDoe"]);
}

#[rstest]
#[case::empty("")]
#[case::one_character("x")]
#[case::space("John Doe")]
#[case::reserved("admin")]
#[case::zero_width("Jo\u{200b}hn")]
#[case::huge(&"x".repeat(10_000))]
#[tokio::test]
async fn a_name_that_is_not_allowed_is_refused(#[case] name: &str) {
    let app = App::spawn().await;
    app.post("/login", &json!({"pseudonym": name}), &[]).await.assert_problem(400, "invalid_pseudonym");
    assert!(app.online().await.is_empty());
}

#[tokio::test]
async fn of_a_hundred_who_want_one_name_at_once_exactly_one_gets_it() {
    let app = App::spawn().await;
    let body = json!({"pseudonym": "JohnDoe"});
    let answers = join_all((0..100).map(|_| app.post("/login", &body, &[]))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::OK);
    assert_eq!((won.len(), lost.len()), (1, 99));
    for answer in lost {
        answer.assert_problem(400, "already_connected");
    }
    assert_eq!(app.online().await, ["JohnDoe"]);
}

#[tokio::test]
async fn who_is_online_is_listed_without_secrets_and_sorted_as_asked() {
    let app = App::spawn().await;
    for name in ["zoe", "Bob", "alice", "Mike", "nina", "Paul"] {
        app.log_in(name).await;
    }
    let names = |body: &Value| -> Vec<String> {
        let users = body.as_array().expect("an array");
        users.iter().map(|user| user["pseudonym"].as_str().expect("a text").to_owned()).collect()
    };
    for (path, order) in [
        ("/users", ["alice", "Bob", "Mike", "nina", "Paul", "zoe"]),
        ("/users?sort_by=pseudonym", ["alice", "Bob", "Mike", "nina", "Paul", "zoe"]),
        ("/users?sort_by=connected_at", ["zoe", "Bob", "alice", "Mike", "nina", "Paul"]),
    ] {
        let answer = app.get(path).await;
        assert_eq!(
            (answer.status, names(&answer.body)),
            (StatusCode::OK, order.map(str::to_owned).to_vec()),
            "{path}"
        );
        assert_eq!(answer.header("lobby-roster-revision"), "6");
        assert!(answer.body.as_array().expect("an array").iter().all(|user| user.get("token").is_none()));
    }
    let refused = app.get("/users?sort_by=age").await;
    let detail = refused.assert_problem(400, "invalid_query");
    assert!(detail.contains("connected_at"), "{detail}");
}

#[tokio::test]
async fn logging_out_makes_the_name_free_at_once() {
    let app = App::spawn().await;
    let first = app.log_in("JohnDoe").await;
    let answer = app.log_out("johndoe", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body["message"].as_str().is_some_and(|message| message.contains("JohnDoe")), "{answer:?}");
    assert!(app.online().await.is_empty());
    app.log_out("JohnDoe", &[]).await.assert_problem(400, "not_connected");
    let second = app.log_in("JohnDoe").await;
    assert_ne!(first.session, second.session);
}

#[rstest]
#[case::unknown("nobody")]
#[case::not_even_a_name("")]
#[tokio::test]
async fn logging_out_somebody_who_is_not_connected_is_refused(#[case] name: &str) {
    let app = App::spawn().await;
    app.log_out(name, &[]).await.assert_problem(400, "not_connected");
}

#[tokio::test]
async fn the_session_says_who_the_caller_is() {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    app.get("/session").await.assert_problem(401, "token_required");
    let by_cookie = app.get_as("/session", &[("cookie", &john.cookie())]).await;
    assert_eq!(by_cookie.body["pseudonym"], "JohnDoe");
    assert_eq!(by_cookie.body["claimed"], false);
    let by_token = app.get_as("/session", &[("authorization", &john.bearer())]).await;
    assert_eq!((&by_token.body["session"], &by_token.body["claimed"]), (&json!(john.session), &json!(true)));
    let forged = app.get_as("/session", &[("authorization", "Bearer forged")]).await;
    forged.assert_problem(401, "invalid_token");
    assert_eq!(forged.header("www-authenticate"), "Bearer");
    app.get_as("/session", &[("cookie", "lobby_session=forged")]).await.assert_problem(401, "token_required");
}

#[tokio::test]
async fn logging_in_again_with_ones_own_token_brings_the_same_session() {
    let app = App::spawn().await;
    let john = app.log_in("JohnDoe").await;
    for header in [("cookie", john.cookie()), ("authorization", john.bearer())] {
        let answer = app.post("/login", &json!({"pseudonym": "johndoe"}), &[(header.0, &header.1)]).await;
        assert_eq!(answer.status, StatusCode::OK);
        let again = LoggedIn::from(&answer.body);
        assert_eq!((again.session, again.token), (john.session.clone(), john.token.clone()));
    }
    let other = app.post("/login", &json!({"pseudonym": "Zoë"}), &[("cookie", &john.cookie())]).await;
    assert_ne!(LoggedIn::from(&other.body).session, john.session);
    assert_eq!(app.online().await, ["JohnDoe", "Zoë"]);
}

#[tokio::test]
async fn health_is_told() {
    let app = App::spawn().await;
    app.ready().await;
    for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let answer = app.get(path).await;
        assert_eq!((answer.status, &answer.body["status"]), (StatusCode::OK, &json!(status)));
        let head = app.request(Method::HEAD, path).await;
        assert_eq!((head.status, head.body), (StatusCode::OK, json!("")));
    }
}

#[rstest]
#[case::no_json("{pseudonym", 400, "invalid_json", "line 1")]
#[case::nothing("", 400, "invalid_json", "EOF")]
#[case::wrong_type(r#"{"pseudonym": 1}"#, 400, "invalid_body", "expected a string")]
#[case::wrong_flag(r#"{"pseudonym": "JohnDoe", "claim": "yes"}"#, 400, "invalid_body", "expected a boolean")]
#[case::missing(r"{}", 400, "invalid_body", "pseudonym")]
#[case::null("null", 400, "invalid_body", "expected an object")]
#[case::array(r#"["JohnDoe"]"#, 400, "invalid_body", "expected an object")]
#[case::too_large(&format!(r#"{{"pseudonym": "{}"}}"#, "x".repeat(20_000)), 413, "body_too_large", "")]
#[tokio::test]
async fn a_body_that_is_no_log_in_is_refused_with_the_reason(
    #[case] body: &str,
    #[case] status: u16,
    #[case] code: &str,
    #[case] reason: &str,
) {
    let app = App::spawn().await;
    for path in ["/login", "/logout"] {
        if path == "/logout" && body.contains("claim") {
            continue;
        }
        let request = app.client().post(app.url(path)).header("content-type", "application/json");
        let detail = app.send(request.body(body.to_owned())).await.assert_problem(status, code);
        assert!(detail.contains(reason), "{detail}");
    }
}

#[rstest]
#[case::none(None)]
#[case::form(Some("application/x-www-form-urlencoded"))]
#[case::text(Some("text/plain"))]
#[tokio::test]
async fn a_body_of_another_type_is_refused(#[case] content_type: Option<&str>) {
    let app = App::spawn().await;
    let request = app.client().post(app.url("/login")).body(r#"{"pseudonym": "JohnDoe"}"#);
    let request = content_type.into_iter().fold(request, |r, value| r.header("content-type", value));
    app.send(request).await.assert_problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_path_or_a_method_that_is_not_there_is_refused() {
    let app = App::spawn().await;
    app.get("/nowhere").await.assert_problem(404, "not_found");
    app.get("/login/").await.assert_problem(404, "not_found");
    for (method, path, allowed) in [
        (Method::GET, "/login", "POST"),
        (Method::DELETE, "/users", "GET, HEAD"),
        (Method::PUT, "/logout", "POST"),
        (Method::POST, "/session", "GET, HEAD"),
        (Method::POST, "/health/ready", "GET, HEAD"),
        (Method::POST, "/ws", "GET, HEAD"),
    ] {
        let answer = app.request(method, path).await;
        answer.assert_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing() {
    let app =
        App::spawn_with(&[("server.allowed_origins", "https://chat.example,https://other.example")]).await;
    let own = app.url("");
    for (origin, allowed) in [
        (own.as_str(), true),
        ("https://chat.example", true),
        ("https://other.example", true),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let answer = app.post("/login", &json!({"pseudonym": "JohnDoe"}), &[("origin", origin)]).await;
        if allowed {
            assert_eq!(answer.status, StatusCode::OK, "{origin}");
            app.log_out("JohnDoe", &[("origin", origin)]).await;
        } else {
            answer.assert_problem(403, "origin_not_allowed");
        }
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_are_told_that_they_may_and_others_that_they_may_not() {
    let app = App::spawn_with(&[("server.allowed_origins", "https://chat.example")]).await;
    for (origin, told) in [("https://chat.example", "https://chat.example"), ("https://evil.example", "")] {
        let preflight = app.client().request(Method::OPTIONS, app.url("/login"));
        let preflight = preflight
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type");
        let preflight = app.send(preflight).await;
        if told.is_empty() {
            preflight.assert_problem(403, "origin_not_allowed");
        }
        for answer in [preflight, app.get_as("/users", &[("origin", origin)]).await] {
            assert_eq!(answer.header("access-control-allow-origin"), told, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn in_token_mode_who_is_online_is_told_to_those_with_a_token_only() {
    let app = App::spawn_with(&[("auth.mode", "token")]).await;
    let john = app.log_in("JohnDoe").await;
    app.get("/users").await.assert_problem(401, "token_required");
    for header in [("cookie", john.cookie()), ("authorization", john.bearer())] {
        let answer = app.get_as("/users", &[(header.0, &header.1)]).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}
