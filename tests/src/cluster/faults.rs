//! The bus is only fast: whatever becomes of it, nothing is wrong.

use serde_json::json;

use super::{Backends, CHANNEL, DATABASE, Node, stop};
use crate::crowd::{Crowd, assert_faultless};
use crate::harness::{LoggedIn, Protocol, Random, becomes_so};

/// What is said at each of two nodes is heard at the other, and a log-out too.
pub(super) async fn all_is_well(nodes: &[Node; 2], talker: &LoggedIn) {
    for (here, there) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
        let mut listener = there.listen(Protocol::Plain).await;
        let guest = here.log_in("guest").await;
        let mut guests = there.enter(Protocol::Plain, &json!({"token": guest.token})).await.0;
        let id = here.say(talker, "heard").await;
        assert_eq!(listener.messages(1).await, [(id, "heard".to_owned())]);
        here.log_out("guest", &guest).await;
        assert_eq!(guests.closed().await, (4401, "session_over".to_owned()));
    }
}

/// What is said at the first node is heard at the second, which cannot read the log just then.
pub(super) async fn hints_come(nodes: &[Node; 2], talker: &LoggedIn) {
    let mut listener = nodes[1].listen(Protocol::Plain).await;
    let heard = nodes[1].blind(async {
        let id = nodes[0].say(talker, "a hint").await;
        assert_eq!(listener.messages(1).await, [(id, "a hint".to_owned())]);
    });
    heard.await;
}

fn times(node: &Node, said: &str) -> usize {
    node.program.log().matches(said).count()
}

#[tokio::test]
async fn while_redis_is_away_all_goes_on_and_when_it_is_back_hints_come_again() {
    let mut backends = Backends::start().await;
    let nodes = backends.nodes::<2>().await;
    let talker = nodes[0].log_in("talker").await;
    hints_come(&nodes, &talker).await;
    for outages in 1..=2 {
        backends.redis.kill().await;
        for node in &nodes {
            node.bus_is("away").await;
        }
        all_is_well(&nodes, &talker).await;
        backends.redis.start_again().await;
        for node in &nodes {
            node.bus_is("connected").await;
            let said = ["the bus is away", "the bus is back"].map(|said| times(node, said));
            assert_eq!(said, [outages, outages], "{}", node.program.log());
        }
        hints_come(&nodes, &talker).await;
    }
    for node in &nodes {
        assert!(!node.program.log().contains("only for nodes"), "the password is in the log");
    }
    stop(nodes).await;
}

#[tokio::test]
async fn a_node_that_is_cut_off_from_redis_keeps_up_and_is_found_again() {
    let backends = Backends::start().await;
    let nodes = backends.nodes::<2>().await;
    let talker = nodes[0].log_in("talker").await;
    nodes[1].bus.stall();
    all_is_well(&nodes, &talker).await;
    nodes[1].bus_is("away").await;
    assert_eq!(nodes[0].bus().await["state"], "connected");
    all_is_well(&nodes, &talker).await;
    nodes[1].bus.pass();
    nodes[1].bus_is("connected").await;
    hints_come(&nodes, &talker).await;
    all_is_well(&nodes, &talker).await;
    stop(nodes).await;
}

#[tokio::test]
async fn whatever_is_published_by_hand_nodes_skip_what_they_do_not_understand() {
    let backends = Backends::start().await;
    let nodes = backends.nodes::<2>().await;
    let talker = nodes[0].log_in("talker").await;
    let (log, nobody) = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002");
    let newer = json!({"v": 2, "from": nobody, "log": log, "hint": {"moderated": [1, 2]}}).to_string();
    let kind = json!({"v": 1, "from": nobody, "log": log, "hint": {"moderated": [1, 2]}}).to_string();
    let huge = "x".repeat(2_000_000);
    let unknown = ["", "garbage", "{\"v\":", "null", &huge, &newer, &kind];
    for payload in unknown {
        assert_eq!(backends.redis.publish(CHANNEL, payload.as_bytes()).await, 2);
    }
    hints_come(&nodes, &talker).await;
    all_is_well(&nodes, &talker).await;
    for node in &nodes {
        let bus = node.bus().await;
        assert_eq!((&bus["state"], &bus["skipped"]), (&json!("connected"), &json!(unknown.len())));
    }
    stop(nodes).await;
}

/// Everything is right in it but the seal.
#[tokio::test]
async fn words_that_are_put_into_somebodys_mouth_on_the_channel_are_not_shown() {
    let backends = Backends::start().await;
    let nodes = backends.nodes::<2>().await;
    let talker = nodes[0].log_in("talker").await;
    let log = backends.postgres.psql(DATABASE, "SELECT log FROM log_head").await;
    let mut listener = nodes[1].listen(Protocol::Plain).await;
    let message = json!({"id": 1, "session": talker.session, "user": 1, "name": "talker", "content": "forged", "at": 1});
    let news = json!({"happened": [{"message": message}]});
    let nobody = "00000000-0000-0000-0000-000000000002";
    let forged = json!({"v": 1, "from": nobody, "log": log, "hint": news}).to_string();
    let sealed = format!(r#"{{"seal":"{}",{}"#, "A".repeat(43), &forged[1..]);
    let forgeries = [forged, sealed];
    let shown = nodes[1].blind(async {
        for forgery in &forgeries {
            assert_eq!(backends.redis.publish(CHANNEL, forgery.as_bytes()).await, 2);
        }
        // Whatever comes first is what the first message was for those who listen.
        let id = nodes[0].say(&talker, "said").await;
        assert_eq!(listener.messages(1).await, [(id, "said".to_owned())]);
    });
    shown.await;
    for node in &nodes {
        becomes_so("the forgeries to be counted", async || node.bus().await["skipped"] == forgeries.len())
            .await;
    }
    drop(listener);
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_disordered_while_the_bus_comes_and_goes() {
    let mut backends = Backends::start().await;
    let nodes = backends.nodes::<3>().await;
    let addresses = nodes.each_ref().map(|node| node.program.address());
    let mut random = Random::new(Random::any_seed());
    let crowd = Crowd::gather(&addresses, 12, &mut random).await;
    let talk = async || {
        for recorder in crowd.at(0, 1) {
            recorder.next_acknowledgement().await;
        }
    };
    talk().await;
    nodes[0].bus.stall();
    talk().await;
    backends.redis.kill().await;
    talk().await;
    nodes[0].bus.pass();
    backends.redis.start_again().await;
    talk().await;
    nodes[1].bus.cut();
    nodes[2].bus.lose();
    talk().await;
    nodes[2].bus_is("connected").await;
    talk().await;
    let (log, records) = crowd.settle().await;
    assert_faultless(&log, &records, "");
    stop(nodes).await;
}
