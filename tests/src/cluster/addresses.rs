use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::join_all;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::Cluster;
use super::stand_in::{StandIn, url};
use crate::harness::{http_client, in_time};

const SETTINGS: [(&str, &str); 4] = [
    ("LOBBY_LIMITS__ENABLED", "true"),
    // As docs/operations/cluster.md has it.
    ("LOBBY_LIMITS__TRUSTED_PROXIES", "127.0.0.1"),
    ("LOBBY_LIMITS__LOG_INS_PER_ADDRESS", "1/h burst 2"),
    ("LOBBY_LIMITS__CONNECTIONS_PER_ADDRESS", "1"),
];

/// A client at one of the many addresses of the loopback.
fn client_at(last: u8) -> Client {
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    Client::builder().local_address(address).build().expect("a client")
}

async fn log_in(cluster: &Cluster, client: &Client, name: &str, says: &str) -> StatusCode {
    let request = client.post(format!("{}/login", cluster.url())).header("x-forwarded-for", says);
    let request = request.header("forwarded", format!("for={says}")).json(&json!({"pseudonym": name}));
    in_time("an answer", request.send()).await.expect("an answer").status()
}

#[tokio::test]
async fn clients_behind_nginx_are_told_apart_whatever_they_say_of_themselves() {
    let cluster = Cluster::start_with(1, &SETTINGS).await;
    for (last, name) in [(2, "JohnDoe"), (3, "Bob")] {
        let client = client_at(last);
        for n in 0..2 {
            assert_eq!(log_in(&cluster, &client, &format!("{name}{n}"), "192.0.2.1").await, 200);
        }
        for n in 2..6 {
            let says = format!("192.0.2.{n}");
            assert_eq!(log_in(&cluster, &client, &format!("{name}{n}"), &says).await, 429, "{says}");
        }
        let handshake = async || {
            let url = format!("{}/socket.io/?EIO=4&transport=polling", cluster.url());
            in_time("an answer", client.get(url).send()).await.expect("an answer")
        };
        assert_eq!(handshake().await.status(), 200);
        let refused = handshake().await;
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["retry-after"]),
            (429, &"5".parse().expect("one"))
        );
    }
    cluster.stop().await;
}

/// What is passed on between nodes bears the client's address inside the signature, and no header says another.
#[tokio::test]
async fn a_node_tells_the_next_the_address_of_the_client_and_not_that_of_nginx() {
    let cluster = Cluster::start_with(1, &SETTINGS).await;
    let stand_in = StandIn::join(&cluster).await;
    for (says, is) in [("192.0.2.1", "192.0.2.1:0"), ("203.0.113.9, 2001:db8::1", "[2001:db8::1]:0")] {
        let request = http_client().get(url(cluster.nodes[0].socket())).header("x-forwarded-for", says);
        let answer = tokio::spawn(async { in_time("an answer", request.send()).await.expect("an answer") });
        let came = stand_in.next().await;
        let mark = came.header("lobby-relayed").expect("a mark");
        assert_eq!(mark.split(';').nth(1), Some(is), "{mark}");
        came.answer("6").await;
        assert_eq!(answer.await.expect("no panic").status(), 200);
    }
    cluster.stop().await;
}

/// A node's connections to another are many people's.
#[tokio::test]
async fn nodes_pass_more_on_to_each_other_than_one_address_may_have_tcp_connections() {
    let settings = [("LOBBY_LIMITS__ENABLED", "true"), ("LOBBY_LIMITS__TCP_CONNECTIONS_PER_ADDRESS", "6")];
    let cluster = Cluster::start_with(2, &settings).await;
    let url =
        |node: usize| format!("http://{}/socket.io/?EIO=4&transport=polling", cluster.nodes[node].socket());
    let mut waiting = Vec::new();
    for last in 10..25 {
        let client = client_at(last);
        let (status, opened) = ask(client.get(url(1))).await;
        assert_eq!(status, 200, "{opened}");
        let opened: Value = serde_json::from_str(&opened[1..]).expect("JSON");
        let url = format!("{}&sid={}", url(0), opened["sid"].as_str().expect("a text"));
        assert_eq!(ask(client.post(&url).body("40")).await.0, 200);
        waiting.push(tokio::spawn(async move {
            loop {
                let (status, told) = ask(client.get(&url)).await;
                assert_eq!(status, 200, "{told}");
                if told.contains("user_joined") {
                    return;
                }
            }
        }));
    }
    assert_eq!(log_in(&cluster, &client_at(30), "JohnDoe", "192.0.2.1").await, 200);
    for hears in join_all(waiting).await {
        hears.expect("it is told");
    }
    cluster.stop().await;
}

async fn ask(request: RequestBuilder) -> (StatusCode, String) {
    let answer = in_time("an answer", request.send()).await.expect("an answer");
    (answer.status(), in_time("a body", answer.text()).await.expect("a text"))
}
