use serde_json::json;

use super::{lobby_behind_a_proxy, server};
use crate::harness::{Auth, Connection, Protocol, Received, in_time};

const QUEUE: &str = "4";

/// The database takes its time: nothing of it is up until all is queued that can be.
#[tokio::test]
async fn once_a_log_out_has_answered_nothing_of_that_session_gets_an_id_however_full_the_queue_was() {
    let server = server().await;
    let patient = [
        ("messages.queue", QUEUE),
        ("database.idle_in_transaction_timeout", "30s"),
        ("database.statement_timeout", "40s"),
        ("database.lock_timeout", "35s"),
    ];
    let (app, proxy) = lobby_behind_a_proxy(&server, &patient).await;
    let john = app.log_in("JohnDoe").await;
    app.log_in("Zoë").await;
    let (bearer, post) = (john.bearer(), |content| json!({"content": content}));
    let proof = [("authorization", bearer.as_str())];
    let (mut connection, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    let (mut rushing, _) = Connection::enter(&app, Protocol::SocketIo, Auth::Token(&john)).await;

    let fired = proxy.stall_at_commit();
    let first = connection.emit_with_ack("send_message", &post("first")).await;
    fired.wait().await;
    for _ in 0..6 {
        connection.emit_with_ack("send_message", &post("queued")).await;
    }
    for refused in [first + 5, first + 6] {
        match connection.receive().await {
            Received::Ack(ack, answer) => {
                assert_eq!(
                    (ack, &answer["code"], &answer["retry_after"]),
                    (refused, &json!("busy"), &json!(1))
                );
            }
            other => panic!("the queue is full, so nothing but refusals can come: {other:?}"),
        }
    }
    let log_out = app.log_out("JohnDoe", &proof);
    let rush = async {
        // Some of these come before the log-out, and some behind it.
        for _ in 0..20 {
            rushing.emit("send_message", &post("rushed")).await;
        }
        proxy.pass();
    };
    let (logged_out, ()) = tokio::join!(log_out, rush);
    assert_eq!(logged_out.status, 200, "{logged_out:?}");
    let at_that_moment = app.get("/messages").await.body["last_id"].clone();
    in_time("the end of its connections", async { (connection.closed().await, rushing.closed().await) })
        .await;

    // Somebody else's message is behind everything that was queued.
    let last = app.post("/messages", &json!({"content": "last", "sender": "Zoë"}), &[]).await;
    assert_eq!(last.status, 201, "{last:?}");
    let page = app.get(&format!("/messages?after={at_that_moment}")).await.body;
    let said: Vec<_> = page["messages"].as_array().expect("an array").iter().map(|m| &m["content"]).collect();
    assert_eq!(said, ["last"]);
    assert!(at_that_moment.as_u64() >= Some(5), "what was queued before it got ids: {at_that_moment}");
}
