//! Whoever takes a name that has become free sees nothing of what was for its last holder.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{THE_END, contents, post, readings, tabs};
use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, Received, in_time};

#[tokio::test]
async fn the_next_holder_of_a_name_sees_nothing_of_the_last_ones() {
    let app = App::spawn().await;
    let alice = app.log_in_claimed("Alice").await;
    let first = app.log_in_claimed("Bob").await;
    // Of whoever comes and goes before that nobody hears.
    app.told_of(2).await;
    let mut page = Connection::enter(&app, Protocol::Plain, Auth::Cookie(&first)).await.0;
    post(&app, &alice, "for the first", Some("Bob")).await;
    post(&app, &first, "from the first", Some("Alice")).await;
    app.log_out("Bob", &[("authorization", &first.bearer())]).await;
    page.event("user_left").await;
    let second = app.log_in_claimed("Bob").await;
    let mut live = tabs(&app, &[Auth::Token(&second), Auth::Cookie(&second)]).await;

    let refused = post(&app, &alice, "for the first again", Some(&first.session)).await;
    assert_eq!(refused.assert_problem(409, "recipient_offline"), "'Bob' is not online");
    post(&app, &alice, "for the second", Some("Bob")).await;
    post(&app, &alice, THE_END, None).await;
    for tab in &mut live {
        assert_eq!(contents(&tab.messages_until(THE_END).await), ["for the second"]);
    }
    for proof in [Auth::Token(&second), Auth::Cookie(&second)] {
        for reading in readings(&app, proof).await {
            assert_eq!(contents(&reading), ["for the second"], "{proof:?}");
        }
    }
    // The first one's page is there still, and its cookie proves nothing any more.
    assert_eq!(contents(&page.messages_until(THE_END).await), ["for the first", "from the first"]);
    for reading in readings(&app, Auth::Cookie(&first)).await {
        assert!(reading.is_empty());
    }
    for reading in readings(&app, Auth::Token(&alice)).await {
        assert_eq!(contents(&reading), ["for the first", "from the first", "for the second"]);
    }
}

/// However log-out, log-in and post meet: what is sent to a name goes to the one session that its answer names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_to_a_name_reaches_one_holder_and_no_other() {
    const HOLDERS: usize = 40;

    let app = App::spawn().await;
    let alice = app.log_in_claimed("Alice").await;
    let (is_over, over) = watch::channel(false);
    let talking = talk(&app, &alice, over);
    let changing = async {
        let mut holders = Vec::new();
        for n in 0..HOLDERS {
            holders.push(hold_the_name(&app, n).await);
        }
        is_over.send_replace(true);
        holders
    };
    let (said, holders) = tokio::join!(in_time("the talk", talking), in_time("all holders", changing));

    let expected = |session: &str| -> BTreeSet<i64> {
        said.iter().filter(|(_, to)| to == session).map(|(id, _)| *id).collect()
    };
    let sessions: BTreeSet<_> = holders.iter().map(|(session, _)| session.as_str()).collect();
    assert!(said.iter().all(|(_, to)| sessions.contains(to.as_str())), "to somebody else");
    assert!(said.len() > HOLDERS, "hardly anything was said: {}", said.len());
    for (session, seen) in &holders {
        let ids: BTreeSet<_> = seen.iter().map(|message| message["id"].as_i64().expect("a number")).collect();
        assert!(seen.iter().all(|message| message["to_session"] == *session.as_str()), "of another's");
        assert_eq!(ids, expected(session));
    }
}

/// Writes to whoever holds the name, until it is over: the id and the session of each message.
async fn talk(app: &App, alice: &LoggedIn, over: watch::Receiver<bool>) -> Vec<(i64, String)> {
    let mut said = Vec::new();
    while !*over.borrow() {
        let answer = post(app, alice, "psst", Some("bob")).await;
        if answer.status == StatusCode::CREATED {
            let to = answer.body["to_session"].as_str().expect("a text").to_owned();
            said.push((answer.body["id"].as_i64().expect("a number"), to));
        } else {
            let code = answer.body["code"].as_str().expect("a text");
            assert!(["recipient_offline", "unknown_recipient"].contains(&code), "{code}");
        }
    }
    said
}

/// Logs in under the name, listens until two messages have come, and logs out; all that was seen by then and until the
/// connections ended.
async fn hold_the_name(app: &App, n: usize) -> (String, Vec<Value>) {
    let user = app.log_in_claimed("Bob").await;
    let protocol = if n.is_multiple_of(2) { Protocol::Plain } else { Protocol::SocketIo };
    let (mut live, _) = Connection::enter(app, protocol, Auth::Token(&user)).await;
    let (mut resumed, _) =
        Connection::enter_with(app, protocol, &json!({"token": user.token, "after": 0})).await;
    let mut seen = vec![live.event("new_message").await, live.event("new_message").await];
    let history = app.get_as("/messages?after=0&limit=200", &[("authorization", &user.bearer())]).await.body;
    seen.extend(history["messages"].as_array().expect("an array").clone());
    app.log_out("Bob", &[("authorization", &user.bearer())]).await;
    for connection in [&mut live, &mut resumed] {
        seen.extend(rest_of(connection).await);
    }
    (user.session, seen)
}

/// All messages until the connection ends.
async fn rest_of(connection: &mut Connection) -> Vec<Value> {
    let mut messages = Vec::new();
    loop {
        match connection.receive().await {
            Received::Event(name, message) if name == "new_message" => messages.push(message),
            Received::Closed(..) => return messages,
            _ => {}
        }
    }
}
