use lobby_testbed::When;
use rstest::rstest;
use serde_json::json;
use tokio::sync::watch;

use super::{lobby_behind_a_proxy, server};
use crate::crowd::{Crowd, assert_faultless};
use crate::harness::{Auth, Connection, Protocol, Random};

const ALL: [When; 3] = [When::Before, When::During, When::After];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_way_to_the_database_breaks_nothing_is_lost_doubled_or_out_of_order() {
    let server = server().await;
    let (app, proxy) = lobby_behind_a_proxy(&server, &[]).await;
    let mut random = Random::new(Random::any_seed());
    let crowd = Crowd::gather(&[watch::channel(app.address()).1], 12, &mut random).await;
    for when in [ALL, ALL].concat() {
        proxy.cut_at_commit(when).wait().await;
        proxy.cut();
        crowd.anybody(&mut random).next_acknowledgement().await;
    }
    let (log, records) = crowd.settle().await;
    assert_faultless(&log, &records, "");
    assert!(records.iter().all(|record| record.segments.len() == 1), "nobody was disconnected");
    app.stop().await;
}

/// An ack does not wait for longer than anybody would.
#[rstest]
#[tokio::test]
async fn an_outcome_that_is_not_found_out_is_told_and_a_repeat_is_one_message(
    #[values(When::Before, When::After)] when: When,
) {
    let server = server().await;
    let (app, proxy) = lobby_behind_a_proxy(&server, &[]).await;
    let john = app.log_in("JohnDoe").await;
    let (mut connection, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    let message = json!({"content": "hello", "client_id": "c-1"});
    let fired = proxy.cut_at_commit(when);
    let ack = connection.emit_with_ack("send_message", &message).await;
    fired.wait().await;
    proxy.refuse();
    let lost = connection.answer(ack).await;
    assert_eq!((&lost["code"], &lost["retry_after"]), (&json!("outcome_unknown"), &json!(1)));
    let refused = connection.ask("send_message", &message).await;
    assert_eq!((&refused["code"], &refused["retry_after"]), (&json!("unavailable"), &json!(1)));
    app.get("/health/ready").await.assert_problem(503, "unavailable");

    proxy.pass();
    app.ready().await;
    assert_eq!(connection.ask("send_message", &message).await["id"], 1);
    assert_eq!(connection.event("new_message").await["id"], 1);
    assert_eq!(app.get("/messages").await.body["last_id"], 1);
}
