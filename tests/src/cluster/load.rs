//! That the load generator finds all nodes, and what they stand on.

use serde_json::Value;
use tokio::process::Command;

use super::{Backends, stop};
use crate::harness::{binary, in_time};

#[tokio::test]
async fn a_room_that_is_spread_over_nodes_loses_nothing_and_is_timed_within_and_across_them() {
    let backends = Backends::start().await;
    let nodes = backends.nodes::<3>().await;
    let [first, second, third] = nodes.each_ref().map(|node| node.url(""));
    let beside = format!("postgresql={}", backends.postgres.pid());
    let fan = Command::new(binary("lobby-load"))
        .args(["fan", "--url", &first, "--node", &second, "--node", &third, "--beside", &beside])
        .args(["--receivers", "12", "--senders", "all", "--in-flight", "1", "--json", "-"])
        .args(["--warm-up", "100ms", "--duration", "500ms"])
        .kill_on_drop(true)
        .output();
    let output = in_time("the load", fan).await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let count = |what: &str| report[what]["count"].as_u64().expect("a number");
    // Of twelve, four are at each node: a third of all deliveries is within one.
    assert!(count("within_ms") > 0, "{report:#}");
    assert_eq!(count("within_ms") * 2, count("across_ms"), "{report:#}");
    assert_eq!(report["beside"][0][0], "postgresql", "{report:#}");
    stop(nodes).await;
}
