use rstest::rstest;
use serde_json::json;

use super::app;
use super::door::Door;
use crate::harness::{App, Kind, Participant};

/// The name of whom a real client, whose tab is `main`, is told next that they come or go.
async fn told(client: &mut Participant, event: &str) -> String {
    let data = client.event("main", event).await;
    let user = if event == "user_joined" { &data["user"] } else { &data };
    user["pseudonym"].as_str().expect("a text").to_owned()
}

/// Whoever came and went before has been told too.
async fn is_told(client: &mut Participant, event: &str, name: &str) {
    while told(client, event).await != name {}
}

async fn start(app: &App, kind: Kind, transports: &str, name: &str) -> Participant {
    let mut client = Participant::start(app, kind, transports, "none");
    assert_eq!(client.log_in(name).await["status"], 200);
    client.connect("main").await;
    client
}

/// As written for the original: a name, and no token.
#[rstest]
#[tokio::test]
async fn who_has_a_name_only_is_online_while_the_socket_that_spoke_is_there_and_a_while_longer(
    #[values("websocket", "polling,websocket")] transports: &str,
) {
    let app = app(&[("presence.unclaimed", "2s")]).await;
    let door = Door::from(&app);
    let mut observer = door.observe().await;
    let mut node = start(&app, Kind::Node, transports, "Node").await;
    assert!(node.say("main", "Node", "hello").await["id"].is_i64());
    let mut python = start(&app, Kind::Python, transports, "Python").await;
    assert!(python.say("main", "Python", "hello").await["id"].is_i64());
    // A socket that has not spoken is nobody's.
    door.log_in_unclaimed("silent").await;
    for client in [&mut node, &mut python] {
        is_told(client, "user_joined", "silent").await;
        assert_eq!(told(client, "user_left").await, "silent");
    }
    assert_eq!(app.online().await, ["Node", "Python"]);

    node.tell(&json!({"do": "disconnect", "tab": "main"})).await;
    assert_eq!(told(&mut python, "user_left").await, "Node");
    assert_eq!(app.online().await, ["Python"]);
    // Who is missed by nobody comes back by speaking.
    node.connect("main").await;
    assert!(node.say("main", "Node", "again").await["id"].is_i64());
    assert_eq!(told(&mut python, "user_joined").await, "Node");

    python.quit().await;
    assert_eq!(told(&mut node, "user_left").await, "Python");
    node.quit().await;
    observer.sees("all to leave", |seen| seen.sessions.is_empty()).await;
    assert_eq!(observer.seen().revision, 8);
}

/// Both kinds, before and after each other, over all transports.
#[tokio::test]
async fn real_clients_of_both_kinds_are_told_the_same_of_who_comes_and_goes() {
    let app = app(&[("presence.unclaimed", "1s"), ("presence.grace", "1s")]).await;
    let door = Door::from(&app);
    let mut clients = Vec::new();
    for (kind, transports) in [
        (Kind::Node, "websocket"),
        (Kind::Python, "polling"),
        (Kind::Node, "polling"),
        (Kind::Python, "polling,websocket"),
    ] {
        let mut client = Participant::start(&app, kind, transports, "none");
        client.connect("main").await;
        clients.push(client);
    }
    let mut observer = door.observe().await;
    observer.burn_a_candle(&door).await;
    door.log_in_unclaimed("nameless").await;
    observer.sees("all to leave", |seen| seen.changes.len() == 4).await;
    for client in &mut clients {
        for event in ["user_joined", "user_left"] {
            let mut names = Vec::new();
            for _ in 0..2 {
                names.push(told(client, event).await);
            }
            assert!(names[0].starts_with("candle"), "{names:?}");
            assert_eq!(names[1], "nameless");
        }
    }
    for client in clients {
        client.quit().await;
    }
}
