//! What is logged of what clients send: ids to find it by, and nothing that was said, nor anything that acts.

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Connection, Launch, Program, Protocol, becomes_so, http_client, in_time};

async fn telling_all(format: &str) -> Program {
    let settings = vec![("LOBBY_LOG__LEVEL", "trace".to_owned()), ("LOBBY_LOG__FORMAT", format.to_owned())];
    Program::launch(Launch { settings, ..Launch::default() }).await
}

/// What a request is answered that is sent as it stands.
async fn raw(program: &Program, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(program.socket()).await.expect("it listens");
    stream.write_all(request).await.expect("it is read");
    let mut answer = Vec::new();
    // Whether it ends in order is its own business.
    let _ended = in_time("an answer", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Names, headers and paths that are to begin a line of their own, or to do something to a terminal.
#[rstest]
#[case::text("text")]
#[case::json("json")]
#[tokio::test]
async fn nothing_that_clients_send_begins_a_line_or_acts_on_a_terminal(#[case] format: &str) {
    const HOSTILE: &str = "Eve\r\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J\u{9b}31m\u{202e}";

    let program = telling_all(format).await;
    let url = |path: &str| format!("http://{}{path}", program.socket());
    for body in [json!({"pseudonym": HOSTILE}), json!({HOSTILE: 1}), json!(HOSTILE)] {
        for path in ["/login", "/logout", "/messages"] {
            let request = http_client().post(url(path)).json(&body).send();
            let status = in_time("an answer", request).await.expect("an answer").status();
            assert!(status.is_client_error(), "{status}");
        }
    }
    for request in [
        "GET /%0d%0aERROR%20forged%1b[2J HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".as_bytes(),
        "GET /nowhere HTTP/1.1\r\nHost: x\r\nUser-Agent: \u{9b}31m\u{202e}\r\nConnection: close\r\n\r\n"
            .as_bytes(),
        "GET /nowhere HTTP/1.1\r\nHost: x\r\nx-request-id: a\u{1b}[2Jb\r\nConnection: close\r\n\r\n"
            .as_bytes(),
        b"GET /\x1b[2J HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ] {
        raw(&program, request).await;
    }
    for protocol in [Protocol::Plain, Protocol::SocketIo] {
        let connecting = Connection::connecting_at(program.socket(), protocol, &[], &json!({})).await;
        let mut connection = connecting.entered().await.0;
        connection.ask(HOSTILE, &json!({})).await;
        connection.ask("send_message", &json!({"sender": HOSTILE, "content": "x"})).await;
        connection.ask("send_message", &json!(HOSTILE)).await;
        connection.close().await;
    }
    becomes_so("it to tell of the end", async || program.log().contains("a connection has ended")).await;
    let log = program.log();
    program.stop().await;
    assert!(log.contains("TRACE"));
    let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert_eq!(log.lines().filter(|line| line.contains(acts)).collect::<Vec<_>>(), [""; 0]);
    for line in log.lines() {
        let begins = if format == "json" {
            serde_json::from_str::<Value>(line).is_ok_and(|entry| entry["timestamp"].is_string())
        } else {
            line.starts_with("20") && !line.starts_with("2026-01-01")
        };
        assert!(begins, "{line}");
    }
}

#[rstest]
#[case::text("text")]
#[case::json("json")]
#[tokio::test]
async fn what_is_said_is_not_logged(#[case] format: &str) {
    const SECRET: &str = "correct-horse-battery-staple";

    let program = telling_all(format).await;
    for protocol in [Protocol::Plain, Protocol::SocketIo] {
        let connecting = Connection::connecting_at(program.socket(), protocol, &[], &json!({})).await;
        let mut connection = connecting.entered().await.0;
        let login = http_client().post(format!("http://{}/login", program.socket()));
        let name = format!("John{protocol:?}");
        in_time("an answer", login.json(&json!({"pseudonym": name})).send()).await.expect("an answer");
        let said = json!({"sender": name, "content": SECRET});
        assert!(connection.ask("send_message", &said).await["id"].is_i64());
        for wrong in
            [json!(SECRET), json!({"content": {SECRET: SECRET}}), json!({"content": SECRET, "to": 7})]
        {
            assert!(connection.ask("send_message", &wrong).await["code"].is_string());
        }
        connection.close().await;
    }
    let messages = http_client().get(format!("http://{}/messages", program.socket())).send();
    let messages = in_time("an answer", messages).await.expect("an answer").text().await.expect("a body");
    assert!(messages.contains(SECRET));
    let log = program.log();
    program.stop().await;
    assert!(log.contains("TRACE"));
    assert_eq!(log.lines().filter(|line| line.contains(SECRET)).collect::<Vec<_>>(), [""; 0]);
}

/// As a lobby is run: at `info`, where nothing is told of who just comes and goes.
#[rstest]
#[tokio::test]
async fn who_was_cut_off_or_not_let_in_is_found_by_connection_and_request(
    #[values("text", "json")] format: &str,
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    const SECRET: &str = "correct-horse-battery-staple";

    let settings = vec![("LOBBY_LOG__LEVEL", "info".to_owned()), ("LOBBY_LOG__FORMAT", format.to_owned())];
    let program = Program::launch(Launch { settings, ..Launch::default() }).await;
    let connecting = async |id: &str, data: &Value| {
        Connection::connecting_at(program.socket(), protocol, &[("x-request-id", id)], data).await
    };
    connecting("comes-and-goes", &json!({})).await.entered().await.0.close().await;
    let mut refused = connecting("not-let-in", &json!({"token": SECRET})).await;
    refused.receive().await;
    let mut cut = connecting("cut-off", &json!({})).await.entered().await.0;
    match protocol {
        Protocol::Plain => cut.send(Message::binary(SECRET)).await,
        Protocol::SocketIo => cut.send_text(&format!("4{SECRET}")).await,
    }
    cut.closed().await;
    let told = |what: &str, request: &str| {
        let log = program.log();
        let line = log.lines().find(|line| line.contains(what)).map(str::to_owned)?;
        let span = if format == "json" {
            let entry: Value = serde_json::from_str(&line).expect("JSON");
            (entry["span"]["id"].is_u64(), entry["span"]["request"] == request)
        } else {
            let (_, ids) = line.split_once("connection{id=").expect("a span");
            (ids.starts_with(|c: char| c.is_ascii_digit()), ids.contains(&format!("request={request:?}")))
        };
        assert_eq!(span, (true, true), "{line}");
        Some(line)
    };
    becomes_so("both to be told", async || {
        let refused = told("a connection was refused", "not-let-in");
        let cut = told("a connection was cut off", "cut-off");
        let said = |line: Option<String>, why: &str| line.is_some_and(|line| line.contains(why));
        said(refused, "invalid_token") && said(cut, "protocol")
    })
    .await;
    let log = program.log();
    assert!(!log.contains(SECRET) && !log.contains("comes-and-goes"), "{log}");
    program.stop().await;
}

#[tokio::test]
async fn a_request_is_found_in_the_log_by_the_id_in_its_answer() {
    let program = telling_all("json").await;
    let url = format!("http://{}/nowhere", program.socket());
    for (brought, taken) in
        [(None, false), (Some("from-the.proxy_1"), true), (Some("a b"), false), (Some(""), false)]
    {
        let request = http_client().get(&url);
        let request = match brought {
            Some(id) => request.header("x-request-id", id),
            None => request,
        };
        let answer = in_time("an answer", request.send()).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        let id = answer.headers()["x-request-id"].to_str().expect("a text").to_owned();
        assert_eq!(brought == Some(id.as_str()), taken, "{id}");
        assert!(taken || id.len() == 32, "{id}");
        let is_told = |line: &str| {
            let entry: Value = serde_json::from_str(line).expect("JSON");
            entry["message"] == "a request is answered"
                && entry["span"]["id"] == id.as_str()
                && entry["code"] == "not_found"
        };
        becomes_so("it to be logged", async || program.log().lines().any(is_told)).await;
    }
    // A connection's is that of its handshake.
    let headers = [("x-request-id", "my-handshake")];
    let connecting = Connection::connecting_at(program.socket(), Protocol::Plain, &headers, &json!({})).await;
    connecting.entered().await.0.close().await;
    let is_told = |line: &str| line.contains("a connection has ended") && line.contains("my-handshake");
    becomes_so("its end to be logged", async || program.log().lines().any(is_told)).await;
    program.stop().await;
}
