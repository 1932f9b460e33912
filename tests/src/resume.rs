//! Going on where a connection left off, by `log` and `after`.

use std::ops::RangeInclusive;

use rstest::rstest;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, Received};

mod busy;
mod pace;

/// Somebody who talks.
async fn speaker(app: &App) -> (LoggedIn, Connection) {
    let user = app.log_in("speaker").await;
    let (connection, _) = Connection::enter(app, Protocol::Plain, Auth::Token(&user)).await;
    (user, connection)
}

/// What messages with these ids say.
fn texts(ids: RangeInclusive<i64>) -> impl Iterator<Item = String> {
    ids.map(|id| format!("number {id}"))
}

/// The next messages have these ids and say so.
async fn expect_messages(connection: &mut Connection, ids: RangeInclusive<i64>) {
    let count = usize::try_from(ids.end() - ids.start() + 1).expect("a count");
    let expected: Vec<_> = ids.clone().zip(texts(ids)).collect();
    assert_eq!(connection.messages(count).await, expected);
}

#[rstest]
#[case::a_few(5)]
#[case::more_than_a_page(300)]
#[case::more_than_what_a_node_remembers(1_500)]
#[tokio::test]
async fn what_was_missed_comes_before_anything_new_in_order_and_once(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] said: i64,
) {
    let app = App::spawn().await;
    let (_, mut speaker) = speaker(&app).await;
    speaker.say_all(texts(1..=said)).await;
    let (mut new, session) = Connection::enter(&app, protocol, Auth::Nothing).await;
    assert_eq!((&session["last_id"], &session["recovered"]), (&json!(said), &json!(false)));

    let mut resumed = Vec::new();
    for after in [0, 1, said / 2, said - 1, said] {
        let auth = json!({"log": session["log"], "after": after});
        let (connection, session) = Connection::enter_with(&app, protocol, &auth).await;
        assert_eq!((&session["last_id"], &session["recovered"]), (&json!(said), &json!(true)), "{after}");
        resumed.push((after, connection));
    }
    speaker.say_all(texts(said + 1..=said + 2)).await;
    for (after, mut connection) in resumed {
        expect_messages(&mut connection, after + 1..=said + 2).await;
    }
    expect_messages(&mut new, said + 1..=said + 2).await;
}

#[rstest]
#[tokio::test]
async fn a_position_is_good_for_a_restarted_lobby_too_and_needs_no_log(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn().await;
    let (user, mut connection) = speaker(&app).await;
    connection.say_all(texts(1..=3)).await;
    drop(connection);
    let app = app.restart().await;
    let auth = json!({"token": user.token, "after": 1});
    let (mut connection, session) = Connection::enter_with(&app, protocol, &auth).await;
    assert_eq!((&session["recovered"], &session["last_id"]), (&json!(true), &json!(3)));
    assert_eq!(session["user"]["session"], json!(user.session));
    connection.say_all(texts(4..=4)).await;
    let auth = json!({"after": 1});
    let (mut connection, _) = Connection::enter_with(&app, protocol, &auth).await;
    expect_messages(&mut connection, 2..=4).await;
}

/// Those of others are skipped, however many there are, and what follows them comes.
#[rstest]
#[tokio::test]
async fn private_messages_come_again_to_those_two_only(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn().await;
    let (alice, bob, carol) = (
        app.log_in_claimed("Alice").await,
        app.log_in_claimed("Bob").await,
        app.log_in_claimed("Carol").await,
    );
    let (mut from_alice, session) = Connection::enter(&app, protocol, Auth::Token(&alice)).await;
    let (mut from_bob, _) = Connection::enter(&app, protocol, Auth::Token(&bob)).await;
    let say = |content: &str, to: Option<&LoggedIn>| json!({"content": content, "to": to.map(|to| to.session.clone())});
    from_alice.ask("send_message", &say("alice to bob", Some(&bob))).await;
    from_bob.ask("send_message", &say("bob to alice", Some(&alice))).await;
    for n in 0..200 {
        from_alice.ask("send_message", &say(&format!("alice to carol {n}"), Some(&carol))).await;
    }
    from_alice.ask("send_message", &say("to all", None)).await;
    from_bob.ask("send_message", &say("bob to bob", Some(&bob))).await;

    let mut resumed = Vec::new();
    for user in [Some(&bob), Some(&alice), None] {
        let token = user.map(|user| &user.token);
        let auth = json!({"log": session["log"], "after": 0, "token": token});
        let (connection, session) = Connection::enter_with(&app, protocol, &auth).await;
        assert_eq!(session["recovered"], true);
        resumed.push(connection);
    }
    from_alice.ask("send_message", &say("news", None)).await;
    let mut seen = Vec::new();
    for connection in &mut resumed {
        let messages = connection.messages_until("news").await;
        let contents = messages.iter().map(|message| message["content"].as_str().expect("a text").to_owned());
        seen.push(contents.collect::<Vec<_>>());
    }
    assert_eq!(seen[0], ["alice to bob", "bob to alice", "to all", "bob to bob"]);
    assert_eq!(seen[2], ["to all"]);
    let to_carol = |n: usize| format!("alice to carol {n}");
    let expected = ["alice to bob", "bob to alice"].map(str::to_owned).into_iter();
    let expected: Vec<_> = expected.chain((0..200).map(to_carol)).chain(["to all".to_owned()]).collect();
    assert_eq!(seen[1], expected);
}

