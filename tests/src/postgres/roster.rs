//! Two lobbies on one database, which hear of each other through it alone.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{lobby_on, server};
use crate::harness::{App, Auth, Connection, Protocol};

/// A second until the next look, and as much again for what it takes on a machine that is busy.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn who_comes_and_goes_at_one_node_is_told_at_the_other_and_closed_there() {
    let server = server().await;
    let (here, there) = (lobby_on(&server).await, lobby_on(&server).await);
    let (mut listener, _) = Connection::enter(&there, Protocol::Plain, Auth::Nothing).await;
    let zoe = here.log_in_claimed("Zoë").await;
    // The other node has not heard of her yet.
    let (mut zoes, session) = Connection::enter(&there, Protocol::Plain, Auth::Token(&zoe)).await;
    assert_eq!(session["user"]["session"], json!(zoe.session));
    assert_eq!(listener.event("user_joined").await["user"]["session"], json!(zoe.session));

    here.log_out("Zoë", &[("authorization", &zoe.bearer())]).await;
    let heard = async {
        assert_eq!(zoes.closed().await, (4401, "session_over".to_owned()));
        assert_eq!(listener.event("user_left").await["revision"], 2);
    };
    Box::pin(timeout(SOON, heard)).await.expect("it is heard of soon");
}

/// Reads until somebody has come who comes last, and answers with the list that it has then.
async fn list_at_the_end(app: &App, connection: &mut Connection, last: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let name = |user: &Value| user["pseudonym"].as_str().expect("a name").to_owned();
    while !names.iter().any(|name| name == last) {
        let changed = connection.event("users_changed").await;
        let left: Vec<_> = changed["left"].as_array().expect("a list").iter().map(name).collect();
        names.retain(|name| !left.contains(name));
        names.extend(changed["joined"].as_array().expect("a list").iter().map(name));
    }
    names.sort();
    assert_eq!(names.len(), app.online().await.len());
    names
}

#[tokio::test]
async fn the_clients_of_all_nodes_have_one_list() {
    let server = server().await;
    let nodes = [lobby_on(&server).await, lobby_on(&server).await];
    let mut watchers = Vec::new();
    for node in &nodes {
        let (watcher, _) =
            Box::pin(Connection::enter_with(node, Protocol::SocketIo, &json!({"batch": true}))).await;
        watchers.push(watcher);
    }
    let crowd = (0..60).map(async |n| {
        let (node, other, name) = (&nodes[n % 2], &nodes[(n + n / 2) % 2], format!("name-{n}"));
        node.log_in(&name).await;
        if n % 3 > 0 {
            other.log_out(&name, &[]).await;
        }
    });
    join_all(crowd).await;
    nodes[0].log_in("the-last").await;
    let mut lists = Vec::new();
    for (node, watcher) in nodes.iter().zip(&mut watchers) {
        lists.push(list_at_the_end(node, watcher, "the-last").await);
    }
    assert_eq!(lists[0], lists[1]);
    assert_eq!(lists[0].len(), 21);
}
