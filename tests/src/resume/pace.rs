//! Whoever comes back gets what was missed as fast as it can be taken.

use rstest::rstest;
use serde_json::json;

use super::{expect_messages, speaker, texts};
use crate::harness::{App, Connection, Protocol, Received};

/// The smallest there may be.
const OUTBOX: (&str, &str) = ("websocket.outbox", "65536");

/// The longest there are: 16 KB each.
fn long_texts(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("{n:04}{}", "🎉".repeat(3_996)))
}

#[rstest]
#[tokio::test]
async fn who_reads_slowly_gets_everything_however_much_it_is(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    // More than what the kernel's buffers on both sides hold.
    const LONG: usize = 1_000;

    let app = App::spawn_with(&[OUTBOX]).await;
    let (_, mut speaker) = speaker(&app).await;
    for chunk in 0..LONG / 2 {
        // Few at once: a speaker hears itself, and has a small outbox too.
        speaker.say_all(long_texts(LONG).skip(2 * chunk).take(2)).await;
    }
    let (mut slow, session) = Connection::enter_with(&app, protocol, &json!({"after": 0})).await;
    assert_eq!((&session["recovered"], &session["last_id"]), (&json!(true), &json!(LONG)));
    let mut seen = Vec::new();
    for _ in 0..LONG / 10 {
        // Nothing is read while somebody else says something.
        speaker.say_all(["news".to_owned()]).await;
        seen.extend(slow.messages(10).await);
    }
    seen.extend(slow.messages(LONG / 10).await);
    let ids: Vec<_> = seen.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, (1..).take(LONG + LONG / 10).collect::<Vec<_>>());
    let (long, news) = seen.split_at(LONG);
    assert!(long.iter().map(|(_, content)| content).eq(&long_texts(LONG).collect::<Vec<_>>()));
    assert!(news.iter().all(|(_, content)| content == "news"));
}

/// Short ones and a long one, begun at each place: somewhere the outbox is not quite half full when the last of them come.
#[rstest]
#[tokio::test]
async fn what_is_sent_at_once_fits_whatever_it_is_made_of(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    const SHORT: i64 = 260;

    let app = App::spawn_with(&[OUTBOX]).await;
    let (_, mut speaker) = speaker(&app).await;
    speaker.say_all(texts(1..=SHORT)).await;
    speaker.say_all(long_texts(1)).await;
    for after in 0..SHORT / 3 {
        let (mut connection, session) =
            Connection::enter_with(&app, protocol, &json!({"after": after})).await;
        assert_eq!(session["recovered"], true);
        expect_messages(&mut connection, after + 1..=SHORT).await;
        assert_eq!(connection.messages(1).await[0].0, SHORT + 1);
    }
}

/// What it missed is deleted while it reads, before its turn.
#[rstest]
#[tokio::test]
async fn who_is_overtaken_by_the_deletion_of_old_messages_is_told(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    const KEPT: usize = 1_000;

    let app = App::spawn_with(&[("messages.keep_at_most", "1000")]).await;
    let (_, mut speaker) = speaker(&app).await;
    speaker.say_all(long_texts(KEPT)).await;
    let auth = json!({"after": 0});
    let (mut slow, session) = Connection::enter_with(&app, protocol, &auth).await;
    assert_eq!(session["recovered"], true);
    // It reads nothing now: far less than all is on its way when that is deleted.
    speaker.say_all(texts(1..=1_000)).await;
    app.pruned_to(1_001).await;
    let (mut seen, ended) = all_messages(&mut slow).await;
    assert!(seen.len() < KEPT, "it got everything");
    assert_eq!(seen, (1..).take(seen.len()).collect::<Vec<i64>>());
    if protocol == Protocol::Plain {
        assert_eq!(ended, (4410, "log_pruned".to_owned()));
    }
    let (_, session) =
        Connection::enter_with(&app, protocol, &json!({"log": session["log"], "after": seen.pop()})).await;
    assert_eq!(session["recovered"], false);
}

/// The ids of what comes until the connection ends, and how it does.
async fn all_messages(connection: &mut Connection) -> (Vec<i64>, (u16, String)) {
    let mut ids = Vec::new();
    loop {
        match connection.receive().await {
            Received::Event(name, data) if name == "new_message" => {
                ids.push(data["id"].as_i64().expect("a number"));
            }
            Received::Closed(code, reason) => return (ids, (code, reason)),
            Received::Event(..) | Received::Disconnect => {}
            other => panic!("{other:?}"),
        }
    }
}
