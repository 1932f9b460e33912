use std::time::Duration;

use lobby_testbed::Postgres;
use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::app;
use super::door::{Door, WAYS, sessions};
use super::tab::Tab;
use crate::harness::{Connection, LoggedIn, Polling, Protocol, Received, becomes_so};

/// Longer than the grace and the lease together.
const AWAY: Duration = Duration::from_secs(5);

/// In order, and as after a crash.
#[rstest]
#[tokio::test]
async fn while_the_database_is_away_nobody_leaves_and_afterwards_all_goes_on(
    #[values(false, true)] crashes: bool,
) {
    let mut server = Postgres::start().await;
    let url = server.fresh_database().await;
    // A database that has lost its last moments would begin another log, and everybody would have to come back.
    let settings =
        [("database.url", url.as_str()), ("database.durability", "full"), ("presence.grace", "3s")];
    let (here, there) = (app(&settings).await, app(&settings).await);
    let doors = [Door::from(&here), Door::from(&there)];
    let mut observer = doors[1].observe().await;
    let (ann, ben) = (doors[0].log_in("Ann").await, doors[1].log_in("Ben").await);
    let (reloads, late) = (doors[0].log_in("reloads").await, doors[0].log_in("late").await);
    let mut tabs = Vec::new();
    for way in WAYS {
        tabs.push(doors[0].open(way, &ann).await);
        tabs.push(doors[1].open(way, &ben).await);
    }
    let [reloading, going] = [doors[0].open(WAYS[0], &reloads).await, doors[1].open(WAYS[1], &late).await];

    if crashes {
        server.kill().await;
    } else {
        server.stop().await;
    }
    becomes_so("it to notice", async || here.get("/health/ready").await.status == 503).await;
    reloading.close().await;
    tokio::join!(is_turned_away(&doors[0], &reloads), sleep(AWAY));
    assert!(tabs.iter().all(Tab::is_open));
    server.start_again().await;
    here.ready().await;
    there.ready().await;
    // What was under way when it stopped may take a moment to be given up.
    for door in &doors {
        becomes_so("changes to be taken", async || is_let_in(door, &reloads).await).await;
    }
    tabs.push(doors[1].open(WAYS[2], &reloads).await);

    assert_eq!(doors[0].roster().await.revision, 4);
    observer.burn_a_candle(&doors[0]).await;
    assert!(tabs.iter().all(Tab::is_open));
    let roster = doors[1].roster().await;
    assert_eq!((roster.revision, roster.sessions), (6, sessions([&ann, &ben, &reloads, &late])));
    // And whoever goes now is gone in the end.
    drop(going);
    observer.sees_leave(&late).await;
}

/// Whether changes are taken: of sessions, and of who is here.
async fn is_let_in(door: &Door, who: &LoggedIn) -> bool {
    let is_answered =
        door.try_log_in("Ann", true).await.is_err_and(|refused| refused["code"] == "already_connected");
    let data = json!({"token": who.token});
    let mut connection = Connection::connecting_at(door.address, Protocol::Plain, &[], &data).await;
    is_answered && matches!(connection.receive().await, Received::Event(..))
}

async fn is_turned_away(door: &Door, who: &LoggedIn) {
    let (data, cookie) = (&json!({"token": who.token}), who.cookie());
    let mut plain = Connection::connecting_at(door.address, Protocol::Plain, &[], data).await;
    let mut socketio = Connection::connecting_at(door.address, Protocol::SocketIo, &[], data).await;
    let mut polling = Polling::connecting_at(door.address, data).await;
    let cookie = [("cookie", cookie.as_str())];
    let mut page = Connection::connecting_at(door.address, Protocol::SocketIo, &cookie, &json!({})).await;
    let told = plain.event("error").await;
    assert_eq!((&told["code"], &told["retry_after"]), (&json!("unavailable"), &json!(1)), "{told}");
    assert_eq!(plain.closed().await, (1013, "unavailable".to_owned()));
    // Whoever knows of no token knows of no refusal either, and comes back from this by itself.
    assert_eq!(page.receive().await, Received::Closed(1000, "forced close".to_owned()));
    for refused in [socketio.receive().await, polling.receive().await] {
        let Received::ConnectError(error) = refused else { panic!("{refused:?}") };
        assert_eq!(error["data"]["code"], "unavailable", "{error}");
        assert_eq!(error["data"]["retry_after"], 1, "{error}");
    }
}
