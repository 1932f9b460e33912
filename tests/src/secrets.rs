//! That tokens are with whom they were given to, and nowhere else.

use std::fs;
use std::net::SocketAddr;

use reqwest::{Client, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Connection, Launch, LoggedIn, Program, Protocol, Received, http_client, in_time};

/// A lobby that tells all it can, and those who talk to it.
struct Chatty {
    program: Program,
    address: SocketAddr,
    client: Client,
    /// What was answered besides log-ins.
    answers: Vec<String>,
}

impl Chatty {
    async fn start(format: &str) -> Self {
        let settings =
            vec![("LOBBY_LOG__LEVEL", "trace".to_owned()), ("LOBBY_LOG__FORMAT", format.to_owned())];
        let program = Program::launch(Launch { settings, ..Launch::default() }).await;
        let address = *program.address().borrow();
        Self { program, address, client: http_client(), answers: Vec::new() }
    }

    async fn post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let request = self.client.post(format!("http://{}{path}", self.address)).json(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = in_time("an answer", request.send()).await.expect("an answer");
        (answer.status(), in_time("a body", answer.text()).await.expect("a body"))
    }

    async fn log_in(&self, name: &str) -> LoggedIn {
        let (status, body) = self.post("/login", &json!({"pseudonym": name, "claim": true}), &[]).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        LoggedIn::from(&serde_json::from_str::<Value>(&body).expect("JSON"))
    }

    /// Shows a token in every place that there is, for whatever takes one.
    async fn show_everywhere(&mut self, token: &str) {
        let (bearer, cookie) = (format!("Bearer {token}"), format!("lobby_session={token}"));
        for header in [("authorization", bearer.as_str()), ("cookie", &cookie)] {
            for (path, body) in [
                ("/login", json!({"pseudonym": "Somebody"})),
                ("/logout", json!({"pseudonym": "Nobody"})),
                ("/messages", json!({"content": "hello", "to": "Nobody"})),
                ("/messages", json!({"content": 7})),
                ("/nowhere", json!({})),
            ] {
                let (status, body) = self.post(path, &body, &[header]).await;
                if status != StatusCode::OK {
                    self.answers.push(body);
                }
            }
        }
        for protocol in [Protocol::Plain, Protocol::SocketIo] {
            let shown = json!({"token": token});
            let headers = [("authorization", bearer.as_str()), ("cookie", &cookie)];
            for (headers, data) in
                [(&headers[..0], &shown), (&headers[..1], &json!({})), (&headers[1..], &json!({}))]
            {
                self.connect(protocol, headers, data).await;
            }
            // A token where none belongs.
            self.connect(protocol, &[], &json!({"token": [token]})).await;
        }
    }

    async fn connect(&mut self, protocol: Protocol, headers: &[(&str, &str)], data: &Value) {
        let mut connection = Connection::connecting_at(self.address, protocol, headers, data).await;
        let received = connection.receive().await;
        if let Received::Event(..) = received {
            let answer = connection.ask("send_message", &json!({"content": "hello", "to": "Nobody"})).await;
            self.answers.push(answer.to_string());
        }
        self.answers.push(format!("{received:?}"));
    }
}

/// Its parts, each of which is too long to be there by accident.
fn parts(token: &str) -> [&str; 3] {
    [&token[..24], &token[20..44], &token[40..]]
}

fn is_in(needle: &[u8], bytes: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// RFC 4648 §5, without padding.
fn decoded(base64: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    let sextets = base64.chars().map(|digit| ALPHABET.find(digit).expect("a digit of base64"));
    let bits: Vec<usize> =
        sextets.flat_map(|sextet| (0..6).rev().map(move |bit| sextet >> bit & 1)).collect();
    let byte = |bits: &[usize]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit == 1));
    bits.chunks_exact(8).map(byte).collect()
}

#[rstest]
#[case::text("text")]
#[case::json("json")]
#[tokio::test]
async fn tokens_are_neither_logged_nor_told_nor_stored(#[case] format: &str) {
    let mut lobby = Chatty::start(format).await;
    let john = lobby.log_in("JohnDoe").await;
    let tampered = format!("{}{}", &john.token[..63], if john.token.ends_with('A') { 'B' } else { 'A' });
    for token in [&john.token, &tampered] {
        Box::pin(lobby.show_everywhere(token)).await;
    }
    let answers = lobby.answers.join("\n");
    let folder = lobby.program.folder().to_owned();
    let stored: Vec<_> = ["lobby.db", "lobby.db-wal"].map(|file| fs::read(folder.join(file))).into();
    let stored = stored.into_iter().flatten().collect::<Vec<_>>().concat();
    let log = lobby.program.log();
    assert!(log.contains("TRACE") && answers.contains("invalid_token") && is_in(b"JohnDoe", &stored));
    for part in parts(&john.token) {
        assert!(!log.contains(part), "it is in the log");
        assert!(!answers.contains(part), "it was told");
        assert!(!is_in(part.as_bytes(), &stored), "it is stored");
    }
    // What proves it comes behind the session's id, which is no secret.
    let proof = decoded(&john.token[24..]);
    assert!(!is_in(&proof[..16], &stored) && !is_in(&proof[14..], &stored), "it is stored as bytes");
    assert!(!log.contains("a secret key for tests"), "the key is in the log");
    lobby.program.stop().await;
}
