use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;

use super::app;
use super::door::{Door, Way};
use super::tab::Change;
use crate::harness::Network;

const PING: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(1);
const SETTINGS: [(&str, &str); 5] = [
    ("presence.grace", "1s"),
    ("socketio.ping_interval", "1s"),
    ("socketio.ping_timeout", "1s"),
    ("websocket.ping_interval", "1s"),
    ("websocket.ping_timeout", "1s"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// The operating system ends the connections of what it kills.
    Ended,
    /// Nothing comes any more, and nothing says so.
    Swallowed,
}

#[rstest]
#[tokio::test]
async fn a_client_that_is_gone_without_a_word_leaves_once_after_its_grace(
    #[values(Way::Plain, Way::SocketIo, Way::Polling)] way: Way,
    #[values(Loss::Ended, Loss::Swallowed)] loss: Loss,
) {
    let app = app(&SETTINGS).await;
    let door = Door::from(&app);
    let network = Network::to(app.address()).await;
    let mut observer = door.observe().await;
    let (zoe, john) = (door.log_in("Zoë").await, door.log_in("JohnDoe").await);
    let _lost = Door::from(&network).open(way, &zoe).await;
    let stays = door.open(way, &john).await;

    let lost = Instant::now();
    match loss {
        Loss::Ended => network.cut(),
        Loss::Swallowed => network.swallow(),
    }
    observer.sees_leave(&zoe).await;
    let at_least = if loss == Loss::Swallowed { PING + GRACE } else { GRACE };
    assert!(lost.elapsed() >= at_least, "{:?}", lost.elapsed());
    observer.burn_a_candle(&door).await;
    assert_eq!(observer.told_of(&zoe), [Change::joined(&zoe), Change::expired(&zoe)]);
    assert_eq!(observer.told_of(&john), [Change::joined(&john)]);
    assert!(stays.is_open());
}
