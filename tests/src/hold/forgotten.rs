//! Sessions whose tokens have had their life.

use serde_json::{Value, json};

use super::{Observer, lobby};
use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, becomes_so};

async fn whisper(app: &App, from: &LoggedIn, to: &LoggedIn, content: &str) {
    let post = json!({"content": content, "to": to.session});
    let answer = app.post("/messages", &post, &[("authorization", &from.bearer())]).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
}

/// What was said in private, as the database has it.
async fn whispers(app: &App) -> Value {
    app.ask_database("SELECT content FROM messages WHERE to_session IS NOT NULL ORDER BY id").await
}

/// Whoever lives keeps their half of a conversation; what both have left is gone.
#[tokio::test]
async fn after_a_tokens_life_it_is_invalid_and_what_nobody_can_read_is_gone() {
    let app = lobby(&[("auth.token_ttl", "1s"), ("presence.unconnected", "1s"), ("auth.hold", "1ms")]).await;
    let mut observer = Observer::of(&app).await;
    let [john, mia, zoe] = [
        app.log_in_claimed("JohnDoe").await,
        app.log_in_claimed("Mia").await,
        app.log_in_claimed("Zoë").await,
    ];
    let (_zoe_is_here, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&zoe)).await;
    whisper(&app, &john, &zoe, "for the living").await;
    whisper(&app, &john, &mia, "for the gone").await;
    whisper(&app, &mia, &john, "to the gone").await;
    assert_eq!(whispers(&app).await, json!([["for the living"], ["for the gone"], ["to the gone"]]));

    for gone in [&john, &mia] {
        observer.expired(gone).await;
    }
    let left = json!([["for the living"], [""], [""]]);
    becomes_so("what nobody can read to be gone", async || whispers(&app).await == left).await;
    for gone in [&john, &mia] {
        let refused = app.get_as("/session", &[("authorization", &gone.bearer())]).await;
        refused.assert_problem(401, "invalid_token");
    }
    let history = app.get_as("/messages", &[("authorization", &zoe.bearer())]).await;
    assert_eq!(history.body["messages"][0]["content"], "for the living");
    let john_again = app.log_in_claimed("JohnDoe").await;
    let history = app.get_as("/messages", &[("authorization", &john_again.bearer())]).await;
    assert_eq!(history.body["messages"], json!([]));
}
