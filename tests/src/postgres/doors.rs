use rstest::rstest;
use serde_json::{Value, json};

use super::{lobby_on, server};
use crate::harness::{Auth, Connection, LoggedIn, Protocol};

fn ids(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().expect("an array");
    messages.iter().map(|message| message["id"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn people_log_in_talk_over_both_protocols_and_log_out() {
    let server = server().await;
    let app = lobby_on(&server).await;
    let (john, zoe) = (app.log_in("JohnDoe").await, app.log_in("Zoë").await);
    let again = app.post("/login", &json!({"pseudonym": "johndoe"}), &[]).await;
    again.assert_problem(400, "already_connected");
    app.told_of(2).await;
    let (mut johns, session) = Connection::enter(&app, Protocol::Plain, Auth::Token(&john)).await;
    let (mut zoes, _) = Connection::enter(&app, Protocol::SocketIo, Auth::Token(&zoe)).await;
    assert_eq!((&session["last_id"], &session["users_total"]), (&json!(0), &json!(2)));

    assert_eq!(johns.ask("send_message", &json!({"content": "hello"})).await["id"], 1);
    assert_eq!(zoes.ask("send_message", &json!({"content": "hi 李明"})).await["id"], 2);
    let said = [(1, "hello".to_owned()), (2, "hi 李明".to_owned())];
    assert_eq!(johns.messages(2).await, said);
    assert_eq!(zoes.messages(2).await, said);

    assert_eq!(app.log_out("Zoë", &[("authorization", &zoe.bearer())]).await.status, 200);
    assert_eq!(johns.event("user_left").await["pseudonym"], "Zoë");
    zoes.closed().await;
    assert_eq!(app.online().await, ["JohnDoe"]);
    app.log_in("zoe").await;
}

#[tokio::test]
async fn history_and_private_messages_are_for_those_who_may_see_them() {
    let server = server().await;
    let app = lobby_on(&server).await;
    let mut people = Vec::new();
    for name in ["JohnDoe", "Zoë", "Nosy"] {
        people.push(app.log_in(name).await);
    }
    let [john, zoe, nosy] = people.try_into().expect("three");
    // She is listening, and so can be reached.
    let (mut zoes, _) = Connection::enter(&app, Protocol::Plain, Auth::Token(&zoe)).await;
    let post = async |who: &LoggedIn, message: Value| {
        let answer = app.post("/messages", &message, &[("authorization", &who.bearer())]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["id"].clone()
    };
    let message = json!({"content": "psst", "to": zoe.session, "client_id": "c-1"});
    assert_eq!(post(&john, json!({"content": "hello"})).await, 1);
    assert_eq!(post(&john, message.clone()).await, 2);
    assert_eq!(post(&john, message).await, 2, "it is the same");
    assert_eq!(post(&nosy, json!({"content": "hi"})).await, 3);
    assert_eq!(zoes.messages(3).await.len(), 3);
    for (who, seen) in [(&john, vec![1, 2, 3]), (&zoe, vec![1, 2, 3]), (&nosy, vec![1, 3])] {
        let page = app.get_as("/messages?after=0", &[("authorization", &who.bearer())]).await;
        assert_eq!(ids(&page.body), seen);
    }
    assert_eq!(ids(&app.get("/messages?before=3").await.body), [1]);
}

#[rstest]
#[tokio::test]
async fn who_comes_back_gets_what_was_missed(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let server = server().await;
    let app = lobby_on(&server).await;
    let john = app.log_in("JohnDoe").await;
    let (mut talking, session) = Connection::enter(&app, protocol, Auth::Token(&john)).await;
    for id in 1..=5 {
        assert_eq!(talking.ask("send_message", &json!({"content": "hello"})).await["id"], id);
    }
    for app in [&app, &lobby_on(&server).await] {
        let (mut back, session) = Connection::resume(app, protocol, &session["log"], 2).await;
        assert_eq!((&session["recovered"], &session["last_id"]), (&json!(true), &json!(5)));
        let ids: Vec<_> = back.messages(3).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [3, 4, 5]);
    }
}
