use std::net::SocketAddr;

use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service, read_body, try_call_service};
use actix_web::{App, HttpRequest, middleware};
use lobby_domain::presence::{Limits, Moment};

use super::*;
use crate::presence::Attendants;

const TARGET: &str = "/here?a=b";

fn marks(secret: &str, now: Moment) -> Marks {
    let attendants = Attendants::new(&Limits::default());
    attendants.told(now);
    Marks::new(&secret.into(), attendants)
}

fn client() -> SocketAddr {
    "192.0.2.7:4000".parse().expect("an address")
}

/// A mark for a request with this body, as another node makes it.
fn mark(secret: &str, now: i64, method: &Method, body: &str) -> String {
    let passed = Passed { method: method.as_str(), target: TARGET };
    let vouched = Vouched { client: Some(client()), body: digest(body.as_bytes()) };
    marks(secret, Moment(now)).make(passed, &vouched).expect("the time is known")
}

/// What the application sees of a request: who sent it, whether it has a mark, whether it was passed on, its body.
async fn seen(method: &Method, marks_shown: &[String], body: &'static str) -> Result<String, u16> {
    let see = |request: HttpRequest, body: String| async move {
        let peer = request.peer_addr().expect("an address");
        let shown = request.headers().contains_key(MARK);
        let relayed = request.extensions().get::<Relayed>().is_some();
        format!("{peer} {shown} {relayed} {body}")
    };
    let app = App::new()
        .wrap(middleware::from_fn(guard))
        .app_data(web::Data::new(marks("secret", Moment(100_000))))
        .default_service(web::to(see));
    let app = init_service(app).await;
    let mut request = TestRequest::with_uri(TARGET).method(method.clone());
    request = request.peer_addr("10.0.0.5:5000".parse().expect("an address")).set_payload(body);
    for mark in marks_shown {
        request = request.append_header((MARK, mark.as_str()));
    }
    match try_call_service(&app, request.to_request()).await {
        Ok(response) => Ok(String::from_utf8(read_body(response).await.to_vec()).expect("text")),
        Err(error) => Err(error.as_response_error().status_code().as_u16()),
    }
}

#[actix_web::test]
async fn the_application_sees_the_client_and_not_the_node_between() {
    for (method, body) in [(Method::GET, ""), (Method::POST, "hello")] {
        let mark = mark("secret", 100_000, &method, body);
        let seen = seen(&method, &[mark], body).await;
        assert_eq!(seen, Ok(format!("192.0.2.7:4000 false true {body}")));
    }
}

#[actix_web::test]
async fn a_client_itself_is_seen_as_it_is() {
    assert_eq!(seen(&Method::POST, &[], "hello").await, Ok("10.0.0.5:5000 false false hello".to_owned()));
}

#[actix_web::test]
async fn what_was_not_made_for_this_request_by_a_node_a_moment_ago_is_refused() {
    let post = &Method::POST;
    let good = mark("secret", 100_000, post, "hello");
    let table = [
        (vec!["nonsense".to_owned()], "hello"),
        (vec![good.clone(), good.clone()], "hello"),
        (vec![mark("another", 100_000, post, "hello")], "hello"),
        (vec![mark("secret", 69_000, post, "hello")], "hello"),
        (vec![mark("secret", 131_000, post, "hello")], "hello"),
        (vec![mark("secret", 100_000, &Method::GET, "hello")], "hello"),
        (vec![good.clone()], "hello!"),
        (vec![good.clone()], ""),
    ];
    for (marks, body) in table {
        assert_eq!(seen(post, &marks, body).await, Err(403), "{marks:?} {body}");
    }
    assert!(seen(post, &[good], "hello").await.is_ok());
}

#[actix_web::test]
async fn a_node_that_does_not_know_the_time_takes_nothing() {
    let marks = Marks::new(&"secret".into(), Attendants::new(&Limits::default()));
    let passed = Passed { method: "GET", target: TARGET };
    let vouched = Vouched { client: None, body: digest(b"") };
    assert_eq!(marks.make(passed, &vouched), None);
    let mark = mark("secret", 0, &Method::GET, "");
    assert_eq!(marks.check(&mark, passed), Err(BadMark::NoTime));
}
