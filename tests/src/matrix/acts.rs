//! What is done, and what comes of it in one word: a code, if it is refused.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use super::world::{LAST, Subject, World};
use super::{Act, Door};
use crate::harness::{Answer, Auth, Connection, Protocol, Received};

pub(super) async fn act(act: Act, world: &World, subject: &Subject) -> String {
    let friend = &world.friend.session;
    let sender = world.name(subject);
    let post = json!({"content": "hello", "sender": sender});
    match act {
        Act::SpeakByName(door) => speak(world, subject, door, &post).await,
        Act::SpeakAsOneself(door) => speak(world, subject, door, &json!({"content": "hello"})).await,
        Act::SpeakPrivately(door) => speak(world, subject, door, &with(post, "to", friend)).await,
        Act::SpeakWithClientId(door) => speak(world, subject, door, &with(post, "client_id", "1")).await,
        Act::Type(protocol) => type_to(world, subject, protocol, friend).await,
        Act::LogIn => log_in(world, subject).await,
        Act::LogOut => {
            let answer = rest(world, subject, Method::POST, "/logout", json!({"pseudonym": sender})).await;
            outcome(&answer, |_| "done")
        }
        Act::ListUsers => {
            let answer = rest(world, subject, Method::GET, "/users", Value::Null).await;
            outcome(&answer, |users| if users.is_array() { "done" } else { "no list" })
        }
        Act::ReadPublicHistory => read(world, subject, LAST).await,
        Act::ReadPrivateHistory => read(world, subject, &subject.secret).await,
        Act::AskWhoIAm => {
            let answer = rest(world, subject, Method::GET, "/session", Value::Null).await;
            outcome(&answer, |session| world.who(&session["session"], subject))
        }
        Act::Open(protocol) => open(world, subject, protocol).await,
        Act::Resume(protocol) => resume(world, subject, protocol).await,
        Act::Recover => recover(world, subject).await,
        Act::PollAnothersSid => sid(world, subject, Method::GET).await,
        Act::PostToAnothersSid => sid(world, subject, Method::POST).await,
        Act::UpgradeAnothersSid => upgrade(world, subject).await,
    }
}

fn with(mut post: Value, member: &str, value: &str) -> Value {
    post[member] = json!(value);
    post
}

async fn rest(world: &World, subject: &Subject, method: Method, path: &str, body: Value) -> Answer {
    let request = world.app.client().request(method, world.app.url(path));
    let request = if body.is_null() { request } else { request.json(&body) };
    let headers = world.headers(subject).into_iter();
    world.app.send(headers.fold(request, |request, (name, value)| request.header(name, value))).await
}

fn outcome(answer: &Answer, good: impl Fn(&Value) -> &'static str) -> String {
    if answer.status.is_success() {
        return good(&answer.body).to_owned();
    }
    let code = answer.body["code"].as_str().expect("a code").to_owned();
    let status = match code.as_str() {
        "token_required" | "invalid_token" => 401,
        "not_your_session" => 403,
        _ => 400,
    };
    answer.assert_problem(status, &code);
    code
}

/// Who is let in, and what is said to them; or why they are not.
async fn enter(
    world: &World,
    subject: &Subject,
    protocol: Protocol,
    data: &Value,
) -> Result<(Connection, Value), String> {
    let headers = world.headers(subject);
    let mut data = data.clone();
    let headers: Vec<_> = match world.auth(subject) {
        Auth::Token(user) => {
            data["token"] = json!(user.token);
            vec![]
        }
        _ => headers.iter().map(|(name, value)| (*name, value.as_str())).collect(),
    };
    let mut connection = Connection::connecting_with(&world.app, protocol, &headers, &data).await;
    match connection.receive().await {
        Received::Event(name, session) if name == "session" => Ok((connection, session)),
        Received::ConnectError(error) => Err(error["data"]["code"].as_str().expect("a code").to_owned()),
        Received::Closed(4401, reason) => Err(reason),
        other => panic!("neither let in nor refused: {other:?}"),
    }
}

async fn speak(world: &World, subject: &Subject, door: Door, post: &Value) -> String {
    let Door::Socket(protocol) = door else {
        let answer = rest(world, subject, Method::POST, "/messages", post.clone()).await;
        return outcome(&answer, |message| world.who(&message["sender_session"], subject));
    };
    let (mut connection, _) = match enter(world, subject, protocol, &json!({})).await {
        Ok(entered) => entered,
        Err(code) => return code,
    };
    let answer = connection.ask("send_message", post).await;
    if let Some(code) = answer["code"].as_str() {
        return code.to_owned();
    }
    let said = format!("/messages?before={}&limit=1", answer["id"].as_i64().expect("an id") + 1);
    let friend = world.friend.bearer();
    let said = world.app.get_as(&said, &[("authorization", &friend)]).await;
    world.who(&said.body["messages"][0]["sender_session"], subject).to_owned()
}

