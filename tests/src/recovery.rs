//! Socket.IO's connection state recovery.

use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::harness::{App, Auth, Connection, LoggedIn, Protocol, Received, Recovery};

mod clients;

/// What a client says of itself that wants to be recovered.
fn auth(user: Option<&LoggedIn>, recovery: &Recovery) -> Value {
    let token = user.map(|user| &user.token);
    let members = [("token", token), ("pid", recovery.pid.as_ref()), ("offset", recovery.offset.as_ref())];
    let given = members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?))));
    given.chain([("recovery".to_owned(), json!(true))]).collect::<Map<_, _>>().into()
}

/// Connects to be recovered; answers with what `session` says of that too.
async fn enter(app: &App, user: Option<&LoggedIn>, recovery: &Recovery) -> (Connection, Value) {
    let (connection, session) = Connection::enter_with(app, Protocol::SocketIo, &auth(user, recovery)).await;
    (connection, session["recovered"].clone())
}

/// Somebody who talks.
async fn speaker(app: &App) -> Connection {
    let user = app.log_in("speaker").await;
    Connection::enter(app, Protocol::Plain, Auth::Token(&user)).await.0
}

fn texts(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("number {n}"))
}

async fn ids(connection: &mut Connection, count: usize) -> Vec<i64> {
    connection.messages(count).await.into_iter().map(|(id, _)| id).collect()
}

#[tokio::test]
async fn who_does_not_ask_to_be_recovered_gets_no_pid_and_nothing_behind_a_message() {
    let app = App::spawn().await;
    let mut speaker = speaker(&app).await;
    for auth in [json!({}), json!({"recovery": false}), json!({"after": 0})] {
        let (mut connection, _) = Connection::enter_with(&app, Protocol::SocketIo, &auth).await;
        speaker.say_all(texts(1)).await;
        connection.messages(1).await;
        assert_eq!(*connection.recovery(), Recovery::default(), "{auth}");
    }
}

#[rstest]
#[case::before_the_first_message(0)]
#[case::after_some(3)]
#[tokio::test]
async fn who_comes_back_with_a_pid_goes_on_as_often_as_it_takes(#[case] seen: usize) {
    let app = App::spawn().await;
    let mut speaker = speaker(&app).await;
    speaker.say_all(texts(2)).await;
    let john = app.log_in("JohnDoe").await;
    for user in [Some(&john), None] {
        let (mut connection, recovered) = enter(&app, user, &Recovery::default()).await;
        assert_eq!(recovered, false);
        let first = connection.recovery().clone();
        assert!(first.pid.is_some() && first.offset.is_none(), "{first:?}");
        speaker.say_all(texts(seen)).await;
        let mut last = ids(&mut connection, seen).await.pop();
        let mut recovery = first.clone();
        for missed in [0, 5, 0, 1] {
            recovery.offset = connection.recovery().offset.clone().or(recovery.offset);
            drop(connection);
            speaker.say_all(texts(missed)).await;
            let recovered;
            (connection, recovered) = enter(&app, user, &recovery).await;
            assert_eq!((&connection.recovery().pid, recovered), (&first.pid, json!(true)));
            let missed = ids(&mut connection, missed).await;
            if let (Some(last), Some(next)) = (last, missed.first()) {
                assert_eq!(last + 1, *next);
            }
            assert!(missed.is_sorted_by(|a, b| a + 1 == *b), "{missed:?}");
            last = missed.last().copied().or(last);
        }
        speaker.say_all(texts(1)).await;
        let news = connection.messages(1).await[0].0;
        let offset = connection.recovery().offset.clone().expect("it comes with a message");
        assert!(offset.starts_with(&format!("{news}@")), "{offset}");
    }
}

/// Whoever shows a pid that is not theirs begins anew, with a pid of their own.
#[tokio::test]
async fn a_pid_is_good_for_those_only_who_got_it() {
    let app = App::spawn().await;
    let mut speaker = speaker(&app).await;
    let (john, zoe) = (app.log_in_claimed("JohnDoe").await, app.log_in_claimed("Zoë").await);
    let johns = enter(&app, Some(&john), &Recovery::default()).await.0.recovery().clone();
    let nobodys = enter(&app, None, &Recovery::default()).await.0.recovery().clone();
    app.log_out("JohnDoe", &[("authorization", &john.bearer())]).await;
    let next_john = app.log_in_claimed("JohnDoe").await;
    speaker.say_all(texts(3)).await;
    let text = nobodys.pid.clone().expect("a pid");
    let tampered = |at: usize| {
        let mut pid = text.clone().into_bytes();
        pid[at] = if pid[at] == b'A' { b'B' } else { b'A' };
        pid_of(&String::from_utf8(pid).expect("ASCII"))
    };
    let tries = [
        ("another's", Some(&zoe), johns.clone()),
        ("the predecessor's", Some(&next_john), johns.clone()),
        ("somebody's", None, johns.clone()),
        ("nobody's", Some(&zoe), nobodys.clone()),
        ("a forged beginning", None, tampered(0)),
        ("a forged middle", None, tampered(text.len() / 2)),
        ("a forged signature", None, tampered(text.len() - 2)),
        ("a longer one", None, pid_of(&format!("{text}A"))),
        ("none", None, pid_of("")),
        ("a huge one", None, pid_of(&"A".repeat(100_000))),
    ];
    for (what, user, recovery) in tries {
        let (mut connection, recovered) = enter(&app, user, &recovery).await;
        assert_eq!(recovered, false, "{what}");
        assert!(connection.recovery().pid.is_some() && connection.recovery().pid != recovery.pid, "{what}");
        speaker.say_all(["news".to_owned()]).await;
        assert_eq!(connection.messages(1).await[0].1, "news", "{what}");
    }
    assert_eq!(enter(&app, None, &nobodys).await.1, true);
}

