mod elsewhere;

use std::rc::Rc;

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpRequest};

use super::*;
use crate::{ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Socket, SocketIo};

struct Nobody;

impl Handler for Nobody {
    type Session = ();

    async fn connect(&self, _: ConnectRequest<'_>) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn connected(&self, _: &Socket, _: &Rc<()>) {}

    async fn event(&self, _: &Socket, _: &Rc<()>, _: Event) {}

    fn disconnected(&self, _: &Socket, _: &Rc<()>, _: DisconnectReason) {}
}

/// Sends a WebSocket handshake as if from `origin` and gives back the answer's status and body.
async fn answer(method: Method, uri: &str, headers: &[(&'static str, &'static str)]) -> (u16, String) {
    let same_origin = |head: &actix_web::dev::RequestHead| head.headers().get("origin").is_none();
    let config = Config { allow_request: Some(Arc::new(same_origin)), ..Config::default() };
    let app = init_service(App::new().service(SocketIo::new(config).service(Nobody))).await;
    let mut request = TestRequest::with_uri(uri).method(method);
    for header in headers {
        request = request.insert_header(*header);
    }
    let response = call_service(&app, request.to_request()).await;
    let status = response.status().as_u16();
    if status == 101 {
        return (status, String::new());
    }
    assert_eq!(response.headers().get("content-type").unwrap(), "application/json");
    (status, String::from_utf8(read_body(response).await.to_vec()).unwrap())
}

const WEBSOCKET: &[(&str, &str)] = &[
    ("connection", "upgrade"),
    ("upgrade", "WebSocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw=="),
];

/// Method, address, headers; status and body of the answer.
type Case = (Method, &'static str, &'static [(&'static str, &'static str)], u16, &'static str);

#[actix_web::test]
async fn bad_requests_are_answered_as_the_protocol_says() {
    let good = "/socket.io/?EIO=4&transport=websocket";
    let table: [Case; 8] = [
        (Method::GET, "/socket.io/?EIO=4", &[], 400, r#"{"code":0,"message":"Transport unknown"}"#),
        (
            Method::GET,
            "/socket.io?EIO=4&transport=x",
            &[],
            400,
            r#"{"code":0,"message":"Transport unknown"}"#,
        ),
        (
            Method::GET,
            "/socket.io/?EIO=4&transport=websocket&sid=abc",
            WEBSOCKET,
            400,
            r#"{"code":1,"message":"Session ID unknown"}"#,
        ),
        (Method::POST, good, WEBSOCKET, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
        (Method::GET, good, &[], 400, r#"{"code":3,"message":"Bad request"}"#),
        (Method::GET, good, WEBSOCKET.split_at(3).0, 400, r#"{"code":3,"message":"Bad request"}"#),
        (
            Method::GET,
            good,
            &[("upgrade", "websocket"), ("origin", "http://elsewhere")],
            403,
            r#"{"code":4,"message":"Forbidden"}"#,
        ),
        (
            Method::GET,
            "/socket.io/?EIO=3&transport=websocket",
            WEBSOCKET,
            400,
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
        ),
    ];
    for (method, uri, headers, status, body) in table {
        assert_eq!(answer(method, uri, headers).await, (status, body.to_owned()), "{uri}");
    }
}

#[actix_web::test]
async fn a_good_handshake_is_answered_with_101_with_and_without_the_slash() {
    for uri in ["/socket.io/?EIO=4&transport=websocket", "/socket.io?EIO=4&transport=websocket"] {
        assert_eq!(answer(Method::GET, uri, WEBSOCKET).await.0, 101, "{uri}");
    }
}

#[test]
fn the_handshake_keeps_what_the_application_may_ask_for() {
    let request: HttpRequest = TestRequest::with_uri("/socket.io/?EIO=4&transport=websocket")
        .insert_header(("authorization", "Bearer x"))
        .peer_addr("127.0.0.1:1234".parse().unwrap())
        .to_http_request();
    let handshake = handshake(&request, None, None);
    assert_eq!(handshake.headers().get("authorization").unwrap(), "Bearer x");
    assert_eq!(handshake.query, "EIO=4&transport=websocket");
    assert_eq!(handshake.peer_addr.unwrap().port(), 1234);
    assert_eq!(handshake.sid.len(), 24);
}
