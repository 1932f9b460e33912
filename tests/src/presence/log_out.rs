use std::time::Duration;

use lobby_testbed::Postgres;
use tokio::time::timeout;

use super::app;
use super::door::{Door, WAYS};
use super::tab::{Change, Tab};
use crate::harness::{LoggedIn, Received};

/// How soon a log-out is heard of everywhere.
const SOON: Duration = Duration::from_secs(2);

fn is_an_end(end: &Received) -> bool {
    match end {
        Received::Closed(code, reason) => (*code, reason.as_str()) == (4401, "session_over"),
        end => *end == Received::Disconnect,
    }
}

async fn open_everywhere(doors: &[Door], who: &LoggedIn) -> Vec<Tab> {
    let mut tabs = Vec::new();
    for door in doors {
        for way in WAYS {
            tabs.push(door.open(way, who).await);
            tabs.push(door.open(way, who).await);
        }
    }
    tabs
}

#[tokio::test]
async fn a_log_out_ends_all_tabs_over_all_doors_and_on_all_servers() {
    let server = Postgres::start().await;
    let url = server.fresh_database().await;
    let settings = [("database.url", url.as_str()), ("presence.grace", "10s")];
    let apps = [app(&settings).await, app(&settings).await];
    let doors = apps.each_ref().map(Door::from);
    let (zoe, john) = (doors[0].log_in("Zoë").await, doors[1].log_in("JohnDoe").await);
    let mut tabs = open_everywhere(&doors, &zoe).await;
    let others = open_everywhere(&doors, &john).await;
    let mut observers = [doors[0].observe().await, doors[1].observe().await];

    doors[0].log_out("Zoë", &zoe).await;
    let over = async {
        for tab in &mut tabs {
            let end = tab.ended().await;
            assert!(is_an_end(&end), "{end:?}");
        }
        for observer in &mut observers {
            let left = Change::Left { session: zoe.session.clone(), reason: "logout".to_owned() };
            let seen = observer.sees("her to leave", |seen| seen.changes.last() == Some(&left)).await;
            assert_eq!(seen.revision, 3);
        }
    };
    Box::pin(timeout(SOON, over)).await.expect("it is over soon");
    assert!(others.iter().all(Tab::is_open));

    // Her name is free at once, and her token is good for nothing.
    let successor = doors[1].log_in("Zoë").await;
    assert_ne!(successor.session, zoe.session);
    for observer in &mut observers {
        observer.sees("the successor", |seen| seen.changes.contains(&Change::joined(&successor))).await;
        let left = observer.told_of(&zoe).into_iter().filter(|change| matches!(change, Change::Left { .. }));
        assert_eq!(left.count(), 1);
    }
}
