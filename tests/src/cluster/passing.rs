use std::time::Duration;

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::stand_in::{SID, StandIn, enter, leave, url};
use super::{Cluster, DATABASE};
use crate::harness::{becomes_so, http_client, in_time};

/// What is well below the patience with a node that does not answer.
const AT_ONCE: Duration = Duration::from_secs(3);

fn request(cluster: &Cluster, method: &Method, body: &'static str) -> JoinHandle<Response> {
    let request = http_client()
        .request(method.clone(), url(cluster.nodes[0].socket()))
        .header("host", "lobby.example")
        .header("origin", "http://lobby.example")
        .header("cookie", "lobby_session=x")
        .header("authorization", "Bearer y")
        .header("x-forwarded-for", "192.0.2.1");
    let request = if *method == Method::POST { request.body(body) } else { request };
    tokio::spawn(async { in_time("an answer", request.send()).await.expect("an answer") })
}

/// Of a session that a client has to begin anew.
async fn assert_unknown(answer: JoinHandle<Response>) {
    let answer = answer.await.expect("no panic");
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body, json!({"code": 1, "message": "Session ID unknown"}));
}

#[rstest]
#[case(Method::GET, "")]
#[case(Method::POST, "42[\"hello\"]")]
#[tokio::test]
async fn a_request_arrives_as_its_client_has_sent_it_and_the_answer_as_the_node_has_made_it(
    #[case] method: Method,
    #[case] body: &'static str,
) {
    let cluster = Cluster::start(1).await;
    let stand_in = StandIn::join(&cluster).await;
    for _ in 0..2 {
        let answer = request(&cluster, &method, body);
        let came = stand_in.next().await;
        let first = format!("{method} /socket.io/?EIO=4&transport=polling&sid={SID} HTTP/1.1");
        assert_eq!(came.head.lines().next(), Some(&*first));
        assert_eq!(came.body, body);
        for (name, value) in [
            ("host", "lobby.example"),
            ("origin", "http://lobby.example"),
            ("cookie", "lobby_session=x"),
            ("authorization", "Bearer y"),
            ("x-forwarded-for", "192.0.2.1"),
        ] {
            assert_eq!(came.header(name), Some(value), "{}", came.head);
        }
        assert!(
            came.header("lobby-relayed").is_some_and(|mark| mark.contains(";127.0.0.1:")),
            "{}",
            came.head
        );
        came.answer("42[1]").await;
        let answer = answer.await.expect("no panic");
        assert_eq!((answer.status().as_u16(), answer.headers().get("set-cookie")), (200, None));
        assert_eq!(answer.headers()["content-type"], "text/plain");
        assert_eq!(answer.text().await.expect("a body"), "42[1]");
    }
    cluster.stop().await;
}

/// It may have arrived or not: once is enough, and the session is closed.
#[rstest]
#[case(Method::GET, "", false)]
#[case(Method::GET, "", true)]
#[case(Method::POST, "42[\"hello\"]", false)]
#[case(Method::POST, "42[\"hello\"]", true)]
#[tokio::test]
async fn what_gets_no_answer_is_not_sent_again_and_its_session_is_given_up(
    #[case] method: Method,
    #[case] body: &'static str,
    #[case] half: bool,
) {
    let cluster = Cluster::start(1).await;
    let stand_in = StandIn::join(&cluster).await;
    let answer = request(&cluster, &method, body);
    let came = stand_in.next().await;
    assert_eq!(came.body, body);
    if half {
        came.answer_half().await;
    } else {
        came.hang_up();
    }
    let closing = stand_in.next().await;
    assert_eq!((closing.head.get(..5), &*closing.body), (Some("POST "), "1"));
    assert_eq!(closing.header("authorization"), Some("Bearer y"));
    closing.answer("ok").await;
    assert_unknown(answer).await;
    stand_in.is_left_alone().await;
    cluster.stop().await;
}

/// Nobody listens there, or nobody knows where it is.
#[rstest]
#[case::dead("'http://127.0.0.1:1'")]
#[case::without_an_address("NULL")]
#[case::with_nonsense("'nowhere'")]
#[tokio::test]
async fn a_node_that_cannot_be_reached_makes_the_session_unknown_at_once(#[case] address: &str) {
    let cluster = Cluster::start(1).await;
    enter(&cluster, address).await;
    for method in [Method::GET, Method::POST] {
        let asked = Instant::now();
        assert_unknown(request(&cluster, &method, "42[1]")).await;
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_node_that_stands_still_is_waited_for_as_long_as_its_lease_lasts() {
    let cluster = Cluster::start(1).await;
    let stand_in = StandIn::join(&cluster).await;
    let answer = request(&cluster, &Method::GET, "");
    let _silent = stand_in.next().await;
    let left = Instant::now();
    leave(&cluster).await;
    assert_unknown(answer).await;
    assert!(left.elapsed() < AT_ONCE, "{:?}", left.elapsed());
    cluster.stop().await;
}

#[tokio::test]
async fn no_more_is_passed_on_at_a_time_than_the_settings_say() {
    let cluster = Cluster::start_with(1, &[("LOBBY_CLUSTER__FORWARDS", "1")]).await;
    let stand_in = StandIn::join(&cluster).await;
    let first = request(&cluster, &Method::GET, "");
    let came = stand_in.next().await;
    assert_unknown(request(&cluster, &Method::GET, "")).await;
    assert!(cluster.nodes[0].log().contains("cluster.forwards"));
    came.answer("6").await;
    assert_eq!(first.await.expect("no panic").status(), 200);
    let again = request(&cluster, &Method::GET, "");
    stand_in.next().await.answer("6").await;
    assert_eq!(again.await.expect("no panic").status(), 200);
    cluster.stop().await;
}

#[tokio::test]
async fn a_node_that_stops_keeps_nobody_waiting_for_another() {
    let mut cluster = Cluster::start(2).await;
    let stand_in = StandIn::join(&cluster).await;
    let answer = request(&cluster, &Method::GET, "");
    let _silent = stand_in.next().await;
    cluster.nodes[0].stop_for_now().await;
    assert_unknown(answer).await;
    // It has left, and the other has its own row, beside the stand-in's.
    becomes_so("it to be gone", async || {
        cluster.database.psql(DATABASE, "SELECT count(*) FROM nodes").await == "2"
    })
    .await;
}
