//! What only Socket.IO has. The protocol itself is tested where its library is.

use rstest::rstest;
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::harness::{App, Auth, Connection, Protocol, Received};

#[tokio::test]
async fn a_bad_token_is_a_connect_error_with_its_code() {
    let app = App::spawn().await;
    let mut connection = Connection::connecting(&app, Protocol::SocketIo, Auth::Forged("forged")).await;
    let Received::ConnectError(error) = connection.receive().await else { panic!("a connect error") };
    assert_eq!(error["data"]["code"], "invalid_token", "{error}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
}

#[tokio::test]
async fn another_namespace_is_refused() {
    let app = App::spawn().await;
    let mut connection = Connection::open(&app, Protocol::SocketIo, &[]).await.expect("a handshake");
    connection.send_text("40/admin,").await;
    let Received::ConnectError(error) = connection.receive().await else { panic!("a connect error") };
    assert_eq!(error, json!({"message": "Invalid namespace"}));
}

#[rstest]
#[case(Protocol::SocketIo)]
#[case(Protocol::Plain)]
#[tokio::test]
async fn a_page_of_another_origin_gets_no_socket(#[case] protocol: Protocol) {
    let app = App::spawn().await;
    let own = app.url("");
    Connection::open(&app, protocol, &[("origin", &own)]).await.expect("its own page");
    for origin in ["https://evil.example", "null"] {
        match Connection::open(&app, protocol, &[("origin", origin)]).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403, "{origin}"),
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{origin} was let in"),
        }
    }
}

#[tokio::test]
async fn a_request_that_fits_no_protocol_gets_the_protocols_own_error() {
    let app = App::spawn().await;
    for (query, code) in [("EIO=4&transport=websocket", 3), ("EIO=4&transport=pigeon", 0)] {
        let answer = app.get(&format!("/socket.io/?{query}")).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (400, &json!(code)), "{query}");
    }
}
