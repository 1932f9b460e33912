//! A node that cannot read the database hears by the bus alone: so what it tells its clients then has come that way.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Backends, stop};
use crate::harness::{Connection, Protocol, Received};

const BOTH: [Protocol; 2] = [Protocol::Plain, Protocol::SocketIo];

#[tokio::test]
async fn what_is_said_at_one_node_is_heard_at_another_that_cannot_read_the_log() {
    let backends = Backends::start().await;
    let nodes = backends.nodes::<2>().await;
    let [here, there] = &nodes;
    let zoe = here.log_in("Zoë").await;
    let mut listeners = Vec::new();
    for protocol in BOTH {
        listeners.push(there.listen(protocol).await);
    }
    let mut zoes = there.enter(Protocol::Plain, &json!({"token": zoe.token})).await.0;
    there
        .blind(async {
            for n in 1..=3 {
                assert_eq!(here.say(&zoe, &format!("number {n}")).await, n);
            }
            let whisper = json!({"content": "whispered", "to": zoe.session});
            here.post("/messages", Some(&zoe), &whisper).await;
            here.say(&zoe, "the last").await;
            let expected = |n: i64| (n, format!("number {n}"));
            for listener in &mut listeners {
                let said = [expected(1), expected(2), expected(3), (5, "the last".to_owned())];
                assert_eq!(listener.messages(4).await, said);
            }
            assert_eq!(zoes.messages(4).await[3], (4, "whispered".to_owned()));
        })
        .await;
    assert!(there.bus().await["heard"].as_u64() >= Some(5));
    drop((zoes, listeners));
    stop(nodes).await;
}

#[tokio::test]
async fn who_comes_and_goes_at_one_node_is_told_and_closed_at_another_that_cannot_read_the_list() {
    let backends = Backends::start().await;
    let nodes = backends.nodes::<2>().await;
    let [here, there] = &nodes;
    let mut listener = there.listen(Protocol::Plain).await;
    let zoe = here.log_in("Zoë").await;
    assert_eq!(listener.event("user_joined").await["user"]["session"], json!(zoe.session));
    let auth = json!({"token": zoe.token});
    let mut zoes = there.enter(Protocol::Plain, &auth).await.0;
    let mut second = there.enter(Protocol::SocketIo, &auth).await.0;
    there
        .blind(async {
            let john = here.log_in("JohnDoe").await;
            assert_eq!(listener.event("user_joined").await["user"]["session"], json!(john.session));
            here.log_out("Zoë", &zoe).await;
            assert_eq!(zoes.closed().await, (4401, "session_over".to_owned()));
            while second.receive().await != Received::Disconnect {}
            assert_eq!(listener.event("user_left").await["session"], json!(zoe.session));
        })
        .await;
    drop((zoes, second, listener));
    stop(nodes).await;
}

/// What comes in before somebody says this, which is said after it at the same node.
async fn typing_until(connection: &mut Connection, content: &str) -> Vec<Value> {
    let mut typing = Vec::new();
    loop {
        match connection.receive().await {
            Received::Event(name, data) if name == "typing" => typing.push(data["pseudonym"].clone()),
            Received::Event(name, data) if name == "new_message" && data["content"] == content => {
                return typing;
            }
            Received::Event(..) | Received::Ack(..) => {}
            ended => panic!("{ended:?}"),
        }
    }
}

#[tokio::test]
async fn who_types_at_one_node_is_seen_at_another_by_those_whom_it_is_for() {
    let backends = Backends::start().await;
    let nodes = backends.nodes::<2>().await;
    let [here, there] = &nodes;
    let (zoe, bob, john) =
        (here.log_in("Zoë").await, there.log_in("Bob").await, here.log_in("JohnDoe").await);
    let mut zoes = here.enter(Protocol::Plain, &json!({"token": zoe.token})).await.0;
    let mut johns = here.enter(Protocol::SocketIo, &json!({"token": john.token})).await.0;
    let mut bobs = there.enter(Protocol::SocketIo, &json!({"token": bob.token})).await.0;
    let mut own = there.enter(Protocol::Plain, &json!({"token": zoe.token})).await.0;
    let mut listener = there.listen(Protocol::Plain).await;
    there
        .blind(async {
            zoes.emit("typing", &json!({"to": "bob"})).await;
            johns.emit("typing", &json!({})).await;
            // They came over two connections, in any order.
            let typing = [bobs.event("typing").await, bobs.event("typing").await];
            let typing = BTreeSet::from(typing.map(|who| who["session"].as_str().map(str::to_owned)));
            assert_eq!(typing, [&zoe, &john].map(|who| Some(who.session.clone())).into());
            // Whoever says something, does so behind both.
            here.say(&john, "done").await;
            assert_eq!(typing_until(&mut listener, "done").await, ["JohnDoe"], "the other is for Bob");
            assert_eq!(typing_until(&mut own, "done").await, ["JohnDoe"], "whoever types knows");
        })
        .await;
    drop((zoes, johns, bobs, own, listener));
    stop(nodes).await;
}

#[tokio::test]
async fn a_connection_whose_client_comes_back_at_another_node_is_closed() {
    let backends = Backends::start().await;
    let nodes = backends.nodes::<2>().await;
    let [here, there] = &nodes;
    let zoe = here.log_in("Zoë").await;
    let mut connection = there.enter(Protocol::SocketIo, &json!({"recovery": true})).await.0;
    let pid = connection.recovery().pid.clone();
    here.say(&zoe, "before").await;
    connection.messages(1).await;
    let auth = json!({"recovery": true, "pid": pid, "offset": connection.recovery().offset});
    let mut next = there
        .blind(async {
            let (next, session) = here.enter(Protocol::SocketIo, &auth).await;
            assert_eq!(session["recovered"], true);
            connection.closed().await;
            next
        })
        .await;
    here.say(&zoe, "after").await;
    assert_eq!(next.messages(1).await[0].1, "after");
    drop((connection, next));
    stop(nodes).await;
}
