use rstest::rstest;
use serde_json::json;
use tokio::sync::watch;

use super::{DATABASE, lobby_on, server};
use crate::crowd::{Crowd, assert_faultless};
use crate::harness::{Auth, Connection, Protocol, Random, becomes_so, in_time};

/// In order, and as after a crash.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stops_and_starts_again_is_waited_for(#[values(false, true)] crashes: bool) {
    let mut server = server().await;
    let app = lobby_on(&server).await;
    app.log_in("JohnDoe").await;
    let mut random = Random::new(Random::any_seed());
    let crowd = Crowd::gather(&[watch::channel(app.address()).1], 12, &mut random).await;
    crowd.anybody(&mut random).next_acknowledgement().await;
    if crashes {
        server.kill().await;
    } else {
        server.stop().await;
    }
    becomes_so("it to notice", async || app.get("/health/ready").await.status == 503).await;
    let post = json!({"content": "hello", "sender": "JohnDoe"});
    let refused = app.post("/messages", &post, &[]).await;
    refused.assert_problem(503, "unavailable");
    assert_eq!((refused.header("retry-after"), &refused.body["retry_after"]), ("1", &json!(1)));
    assert_eq!(app.get("/health/live").await.status, 200);
    server.start_again().await;
    app.ready().await;
    crowd.anybody(&mut random).next_acknowledgement().await;

    let (log, records) = crowd.settle().await;
    assert_faultless(&log, &records, "");
    assert!(records.iter().all(|record| record.segments.len() == 1), "nobody was disconnected");
    app.stop().await;
}

/// A backup is put back under a lobby that runs: what follows is another log, and nobody goes on in it from before.
#[rstest]
#[tokio::test]
async fn a_database_that_is_restored_sends_everybody_back_to_the_beginning(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let server = server().await;
    let app = lobby_on(&server).await;
    let john = app.log_in("JohnDoe").await;
    let (mut connection, before) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    for id in 1..=3 {
        assert_eq!(connection.ask("send_message", &json!({"content": "hello"})).await["id"], id);
    }
    server.psql(DATABASE, "DELETE FROM messages WHERE id > 1; UPDATE log_head SET last_id = 1").await;
    in_time("it to be closed", connection.closed()).await;
    let (mut back, session) = Connection::resume(&app, protocol, &before["log"], 1).await;
    assert_eq!((&session["recovered"], &session["last_id"]), (&json!(false), &json!(1)));
    assert_ne!(session["log"], before["log"]);
    let proof = john.bearer();
    let said = app.post("/messages", &json!({"content": "anew"}), &[("authorization", &proof)]).await;
    assert_eq!(said.body["id"], 2);
    assert_eq!(back.messages(1).await, [(2, "anew".to_owned())]);
}
