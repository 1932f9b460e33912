//! How much anybody may do, and how many may be there: every limit, over every door.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `rates` | log-ins, messages and whatever else is asked for, too often |
//! | `names` | who speaks in a name, and has shown nothing |
//! | `refused` | what is refused takes nothing of anybody |
//! | `connections` | new connections too often, and too many of them |
//! | `sockets` | TCP connections, whatever is said over them |
//! | `addresses` | who is told apart from whom, also behind proxies and by way of other nodes |
//! | `times` | heads and bodies that do not come: slow clients by the hundred, in `make soak` by the thousand |

mod addresses;
mod connections;
mod names;
mod rates;
mod refused;
mod sockets;
mod times;

use std::net::SocketAddr;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::harness::{Answer, App, Connection, Protocol, http_client, in_time};

/// A lobby with limits, and these among them.
async fn limited(settings: &[(&str, &str)]) -> App {
    App::spawn_with(&[&[("limits.enabled", "true")], settings].concat()).await
}

/// The same where whoever says so comes from another address.
async fn limited_behind_a_proxy(settings: &[(&str, &str)]) -> App {
    limited(&[&[("limits.trusted_proxies", "127.0.0.1")], settings].concat()).await
}

/// Logs in from an address.
async fn log_in_from(app: &App, address: &str, name: &str) -> Answer {
    app.post("/login", &json!({"pseudonym": name, "claim": true}), &[("x-forwarded-for", address)]).await
}

/// Asserts that this is refused for now, and says so twice; answers after how many seconds to come back.
#[track_caller]
fn assert_for_now(answer: &Answer, status: u16, code: &str) -> u64 {
    answer.assert_problem(status, code);
    let seconds = answer.body["retry_after"].as_u64().expect("it says when");
    assert_eq!(answer.header("retry-after"), seconds.to_string());
    assert!(seconds >= 1, "{answer:?}");
    seconds
}

/// For a rate of so few an hour that none comes in meanwhile, however slow the machine is.
#[track_caller]
fn assert_long(seconds: u64) {
    assert!((1_800..=3_600).contains(&seconds), "{seconds}");
}

/// The same of what an ack or an `error` says.
#[track_caller]
fn assert_told(refusal: &Value, code: &str) -> u64 {
    assert_eq!(refusal["code"], code, "{refusal}");
    assert!(refusal["error"].as_str().is_some_and(|error| !error.is_empty()), "{refusal}");
    refusal["retry_after"].as_u64().expect("it says when")
}

/// How a handshake by WebSocket is refused: status, `Retry-After`, and the body.
async fn refused_handshake(app: &App, protocol: Protocol, headers: &[(&str, &str)]) -> (u16, String, Value) {
    match Connection::open(app, protocol, headers).await {
        Err(Error::Http(response)) => {
            let retry_after = response.headers().get("retry-after").expect("it says when");
            let body = response.body().as_deref().unwrap_or_default();
            (
                response.status().as_u16(),
                retry_after.to_str().expect("a text").to_owned(),
                serde_json::from_slice(body).unwrap_or_default(),
            )
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was let in"),
    }
}

/// The sid of a session that polls.
async fn polling_session(app: &App) -> String {
    let (status, _, body) = polling_handshake(app.address(), &[]).await;
    assert_eq!(status, 200, "{body}");
    let open: Value = serde_json::from_str(&body[1..]).expect("JSON");
    open["sid"].as_str().expect("a text").to_owned()
}

/// How a handshake by long-polling is answered.
async fn polling_handshake(address: SocketAddr, headers: &[(&str, &str)]) -> (StatusCode, String, String) {
    let request = http_client().get(format!("http://{address}/socket.io/?EIO=4&transport=polling"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = in_time("an answer", request.send()).await.expect("an answer");
    let retry_after =
        answer.headers().get("retry-after").map(|value| value.to_str().expect("a text").to_owned());
    (answer.status(), retry_after.unwrap_or_default(), answer.text().await.expect("a body"))
}
