use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use super::door::{Door, WAYS, Way, sessions};
use super::program;
use super::tab::{Change, Tab};
use crate::harness::Database;

const GRACE: Duration = Duration::from_secs(1);

/// What a process loads for its wall clock to be ours.
fn library() -> String {
    let asked = Command::new("faketime").args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let asked = asked.expect("libfaketime is installed: `make tool-faketime` does that");
    String::from_utf8(asked.stdout).expect("a path").trim().to_owned()
}

/// By how much the wall clock is wrong from now on. Written beside and moved there, so that it is never read half.
fn jump(file: &Path, offset: &str) {
    let new = file.with_extension("new");
    fs::write(&new, offset).expect("it can be written");
    fs::rename(&new, file).expect("it can be moved");
}

#[tokio::test]
async fn jumps_of_the_wall_clock_disconnect_nobody_and_keep_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let offset = folder.path().join("offset");
    jump(&offset, "+0");
    let settings = [
        ("LOBBY_PRESENCE__GRACE", "1s"),
        ("LD_PRELOAD", &library()),
        ("FAKETIME_TIMESTAMP_FILE", offset.to_str().expect("a text")),
        ("FAKETIME_NO_CACHE", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
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
        jump(&offset, wrong);
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
