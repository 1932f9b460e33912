use std::sync::Mutex;

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse};

use super::*;
use crate::{Cors, Elsewhere, NodeName, PassedOn};

const SID: &str = "there.012345678901234567890123";

/// Answers for the node `there`, and notes what it was asked for.
#[derive(Default)]
struct Relay(Mutex<Vec<String>>);

impl Elsewhere for Relay {
    fn pass_on<'a>(&'a self, passed: Passed<'a>) -> PassedOn<'a> {
        Box::pin(async move {
            let (request, node) = (passed.request, passed.node);
            let body = match passed.body {
                PassedBody::Whole(bytes) => format!("{bytes:?}"),
                PassedBody::Upgrade(_) => "a socket".to_owned(),
            };
            let line = format!("{node}: {} {} {body}", request.method(), request.query_string());
            self.0.lock().unwrap().push(line);
            (node.as_str() == "there").then(|| HttpResponse::Ok().body("from there"))
        })
    }
}

fn name(name: &str) -> NodeName {
    NodeName::parse(name).unwrap()
}

/// What a server named `here` answers, and what it asked its relay for.
async fn answer_of(config: Config, request: TestRequest) -> (u16, String, Vec<String>) {
    let relay = Arc::new(Relay::default());
    let config = Config { node: Some(name("here")), elsewhere: Some(relay.clone()), ..config };
    let app = init_service(App::new().service(SocketIo::new(config).service(Nobody))).await;
    let response = call_service(&app, request.to_request()).await;
    let status = response.status().as_u16();
    let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
    let asked = relay.0.lock().unwrap().clone();
    (status, body, asked)
}

fn request(method: Method, transport: &str, sid: &str) -> TestRequest {
    let uri = format!("/socket.io/?EIO=4&transport={transport}&sid={sid}");
    TestRequest::with_uri(&uri).method(method)
}

fn unknown() -> (u16, String) {
    (400, r#"{"code":1,"message":"Session ID unknown"}"#.to_owned())
}

#[actix_web::test]
async fn a_request_whose_session_names_another_node_is_answered_by_that() {
    let upgrade = WEBSOCKET
        .iter()
        .fold(request(Method::GET, "websocket", SID), |request, header| request.insert_header(*header));
    let table = [
        (request(Method::GET, "polling", SID), "GET", "polling", r#"b"""#),
        (request(Method::POST, "polling", SID).set_payload("42[1]"), "POST", "polling", r#"b"42[1]""#),
        (upgrade, "GET", "websocket", "a socket"),
    ];
    for (request, method, transport, body) in table {
        let asked = format!("there: {method} EIO=4&transport={transport}&sid={SID} {body}");
        let answer = answer_of(Config::default(), request).await;
        assert_eq!(answer, (200, "from there".to_owned(), vec![asked]));
    }
}

#[actix_web::test]
async fn a_node_that_does_not_answer_makes_the_session_unknown() {
    let gone = SID.replace("there", "gone");
    let (status, body, asked) = answer_of(Config::default(), request(Method::GET, "polling", &gone)).await;
    assert_eq!((status, body), unknown());
    assert_eq!(asked.len(), 1);
}

#[actix_web::test]
async fn what_is_no_session_of_another_node_is_unknown_at_once() {
    for sid in [&SID.replace("there", "here"), "abc", "there.short", &SID[6..]] {
        let (status, body, asked) = answer_of(Config::default(), request(Method::GET, "polling", sid)).await;
        assert_eq!((status, body), unknown(), "{sid}");
        assert_eq!(asked, [""; 0], "{sid}");
    }
}

#[actix_web::test]
async fn what_would_be_refused_here_is_not_passed_on() {
    let forbidden = |_: &actix_web::dev::RequestHead| false;
    let table = [
        (Config { allow_request: Some(Arc::new(forbidden)), ..Config::default() }, Method::GET, 403),
        (Config { max_payload: 3, ..Config::default() }, Method::POST, 413),
        (Config { transports: vec![Transport::WebSocket], ..Config::default() }, Method::GET, 400),
        (Config::default(), Method::PUT, 400),
    ];
    for (config, method, status) in table {
        let answer = answer_of(config, request(method, "polling", SID).set_payload("42[1]")).await;
        assert_eq!((answer.0, answer.2), (status, Vec::new()));
    }
}

#[actix_web::test]
async fn pages_of_other_origins_may_read_what_another_node_answers() {
    let cors = Some(Cors { origins: vec!["https://a.example".to_owned()], credentials: false });
    let relay = Some(Arc::new(Relay::default()) as Arc<dyn Elsewhere>);
    let config = Config { cors, elsewhere: relay, ..Config::default() };
    let app = init_service(App::new().service(SocketIo::new(config).service(Nobody))).await;
    let request = request(Method::GET, "polling", SID).insert_header(("origin", "https://a.example"));
    let response = call_service(&app, request.to_request()).await;
    assert_eq!(response.headers().get("access-control-allow-origin").unwrap(), "https://a.example");
}

#[actix_web::test]
async fn a_named_server_opens_sessions_that_name_it_and_one_without_a_relay_knows_its_own_only() {
    let config = Config { node: Some(name("here")), ..Config::default() };
    let app = init_service(App::new().service(SocketIo::new(config).service(Nobody))).await;
    let opened = TestRequest::with_uri("/socket.io/?EIO=4&transport=polling").to_request();
    let opened = read_body(call_service(&app, opened).await).await;
    let opened: serde_json::Value = serde_json::from_slice(&opened[1..]).unwrap();
    assert_eq!(sid::node_of(opened["sid"].as_str().unwrap()), Some(name("here")));

    let response = call_service(&app, request(Method::GET, "polling", SID).to_request()).await;
    let status = response.status().as_u16();
    let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
    assert_eq!((status, body), unknown());
}
