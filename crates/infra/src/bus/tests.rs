//! Both buses pass one suite.

use std::sync::Arc;
use std::time::Duration;

use lobby_domain::message::LogId;
use lobby_domain::ports::{Bus, Hint, Link, News};
use lobby_domain::testing::contract::Nodes;
use lobby_testbed::Proxy;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use uuid::Uuid;

use super::in_process::InProcess;
use super::redis::{Address, Redis};
use crate::signature::SecretKeys;

mod in_one_process {
    use super::*;

    lobby_domain::bus_contract!(three_nodes);

    fn three_nodes() -> std::future::Ready<(Nodes, ())> {
        let one = InProcess::default();
        let (other, third) = (one.another(), one.another());
        std::future::ready(([Arc::new(one), Arc::new(other), Arc::new(third)], ()))
    }

    #[test]
    fn who_is_alone_tells_nobody_and_who_has_gone_is_told_nothing() {
        let one = InProcess::default();
        one.publish(&hint(1));
        assert_eq!(one.standing().published, 0);
        let other = one.another();
        one.publish(&hint(2));
        assert_eq!(one.standing().published, 1);
        drop(other);
        one.publish(&hint(3));
        assert_eq!(one.standing().published, 1);
    }
}

mod over_redis {
    use super::*;

    lobby_domain::bus_contract!(three_nodes, on lobby_testbed::Redis::start);

    async fn three_nodes(server: &lobby_testbed::Redis) -> (Nodes, JoinSet<()>) {
        // Each rule has a channel of its own.
        let channel = crate::clock::random_origin().to_string();
        let mut running = JoinSet::new();
        let nodes = [(); 3].map(|()| on(&server.url(), &channel, &mut running));
        for node in &nodes {
            becomes(node, Link::Connected).await;
        }
        (nodes.map(|node| node as Arc<dyn Bus>), running)
    }
}

/// How long what has to happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn hint(number: u128) -> Hint {
    Hint { log: LogId(Uuid::from_u128(1)), news: News::Superseded(number) }
}

/// A node that is kept up.
fn on(url: &str, channel: &str, running: &mut JoinSet<()>) -> Arc<Redis> {
    on_with(&"secret".into(), url, channel, running)
}

fn on_with(secrets: &SecretKeys, url: &str, channel: &str, running: &mut JoinSet<()>) -> Arc<Redis> {
    let address = Address::parse(url).expect("a good URL");
    let node = Redis::new(&address, channel, secrets).expect("a good URL");
    let node = Arc::new(node);
    running.spawn(node.clone().run());
    node
}