#[rstest]
#[case::another_log(json!({"log": "00000000-0000-0000-0000-000000000000", "after": 1}))]
#[case::beyond_the_end(json!({"after": 4}))]
#[case::far_beyond_the_end(json!({"after": i64::MAX}))]
#[case::negative(json!({"after": -1}))]
#[case::very_negative(json!({"after": i64::MIN}))]
#[case::no_position(json!({}))]
#[case::null(json!({"log": null, "after": null}))]
#[tokio::test]
async fn who_cannot_go_on_there_is_told_so_and_begins_anew(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] auth: Value,
) {
    let app = App::spawn().await;
    let (_, mut speaker) = speaker(&app).await;
    speaker.say_all(texts(1..=3)).await;
    let (mut connection, session) = Connection::enter_with(&app, protocol, &auth).await;
    assert_eq!((&session["recovered"], &session["last_id"]), (&json!(false), &json!(3)));
    speaker.say_all(texts(4..=4)).await;
    expect_messages(&mut connection, 4..=4).await;
}

/// A log without a position is none to go on from.
#[rstest]
#[tokio::test]
async fn the_log_alone_brings_nothing_back(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn().await;
    let (_, mut speaker) = speaker(&app).await;
    let (_, session) = Connection::enter(&app, protocol, Auth::Nothing).await;
    speaker.say_all(texts(1..=3)).await;
    let auth = json!({"log": session["log"]});
    let (mut connection, session) = Connection::enter_with(&app, protocol, &auth).await;
    assert_eq!((&session["recovered"], &session["last_id"]), (&json!(false), &json!(3)));
    speaker.say_all(texts(4..=4)).await;
    expect_messages(&mut connection, 4..=4).await;
}

#[rstest]
#[tokio::test]
async fn what_is_not_kept_any_more_cannot_be_gone_on_from(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    let app = App::spawn_with(&[("messages.keep_at_most", "10")]).await;
    let (_, mut speaker) = speaker(&app).await;
    speaker.say_all(texts(1..=30)).await;
    app.pruned_to(21).await;
    for (after, recovered) in [(0, false), (19, false), (20, true), (21, true), (30, true)] {
        let (mut connection, session) =
            Connection::enter_with(&app, protocol, &json!({"after": after})).await;
        assert_eq!((&session["recovered"], &session["last_id"]), (&json!(recovered), &json!(30)), "{after}");
        if recovered && after < 30 {
            expect_messages(&mut connection, after + 1..=30).await;
        }
    }
}

#[rstest]
#[case::a_text(r#"{"after": "1"}"#)]
#[case::a_fraction(r#"{"after": 1.5}"#)]
#[case::huge(r#"{"after": 9223372036854775808}"#)]
#[case::very_huge(r#"{"after": 1e300}"#)]
#[case::a_list(r#"{"after": [1]}"#)]
#[case::no_log(r#"{"after": 1, "log": "x"}"#)]
#[case::a_number_as_log(r#"{"after": 1, "log": 7}"#)]
#[tokio::test]
async fn a_position_that_is_none_is_refused(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
    #[case] auth: &str,
) {
    let app = App::spawn().await;
    let mut connection = Connection::open(&app, protocol, &[]).await.expect("a handshake");
    let connect = match protocol {
        Protocol::Plain => format!(r#"{{"event": "connect", "data": {auth}}}"#),
        Protocol::SocketIo => format!("40{auth}"),
    };
    connection.send(Message::text(connect)).await;
    match (protocol, connection.receive().await) {
        (Protocol::Plain, refused) => {
            assert_eq!(refused, Received::Closed(4400, "connect_first".to_owned()));
        }
        (Protocol::SocketIo, Received::ConnectError(error)) => {
            assert_eq!(error["data"]["code"], "invalid_auth", "{error}");
        }
        (Protocol::SocketIo, other) => panic!("{other:?}"),
    }
}