/// Nobody is told that it was taken; but the next answer is that of what was sent next.
async fn type_to(world: &World, subject: &Subject, protocol: Protocol, to: &str) -> String {
    let (mut connection, _) = match enter(world, subject, protocol, &json!({})).await {
        Ok(entered) => entered,
        Err(code) => return code,
    };
    let typing = connection.emit_with_ack("typing", &json!({"to": to})).await;
    connection.emit_with_ack("typing", &json!("no object")).await;
    loop {
        match connection.receive().await {
            Received::Ack(ack, answer) if ack == typing => {
                return answer["code"].as_str().expect("a code").to_owned();
            }
            Received::Ack(..) => return "done".to_owned(),
            _ => {}
        }
    }
}

async fn log_in(world: &World, subject: &Subject) -> String {
    let login = json!({"pseudonym": world.name(subject)});
    let answer = rest(world, subject, Method::POST, "/login", login).await;
    outcome(&answer, |session| match world.who(&session["session"], subject) {
        "somebody" => "a new session",
        who => who,
    })
}

async fn read(world: &World, subject: &Subject, content: &str) -> String {
    let answer = rest(world, subject, Method::GET, "/messages?after=0&limit=200", Value::Null).await;
    outcome(&answer, |page| {
        let mut messages = page["messages"].as_array().expect("an array").iter();
        if messages.any(|message| message["content"] == content) { "read" } else { "not there" }
    })
}

async fn open(world: &World, subject: &Subject, protocol: Protocol) -> String {
    match enter(world, subject, protocol, &json!({})).await {
        Ok((_connection, session)) => world.who(&session["user"]["session"], subject).to_owned(),
        Err(code) => code,
    }
}

async fn resume(world: &World, subject: &Subject, protocol: Protocol) -> String {
    let (mut connection, session) = match enter(world, subject, protocol, &json!({"after": 0})).await {
        Ok(entered) => entered,
        Err(code) => return code,
    };
    assert_eq!(session["recovered"], true, "the log is there from its beginning");
    let missed = connection.messages_until(LAST).await;
    let secrets: Vec<_> = missed.iter().filter(|message| message.get("to").is_some()).collect();
    match secrets.as_slice() {
        [] => "public only".to_owned(),
        [secret] if secret["content"] == subject.secret.as_str() => "private too".to_owned(),
        _ => format!("{secrets:?}"),
    }
}

async fn recover(world: &World, subject: &Subject) -> String {
    let recovery = &subject.recovery;
    assert!(recovery.pid.is_some(), "John was given something to come back with");
    let mut data = json!({"recovery": true, "pid": recovery.pid});
    if let Some(offset) = &recovery.offset {
        data["offset"] = json!(offset);
    }
    match enter(world, subject, Protocol::SocketIo, &data).await {
        Ok((_connection, session)) if session["recovered"] == true => "recovered".to_owned(),
        Ok(_) => "not recovered".to_owned(),
        Err(code) => code,
    }
}

/// Engine.IO's own refusals are numbers.
async fn sid(world: &World, subject: &Subject, method: Method) -> String {
    let url = world.app.url(&format!("/socket.io/?EIO=4&transport=polling&sid={}", world.sid));
    let request = world.app.client().request(method.clone(), url);
    let request = if method == Method::POST { request.body("40") } else { request };
    let headers = world.headers(subject).into_iter();
    let request = headers.fold(request, |request, (name, value)| request.header(name, value));
    let answer = world.app.send(request).await;
    format!("{} {}", answer.status.as_u16(), answer.body["message"].as_str().unwrap_or("let in"))
}

async fn upgrade(world: &World, subject: &Subject) -> String {
    let headers = world.headers(subject);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    match Connection::upgrade(&world.app, &world.sid, &headers).await {
        Ok(()) => "let in".to_owned(),
        Err(Error::Http(response)) => {
            let body: Value =
                serde_json::from_slice(response.body().as_deref().unwrap_or_default()).expect("JSON");
            format!("{} {}", response.status().as_u16(), body["message"].as_str().expect("a text"))
        }
        Err(other) => panic!("{other:?}"),
    }
}