async fn becomes_so(what: &str, is_so: impl Fn() -> bool) {
    let asking = async {
        let mut tick = interval(Duration::from_millis(5));
        while !is_so() {
            tick.tick().await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

async fn becomes(node: &Redis, link: Link) {
    becomes_so(&format!("{link:?}"), || node.standing().link == link).await;
}

async fn hears(node: &Redis, meant: &Hint) {
    let heard = timeout(PATIENCE, node.hear()).await.expect("it comes");
    assert_eq!(heard, *meant);
}

#[tokio::test]
async fn lobbies_with_channels_of_their_own_do_not_hear_each_other() {
    let server = lobby_testbed::Redis::start().await;
    let mut running = JoinSet::new();
    let nodes = ["one", "one", "another", "another"].map(|channel| on(&server.url(), channel, &mut running));
    for node in &nodes {
        becomes(node, Link::Connected).await;
    }
    nodes[0].publish(&hint(1));
    nodes[2].publish(&hint(2));
    hears(&nodes[1], &hint(1)).await;
    hears(&nodes[3], &hint(2)).await;
}

/// And nothing that was told meanwhile comes late: it is dropped.
#[tokio::test]
async fn a_server_that_dies_and_comes_back_is_found_again() {
    let mut server = lobby_testbed::Redis::start_with(Some("s3cret/:@ and more")).await;
    let mut running = JoinSet::new();
    let nodes = [(); 2].map(|()| on(&server.url(), "lobby", &mut running));
    for round in 0..2 {
        for node in &nodes {
            becomes(node, Link::Connected).await;
        }
        nodes[0].publish(&hint(round));
        hears(&nodes[1], &hint(round)).await;
        server.kill().await;
        for node in &nodes {
            becomes(node, Link::Away).await;
        }
        let dropped = nodes[0].standing().dropped;
        nodes[0].publish(&hint(100));
        assert_eq!(nodes[0].standing().dropped, dropped + 1);
        server.start_again().await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_found_when_it_is() {
    let mut server = lobby_testbed::Redis::start().await;
    server.kill().await;
    let mut running = JoinSet::new();
    let node = on(&server.url(), "lobby", &mut running);
    assert_eq!(node.standing().link, Link::Away);
    server.start_again().await;
    becomes(&node, Link::Connected).await;
}

/// No packet says that nobody answers any more.
#[tokio::test]
async fn a_connection_on_which_nothing_passes_is_given_up_and_another_one_found() {
    let server = lobby_testbed::Redis::start().await;
    let proxy = Proxy::of_anything(server.address()).await;
    let mut running = JoinSet::new();
    let cut_off = on(&server.url_via(proxy.address()), "lobby", &mut running);
    let other = on(&server.url(), "lobby", &mut running);
    for node in [&cut_off, &other] {
        becomes(node, Link::Connected).await;
    }
    proxy.lose();
    becomes(&cut_off, Link::Away).await;
    becomes(&cut_off, Link::Connected).await;
    other.publish(&hint(1));
    hears(&cut_off, &hint(1)).await;
    proxy.stall();
    becomes(&cut_off, Link::Away).await;
    proxy.pass();
    becomes(&cut_off, Link::Connected).await;
    cut_off.publish(&hint(2));
    hears(&other, &hint(2)).await;
}

#[tokio::test]
async fn what_is_no_hint_is_skipped_and_counted_and_what_follows_is_heard() {
    let server = lobby_testbed::Redis::start().await;
    let mut running = JoinSet::new();
    let nodes = [(); 2].map(|()| on(&server.url(), "lobby", &mut running));
    for node in &nodes {
        becomes(node, Link::Connected).await;
    }
    let huge = format!(r#"{{"v":1,"from":"{}"#, "x".repeat(1 << 20));
    let garbage: [&[u8]; 6] =
        [b"", b"garbage", b"\xff\xfe\0", b"[1]", huge.as_bytes(), br#"{"v":2,"anything":[]}"#];
    for payload in garbage {
        assert_eq!(server.publish("lobby", payload).await, 2);
    }
    nodes[0].publish(&hint(1));
    hears(&nodes[1], &hint(1)).await;
    assert_eq!(nodes[1].standing().skipped, garbage.len() as u64);
    assert_eq!(nodes[1].standing().link, Link::Connected);
}

#[tokio::test]
async fn nodes_listen_to_those_with_their_secret_and_to_those_with_the_one_before_it() {
    let server = lobby_testbed::Redis::start().await;
    let mut running = JoinSet::new();
    let rotated = SecretKeys::new("new".into(), Some("old".into()));
    let [old, older, new, stranger] = ["old".into(), "old".into(), rotated, "another".into()]
        .map(|secrets| on_with(&secrets, &server.url(), "lobby", &mut running));
    for node in [&old, &older, &new, &stranger] {
        becomes(node, Link::Connected).await;
    }
    let tell = async |node: &Redis, number| {
        node.publish(&hint(number));
        becomes_so("it to be published", || node.standing().published == 1).await;
    };
    tell(&stranger, 1).await;
    tell(&old, 2).await;
    hears(&new, &hint(2)).await;
    assert_eq!(new.standing().skipped, 1);
    // Nobody has told the old node of the new secret.
    tell(&new, 3).await;
    tell(&older, 4).await;
    hears(&old, &hint(4)).await;
    assert_eq!(old.standing().skipped, 2);
}

#[tokio::test]
async fn whoever_has_the_wrong_password_stays_outside() {
    let server = lobby_testbed::Redis::start_with(Some("right")).await;
    let mut running = JoinSet::new();
    let wrong = on(&format!("redis://:wrong@{}", server.address()), "lobby", &mut running);
    let right = on(&server.url(), "lobby", &mut running);
    becomes(&right, Link::Connected).await;
    assert_eq!(wrong.standing().link, Link::Away);
    right.publish(&hint(1));
    becomes_so("the hint to go out", || right.standing().published == 1).await;
    assert_eq!(wrong.standing().heard, 0);
}

#[test]
fn addresses_are_those_of_redis_and_are_shown_without_their_secrets() {
    for (url, shown) in [
        ("redis://localhost", "localhost:6379"),
        ("redis://:hunter2@localhost:7000/3", "localhost:7000"),
        ("rediss://me:hunter2@bus.example", "bus.example:6379"),
        ("valkey://10.0.0.1", "10.0.0.1:6379"),
    ] {
        let address = Address::parse(url).expect(url);
        assert_eq!(
            (address.to_string(), format!("{address:?}")),
            (shown.into(), format!("Address({shown})"))
        );
    }
    for bad in ["", "localhost:6379", "http://localhost", "redis://", "redis://h:x", "rediss://h/#insecure"] {
        assert!(Address::parse(bad).is_err(), "{bad}");
    }
}
