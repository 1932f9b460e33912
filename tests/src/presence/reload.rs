use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use tokio::time::Instant;

use super::app;
use super::door::{Door, WAYS, Way};
use super::tab::{Change, Tab};
use crate::harness::Random;

const GRACE: Duration = Duration::from_secs(2);
const SETTINGS: [(&str, &str); 1] = [("presence.grace", "2s")];

#[rstest]
#[tokio::test]
async fn nobody_is_told_of_a_reload(#[values(Way::Plain, Way::SocketIo, Way::Polling)] way: Way) {
    let app = app(&SETTINGS).await;
    let door = Door::from(&app);
    let mut observer = door.observe().await;
    let zoe = door.log_in("Zoë").await;
    let mut tab = door.open(way, &zoe).await;
    for _ in 0..3 {
        tab.close().await;
        tab = door.open(way, &zoe).await;
    }
    drop(tab);
    let tab = door.open(way, &zoe).await;
    observer.burn_a_candle(&door).await;
    assert_eq!(observer.told_of(&zoe), [Change::joined(&zoe)]);
    assert_eq!(observer.seen().changes.len(), 3);
    assert_eq!(door.roster().await.revision, 3);

    let closed = Instant::now();
    tab.close().await;
    observer.sees_leave(&zoe).await;
    assert!(closed.elapsed() >= GRACE, "{:?}", closed.elapsed());
    assert_eq!(observer.told_of(&zoe), [Change::joined(&zoe), Change::expired(&zoe)]);
    assert_eq!(door.roster().await.revision, 4);
}

/// Two tabs over each door are as one, and so is a second browser, which shows the same token.
#[tokio::test]
async fn however_many_tabs_there_are_somebody_joins_once_and_leaves_once() {
    let mut random = Random::new(Random::any_seed());
    let app = app(&SETTINGS).await;
    let door = Door::from(&app);
    let mut observer = door.observe().await;
    let zoe = door.log_in("Zoë").await;
    let mut tabs = Vec::new();
    for way in WAYS.into_iter().cycle().take(6) {
        tabs.push(door.open(way, &zoe).await);
    }
    while tabs.len() > 1 {
        let tab = tabs.remove(random.index(tabs.len()));
        if random.within(0..2) == 0 {
            tab.close().await;
        }
    }
    observer.burn_a_candle(&door).await;
    assert_eq!(observer.told_of(&zoe), [Change::joined(&zoe)]);
    assert!(tabs[0].is_open());

    let closed = Instant::now();
    tabs.remove(0).close().await;
    observer.sees_leave(&zoe).await;
    assert!(closed.elapsed() >= GRACE, "{:?}", closed.elapsed());
    observer.burn_a_candle(&door).await;
    assert_eq!(observer.told_of(&zoe), [Change::joined(&zoe), Change::expired(&zoe)]);
    assert_eq!(door.roster().await.revision, 6);
}

/// The token brings the session back, which was over: that is told, and its own tab is in the list it is given.
#[rstest]
#[tokio::test]
async fn who_comes_back_too_late_has_left_and_joins_again(
    #[values(Way::Plain, Way::SocketIo, Way::Polling)] way: Way,
) {
    let app = app(&[("presence.grace", "200ms")]).await;
    let door = Door::from(&app);
    let mut observer = door.observe().await;
    let zoe = door.log_in("Zoë").await;
    door.open(way, &zoe).await.close().await;
    observer.sees_leave(&zoe).await;
    let held = door.try_log_in("Zoë", true).await.expect_err("the name is held");
    assert_eq!(held["code"], "name_held", "{held}");

    let tab = door.open(way, &zoe).await;
    assert!(tab.seen().sessions.contains(&zoe.session));
    let again = [Change::joined(&zoe), Change::expired(&zoe), Change::joined(&zoe)];
    observer.sees("somebody come back", |seen| seen.changes == again).await;
    observer.burn_a_candle(&door).await;
    assert_eq!(observer.told_of(&zoe), again);
    assert!(tab.is_open());
}

/// As after a night: all tabs of a browser find their network again at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_that_all_come_back_at_once_bring_the_session_back_once() {
    let app = app(&[("presence.grace", "200ms")]).await;
    let door = Door::from(&app);
    let mut observer = door.observe().await;
    let zoe = door.log_in("Zoë").await;
    for times in 1..4 {
        let tabs = join_all(WAYS.iter().cycle().take(12).map(|way| door.open(*way, &zoe))).await;
        assert!(tabs.iter().all(Tab::is_open));
        join_all(tabs.into_iter().map(Tab::close)).await;
        observer.sees("her to leave", |seen| seen.revision == 2 * times).await;
    }
    assert_eq!(observer.times_expired(&zoe), 3);
    assert_eq!(observer.seen().changes.len(), 6);
}
