use reqwest::Response;
use serde_json::{Value, json};

use super::Cluster;
use super::stand_in::{StandIn, url};
use crate::harness::{http_client, in_time};

const MARK: &str = "lobby-relayed";

async fn poll(url: &str, mark: &str) -> Response {
    let request = http_client().get(url).header(MARK, mark).send();
    in_time("an answer", request).await.expect("an answer")
}

async fn assert_refused(answer: Response) {
    assert_eq!(answer.status(), 403);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["code"], "not_relayed");
}

/// A mark that a node has made for a poll of the stand-in's session, as somebody gets to see who listens between them.
async fn overheard(cluster: &Cluster, stand_in: &StandIn) -> String {
    let target = url(cluster.nodes[0].socket());
    let polling = tokio::spawn(async move { http_client().get(target).send().await.expect("an answer") });
    let came = stand_in.next().await;
    let mark = came.header(MARK).expect("a mark").to_owned();
    came.answer("6").await;
    assert_eq!(polling.await.expect("no panic").status(), 200);
    mark
}

#[tokio::test]
async fn a_request_with_a_mark_that_no_node_has_made_is_refused() {
    let cluster = Cluster::start(2).await;
    let stand_in = StandIn::join(&cluster).await;
    let mark = overheard(&cluster, &stand_in).await;
    let other_client = mark.replacen("127.0.0.1", "192.0.2.1", 1);
    assert_ne!(other_client, mark);
    let node = cluster.nodes[1].socket();
    for forged in ["", "nonsense", "0;-;x;y", &other_client, &mark[..mark.len() - 2]] {
        assert_refused(poll(&url(node), forged).await).await;
        // Whatever the path.
        assert_refused(poll(&format!("http://{node}/users"), forged).await).await;
    }
    // Good for this request, and for no other.
    for other in [format!("http://{node}/users"), format!("{}&t=1", url(node))] {
        assert_refused(poll(&other, &mark).await).await;
    }
    let posted = http_client().post(url(node)).header(MARK, &mark).body("1").send().await;
    assert_refused(posted.expect("an answer")).await;
    let twice = http_client().get(url(node)).header(MARK, &mark).header(MARK, &mark).send().await;
    assert_refused(twice.expect("an answer")).await;
    stand_in.is_left_alone().await;
    cluster.stop().await;
}

#[tokio::test]
async fn what_was_passed_on_is_not_passed_on_again_whoever_sends_it() {
    let cluster = Cluster::start(2).await;
    let stand_in = StandIn::join(&cluster).await;
    let mark = overheard(&cluster, &stand_in).await;
    for node in &cluster.nodes {
        let answer = poll(&url(node.socket()), &mark).await;
        assert_eq!(answer.status(), 400);
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body, json!({"code": 1, "message": "Session ID unknown"}));
    }
    stand_in.is_left_alone().await;
    // Without the mark it is passed on, as ever.
    overheard(&cluster, &stand_in).await;
    cluster.stop().await;
}

/// A node of another lobby, or one whose key was not changed with the others'.
#[tokio::test]
async fn nodes_with_different_keys_take_nothing_from_each_other() {
    let cluster = Cluster::start(1).await;
    let other = Cluster::start_with(1, &[("SECRET_KEY", "another key, which is also long enough")]).await;
    let stand_in = StandIn::join(&cluster).await;
    let mark = overheard(&cluster, &stand_in).await;
    assert_refused(poll(&url(other.nodes[0].socket()), &mark).await).await;
    cluster.stop().await;
    other.stop().await;
}
