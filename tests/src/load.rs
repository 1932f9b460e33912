//! That the load generator and the lobby understand each other.

use rstest::rstest;
use serde_json::Value;
use tokio::process::Command;

use crate::harness::{Database, Program, binary, in_time};

#[rstest]
#[tokio::test]
async fn a_room_that_talks_loses_nothing(#[values("socketio", "ws")] protocol: &str) {
    let lobby = Program::start(Database::Sqlite).await;
    let url = format!("http://{}", *lobby.address().borrow());
    let room = ["--receivers", "20", "--senders", "all", "--in-flight", "1", "--at-once", "20"];
    let time = ["--warm-up", "100ms", "--duration", "500ms"];
    let fan = Command::new(binary("lobby-load"))
        .args(["fan", "--url", &url, "--protocol", protocol, "--json", "-"])
        .args(room)
        .args(time)
        .kill_on_drop(true)
        .output();
    let output = in_time("the load", fan).await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    // What is missing or doubled it would have failed for; nor is nothing at all enough.
    assert_eq!(report["deliveries"], report["with_id"], "each is a message of the log: {report:#}");
    assert!(report["latency_ms"]["count"].as_u64().is_some_and(|count| count >= 20), "{report:#}");
    lobby.stop().await;
}