fn pid_of(pid: &str) -> Recovery {
    Recovery { pid: Some(pid.to_owned()), offset: None }
}

#[tokio::test]
async fn a_good_pid_counts_more_than_a_position_and_a_bad_one_less() {
    let app = App::spawn().await;
    let mut speaker = speaker(&app).await;
    speaker.say_all(texts(2)).await;
    let recovery = enter(&app, None, &Recovery::default()).await.0.recovery().clone();
    speaker.say_all(texts(2)).await;
    for (pid, next) in [(recovery.pid.as_deref(), 3), (Some("x"), 2), (None, 2)] {
        let auth = json!({"recovery": true, "pid": pid, "after": 1});
        let (mut connection, session) = Connection::enter_with(&app, Protocol::SocketIo, &auth).await;
        assert_eq!(session["recovered"], true);
        assert_eq!(connection.messages(1).await[0].0, next, "{pid:?}");
        assert_eq!(connection.recovery().pid == recovery.pid, next == 3);
    }
}

/// The client keeps its offset when it gets another pid, also one of another log.
#[tokio::test]
async fn an_offset_from_before_the_pid_or_of_another_log_does_not_count() {
    let app = App::spawn().await;
    let mut speaker = speaker(&app).await;
    speaker.say_all(texts(5)).await;
    let (connection, session) =
        Connection::enter_with(&app, Protocol::SocketIo, &auth(None, &Recovery::default())).await;
    let recovery = connection.recovery().clone();
    let log = &session["log"].as_str().expect("a text")[..8];
    let of_this_log = |id: i64| format!("{id}@{log}");
    speaker.say_all(texts(3)).await;
    for offset in [&of_this_log(2), &of_this_log(-1), "7@01234567", "7", "nonsense", ""] {
        let recovery = Recovery { offset: Some(offset.to_owned()), ..recovery.clone() };
        let (mut connection, recovered) = enter(&app, None, &recovery).await;
        assert_eq!(recovered, true);
        assert_eq!(connection.messages(1).await[0].0, 6, "{offset}");
    }
    // Nobody can have seen this one.
    let recovery = Recovery { offset: Some(of_this_log(9)), ..recovery };
    assert_eq!(enter(&app, None, &recovery).await.1, false);
}

#[tokio::test]
async fn what_is_not_kept_any_more_cannot_be_recovered() {
    let app = App::spawn_with(&[("messages.keep_at_most", "10")]).await;
    let mut speaker = speaker(&app).await;
    let recovery = enter(&app, None, &Recovery::default()).await.0.recovery().clone();
    speaker.say_all(texts(20)).await;
    app.pruned_to(11).await;
    let (mut connection, recovered) = enter(&app, None, &recovery).await;
    assert_eq!(recovered, false);
    assert_ne!(connection.recovery().pid, recovery.pid);
    speaker.say_all(texts(1)).await;
    assert_eq!(connection.messages(1).await[0].0, 21);
    assert_eq!(enter(&app, None, connection.recovery()).await.1, true);
}

/// A network that is gone is often noticed by one side only.
#[tokio::test]
async fn a_connection_whose_client_comes_back_on_another_is_closed_and_the_other_stays() {
    let app = App::spawn().await;
    let mut speaker = speaker(&app).await;
    let (mut connection, _) = enter(&app, None, &Recovery::default()).await;
    // Often enough for each of two workers to have been either's.
    for _ in 0..20 {
        let (mut next, recovered) = enter(&app, None, connection.recovery()).await;
        assert_eq!(recovered, true);
        connection.closed().await;
        speaker.say_all(texts(1)).await;
        assert!(matches!(next.receive().await, Received::Event(name, _) if name == "new_message"));
        connection = next;
    }
}
