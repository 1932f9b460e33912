use std::time::Duration;

use tokio::time::Instant;

use super::door::{Door, WAYS, Way, sessions};
use super::program;
use super::tab::{Change, Tab};
use crate::harness::{Database, WallClock};

const GRACE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn jumps_of_the_wall_clock_disconnect_nobody_and_keep_nobody() {
    let clock = WallClock::new();
    let settings = clock.settings();
    let own = settings.iter().map(|(name, value)| (*name, value.as_str()));
    let settings: Vec<_> = own.chain([("LOBBY_PRESENCE__GRACE", "1s"), ("FAKETIME_NO_CACHE", "1")]).collect();
    let program = program(Database::Sqlite, &settings).await;
    let door = Door::from(&program);
    let mut observer = door.observe().await;
    let ann = door.log_in("Ann").await;
    let mut tabs = Vec::new();
    for way in WAYS {
        tabs.push(door.open(way, &ann).await);
    }
    let waiting = door.log_in("waiting").await;
    let mut clocks = vec![door.connected_at(&ann).await];
    let mut candles = Vec::new();
    for (name, wrong) in [("ahead", "+3600"), ("behind", "-3600"), ("right", "+0")] {
        let leaving = door.log_in(&format!("leaves-{name}")).await;
        door.open(Way::SocketIo, &leaving).await.close().await;
        let left = Instant::now();
        clock.jump(wrong);
        observer.sees_leave(&leaving).await;
        assert!(left.elapsed() >= GRACE, "{:?}", left.elapsed());
        candles.push(observer.burn_a_candle(&door).await);
        let newcomer = door.log_in(name).await;
        clocks.push(door.connected_at(&newcomer).await);
        door.log_out(name, &newcomer).await;
    }
    let [before, ahead, behind, right] = &clocks[..] else { panic!("{clocks:?}") };
    assert!(behind < before && before < right && right < ahead, "{clocks:?}");

    assert!(tabs.iter().all(Tab::is_open));
    assert_eq!(observer.told_of(&ann), [Change::joined(&ann)]);
    assert_eq!(door.roster().await.sessions, sessions([&ann, &waiting]));
    program.stop().await;
}
