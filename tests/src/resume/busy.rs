//! The same while others talk as fast as they can.

use std::sync::Arc;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use tokio::sync::watch;

use crate::checker::{Log, Post, Record, check};
use crate::harness::{App, Auth, Connection, Network, Protocol, Random, Recorder, in_time};

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_to_a_busy_room_misses_nothing_and_sees_nothing_twice(
    #[values(Protocol::Plain, Protocol::SocketIo)] protocol: Protocol,
) {
    const MISSED: i64 = 1_500;
    const SPEAKERS: i64 = 4;
    const EACH: i64 = 500;

    let app = App::spawn().await;
    let mut speakers = Vec::new();
    for n in 0..SPEAKERS {
        let user = app.log_in(&format!("speaker-{n}")).await;
        speakers.push(Connection::enter(&app, Protocol::Plain, Auth::Token(&user)).await.0);
    }
    let contents = |count: i64| (0..count).map(|n| format!("number {n}"));
    speakers[0].say_all(contents(MISSED)).await;
    let talk = join_all(speakers.iter_mut().map(|speaker| speaker.say_all(contents(EACH))));
    let all = MISSED + SPEAKERS * EACH;
    // One after the other, at whatever stage the talk is.
    let listen = async {
        for after in [0, MISSED - 500, MISSED - 1, MISSED, 0] {
            let (mut connection, session) =
                Connection::enter_with(&app, protocol, &json!({"after": after})).await;
            assert_eq!(session["recovered"], true);
            let count = usize::try_from(all - after).expect("a count");
            let ids = connection.messages(count).await.into_iter().map(|(id, _)| id);
            assert_eq!(ids.collect::<Vec<_>>(), (after + 1..=all).collect::<Vec<_>>());
        }
    };
    tokio::join!(talk, listen);
}

/// Whoever comes back again and again while people talk, to everybody and in private.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_the_network_is_cut_everybody_sees_what_they_may() {
    const CUTS: usize = 8;
    const SPEAKERS: usize = 4;

    let app = App::spawn().await;
    let network = Network::to(app.address()).await;
    let mut random = Random::new(1);
    let mut people = Vec::new();
    for n in 0..SPEAKERS {
        let protocol = if n.is_multiple_of(2) { Protocol::Plain } else { Protocol::SocketIo };
        people.push(
            Recorder::log_in(&network.address(), protocol, &format!("speaker-{n}"), random.fork()).await,
        );
    }
    for protocol in [Protocol::Plain, Protocol::SocketIo] {
        people.push(Recorder::start(&network.address(), protocol, "listener", None, random.fork()));
    }
    join_all(people.iter().map(|person| person.connected(1))).await;
    let people: Vec<_> = people.into_iter().map(Arc::new).collect();
    let (is_over, over) = watch::channel(false);
    let next = |n: usize| people[(n + 1) % SPEAKERS].session().expect("a session").to_owned();
    let talks: Vec<_> =
        (0..SPEAKERS).map(|n| tokio::spawn(talk(Arc::clone(&people[n]), next(n), over.clone()))).collect();
    for cut in 0..CUTS {
        join_all(people.iter().map(|person| person.connected(cut + 1))).await;
        for speaker in &people[..SPEAKERS] {
            speaker.next_acknowledgement().await;
        }
        network.lead_to(app.address());
    }
    is_over.send_replace(true);
    for talk in talks {
        in_time("the talk to end", talk).await.expect("nobody has failed");
    }
    join_all(people.iter().map(|person| person.settled())).await;
    people[0].post(Post::repeatable("the end", "the end")).await;
    people[0].settled().await;
    let log = Log::combined(0, join_all(people.iter().map(|person| person.history(0))).await);
    join_all(people.iter().map(|person| person.reached(log.last_id()))).await;
    let mut records = Vec::new();
    for person in people {
        let record = Arc::into_inner(person).expect("all talks have ended").stop().await;
        assert!(record.segments.len() > CUTS / 2, "{} was hardly ever cut", record.name);
        records.push(Record { until: Some(log.last_id()), ..record });
    }
    assert_eq!(check(&log, &records), []);
}

/// Says one thing after the other, every third to `other` only, until it is over.
async fn talk(speaker: Arc<Recorder>, other: String, over: watch::Receiver<bool>) {
    for n in 0.. {
        if *over.borrow() {
            return;
        }
        let post = Post::repeatable(&format!("post-{n}"), &format!("number {n}"));
        speaker.post(if n % 3 == 0 { post.to(&other) } else { post }).await;
    }
}
