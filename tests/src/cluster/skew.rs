//! Beside a node of the next release, which there is not yet: its part is played by what it leaves in the database and says on the bus.

use lobby_infra::signature::Signer;
use serde_json::{Value, json};

use super::faults::{all_is_well, hints_come};
use super::{Backends, CHANNEL, DATABASE, stop};
use crate::crowd::{Crowd, assert_faultless};
use crate::harness::{PROGRAM_SECRET, Protocol, Random, becomes_so};

/// What a release may add that one before it has to live with: a step, a table, columns.
const GROWN: &str =
    "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_what_comes', 0);
    CREATE TABLE moods (id bigint PRIMARY KEY REFERENCES messages, mood text);
    ALTER TABLE messages ADD COLUMN mood text;
    ALTER TABLE sessions ADD COLUMN mood text DEFAULT 'fine';
    ALTER TABLE attendance ADD COLUMN mood text;
    ALTER TABLE nodes ADD COLUMN mood text";

/// What it then writes, where the others write too.
const WRITTEN: &str = "UPDATE messages SET mood = 'merry'; UPDATE nodes SET mood = 'busy';
    INSERT INTO moods (id, mood) SELECT id, mood FROM messages";

/// As a node seals it that has the same secret.
fn sealed(envelope: &Value) -> Vec<u8> {
    let json = envelope.to_string();
    let sealed = &json[1..];
    let seal = Signer::new(&PROGRAM_SECRET.into(), b"lobby bus hint v1").seal(sealed.as_bytes());
    format!(r#"{{"seal":"{seal}",{sealed}"#).into_bytes()
}

async fn all_talk(crowd: &Crowd) {
    for recorder in crowd.at(0, 1) {
        recorder.next_acknowledgement().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_go_on_and_start_again_beside_one_of_the_next_release() {
    let backends = Backends::start().await;
    let mut nodes = backends.nodes::<2>().await;
    let talker = nodes[0].log_in("talker").await;
    let addresses = nodes.each_ref().map(|node| node.program.address());
    let crowd = Crowd::gather(&addresses, 6, &mut Random::new(Random::any_seed())).await;
    all_talk(&crowd).await;
    backends.postgres.psql(DATABASE, GROWN).await;
    all_talk(&crowd).await;
    nodes[1].program.stop_for_now().await;
    nodes[1].program.start_again().await;
    assert!(
        nodes[1].program.log().contains("the schema is of a newer release"),
        "{}",
        nodes[1].program.log()
    );
    all_talk(&crowd).await;
    backends.postgres.psql(DATABASE, WRITTEN).await;
    all_talk(&crowd).await;
    let (log, records) = crowd.settle().await;
    assert_faultless(&log, &records, "");

    let own = "00000000-0000-0000-0000-000000000002";
    let log = backends.postgres.psql(DATABASE, "SELECT log FROM log_head").await;
    let typing = json!({"typing": {"from": talker.session, "with": "a pen"}});
    let unknown = [
        json!({"v": 2, "from": own, "log": log, "hint": typing}),
        json!({"v": 1, "from": own, "log": log, "hint": {"moderated": {"session": talker.session}}}),
    ];
    let known = json!({"v": 1, "from": own, "log": log, "hint": typing, "mood": "busy"});
    let mut listener = nodes[1].listen(Protocol::Plain).await;
    nodes[1].bus_is("connected").await;
    for envelope in unknown.iter().chain([&known]) {
        assert_eq!(backends.redis.publish(CHANNEL, &sealed(envelope)).await, 2);
    }
    assert_eq!(listener.event("typing").await["session"], talker.session);
    for node in &nodes {
        becomes_so("what is not known to be counted", async || node.bus().await["skipped"] == unknown.len())
            .await;
    }
    drop(listener);
    hints_come(&nodes, &talker).await;
    all_is_well(&nodes, &talker).await;
    stop(nodes).await;
}
