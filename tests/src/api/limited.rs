//! What is too much, or too slow, is refused as the API page shows it.

use reqwest::{Method, RequestBuilder};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answers::{assert_is_as_shown, told};
use super::events::shown;
use crate::harness::contract::OPENAPI;
use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, Received, in_time};

async fn limited(limit: &str, value: &str) -> (App, LoggedIn) {
    let app = App::spawn_with(&[("limits.enabled", "true"), (limit, value)]).await;
    let john = app.log_in_claimed("JohnDoe").await;
    (app, john)
}

/// What a path is limited by, where its example has this sentence.
fn limit_of(method: &str, path: &str, sentence: &str) -> String {
    let what = match (method, path) {
        ("post", "/login") => "log_ins",
        ("post", "/messages") => "messages",
        ("get", "/ws") => "connects",
        _ => "events",
    };
    let scope = match sentence {
        _ if sentence.contains("from this address") => "_per_address",
        _ if sentence.contains("of this session") => "_per_session",
        _ => "",
    };
    format!("limits.{what}{scope}")
}

fn request(app: &App, john: &LoggedIn, method: &str, path: &str) -> RequestBuilder {
    let body = match path {
        "/messages" => json!({"content": "Hello!"}),
        // Nobody of that name is there: whoever is refused comes no further than that.
        _ => json!({"pseudonym": "Nobody"}),
    };
    // What is no handshake is not counted as a connection.
    let handshake = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let method: Method = method.to_uppercase().parse().expect("a method");
    let request = app.client().request(method.clone(), app.url(path)).header("authorization", john.bearer());
    match path {
        "/ws" => handshake.iter().fold(request, |request, (name, value)| request.header(*name, *value)),
        _ if method == Method::POST => request.json(&body),
        _ => request,
    }
}

/// Buckets of one each, which take a second to fill; and room for one.
#[tokio::test]
async fn what_is_too_much_is_refused_as_the_examples_show() {
    let (mut seen, limits) = (0, ["rate_limited", "overloaded", "too_many_connections"]);
    for (method, path, code) in told().into_iter().filter(|(_, _, code)| limits.contains(code)) {
        let responses = &OPENAPI.value["paths"][path][method]["responses"];
        let status = if code == "overloaded" { "503" } else { "429" };
        let example = &responses[status]["content"]["application/problem+json"]["examples"][code]["value"];
        let sentence = example["detail"].as_str().expect("a sentence");
        seen += 1;
        let (limit, value) = if sentence.contains("connections are open") {
            ("limits.connections_per_address".to_owned(), "1")
        } else {
            (limit_of(method, path, sentence), "1/s burst 1")
        };
        let (app, john) = limited(&limit, value).await;
        // Where rates are limited it takes one more of them than this.
        let one = Connection::open(&app, Protocol::Plain, &[]).await.expect("there is room");
        let refused = async {
            loop {
                let answer = app.send(request(&app, &john, method, path)).await;
                if answer.body["code"] == code {
                    return answer;
                }
            }
        };
        assert_is_as_shown(&in_time("it to be too much", refused).await, method, path, code);
        drop(one);
        app.stop().await;
    }
    assert_eq!(seen, 6 * 2 + 3, "each of six operations by rates, and sockets by numbers too");
}

#[tokio::test]
async fn a_body_that_is_too_slow_is_refused_as_the_examples_show() {
    let app = App::spawn_with(&[("limits.body_timeout", "100ms")]).await;
    for (method, path, _) in told().into_iter().filter(|(_, _, code)| *code == "body_too_slow") {
        let mut slow = TcpStream::connect(app.address()).await.expect("the lobby listens");
        let head = format!(
            "{} {path} HTTP/1.1\r\nHost: lobby\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{",
            method.to_uppercase()
        );
        slow.write_all(head.as_bytes()).await.expect("it is sent");
        let mut answer = Vec::new();
        // A reset is an end too.
        let _reset = in_time("the end", slow.read_to_end(&mut answer)).await;
        let answer = String::from_utf8(answer).expect("a text");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let responses = &OPENAPI.value["paths"][path][method]["responses"];
        let example = &responses["408"]["content"]["application/problem+json"]["examples"]["body_too_slow"];
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body, example["value"], "{method} {path}");
    }
}

#[rstest]
#[case::of_a_session("limits.messages_per_session", "rate_limited")]
#[case::of_all("limits.messages", "overloaded")]
#[tokio::test]
async fn too_many_messages_are_refused_as_the_examples_show(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] limit: &str,
    #[case] code: &str,
) {
    let (app, john) = limited(limit, "1/s burst 1").await;
    let (mut johns, _) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    let refused = async {
        loop {
            let answer = johns.ask("send_message", &json!({"content": "Hello!"})).await;
            if answer["id"].is_null() {
                return answer;
            }
        }
    };
    let refused = in_time("it to be too much", refused).await;
    match protocol {
        Protocol::Plain => assert_eq!(refused, shown("frame.error", code)["data"]),
        Protocol::SocketIo => assert_eq!(&refused, shown("error", code)),
    }
}

#[rstest]
#[case::too_often("limits.connects_per_session", "1/s burst 1", "rate_limited")]
#[case::too_many("limits.connections_per_session", "1", "too_many_connections")]
#[case::in_all("limits.events", "1/s burst 1", "overloaded")]
#[tokio::test]
async fn a_session_that_is_too_much_is_turned_away_as_the_examples_show(
    #[case] limit: &str,
    #[case] value: &str,
    #[case] code: &str,
) {
    let (app, john) = limited(limit, value).await;
    let mut open = Vec::new();
    let turned_away = async {
        loop {
            let mut next = Connection::connecting(&app, Protocol::SocketIo, Auth::Token(&john)).await;
            match next.receive().await {
                Received::ConnectError(error) => return error,
                _ => open.push(next),
            }
        }
    };
    let error = Box::pin(in_time("it to be too much", turned_away)).await;
    assert_eq!(&error, shown("connect_error", code));
}

#[tokio::test]
async fn a_plain_session_that_is_too_much_is_told_so_as_the_example_shows() {
    let (app, john) = limited("limits.connections_per_session", "1").await;
    let _first = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    let mut next = Connection::connecting(&app, Protocol::Plain, Auth::Token(&john)).await;
    assert_eq!(next.event("error").await, shown("frame.error", "too_many_connections")["data"]);
    assert_eq!(next.receive().await, Received::Closed(1013, "too_many_connections".to_owned()));
}
