//! Unmodified socket.io-client programs that lose their connections.

use std::ops::RangeInclusive;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{speaker, texts};
use crate::harness::{App, Connection, Kind, Network, Participant, in_time};

const TAB: &str = "main";

/// Connects to be recovered.
async fn start(app: &App, network: &Network, transports: &str) -> Participant {
    let john = app.log_in_claimed("JohnDoe").await;
    let mut client = Participant::start_at(&network.url(), Kind::Node, transports, "none");
    client.connect_with(TAB, &json!({"recovery": true, "token": john.token})).await;
    assert_eq!(client.event(TAB, "connect").await["recovered"], false);
    client
}

/// Waits until the client is back; it says that it was recovered, and so does the lobby.
async fn is_recovered(client: &mut Participant) {
    assert_eq!(client.event(TAB, "connect").await["recovered"], true);
    assert_eq!(client.event(TAB, "session").await["recovered"], true);
}

/// The next messages are these, and in this order.
async fn expect_messages(client: &mut Participant, ids: RangeInclusive<u64>) {
    for id in ids {
        assert_eq!(client.event(TAB, "new_message").await["id"], id);
    }
}

#[rstest]
#[tokio::test]
async fn a_client_is_recovered_after_each_cut_of_the_network_in_a_quiet_room(
    #[values("websocket", "polling", "polling,websocket")] transports: &str,
) {
    let app = App::spawn().await;
    let mut speaker = speaker(&app).await;
    let network = Network::to(app.address()).await;
    let mut client = start(&app, &network, transports).await;
    // Twice before its first event, twice after, and what is said while it is away.
    for (said, missed, last) in [(0, 0, 0), (0, 2, 2), (1, 0, 3), (0, 3, 6)] {
        speaker.say_all(texts(said)).await;
        expect_messages(&mut client, last - missed as u64 - said as u64 + 1..=last - missed as u64).await;
        network.cut();
        client.event(TAB, "disconnect").await;
        speaker.say_all(texts(missed)).await;
        network.lead_to(app.address());
        is_recovered(&mut client).await;
        expect_messages(&mut client, last - missed as u64 + 1..=last).await;
    }
    speaker.say_all(texts(1)).await;
    expect_messages(&mut client, 7..=7).await;
    client.quit().await;
}

#[rstest]
#[tokio::test]
async fn a_client_is_recovered_after_each_cut_of_the_network_in_a_busy_room(
    #[values("websocket", "polling", "polling,websocket")] transports: &str,
) {
    let app = App::spawn().await;
    let (talk, is_over) = talk(speaker(&app).await);
    let network = Network::to(app.address()).await;
    let mut client = start(&app, &network, transports).await;
    let mut next = None;
    for _ in 0..3 {
        network.cut();
        client.event(TAB, "disconnect").await;
        network.lead_to(app.address());
        is_recovered(&mut client).await;
        let first = client.event(TAB, "new_message").await["id"].as_u64().expect("a number");
        assert!(next.is_none_or(|next| next == first), "{first}, not {next:?}");
        next = Some(first + 1);
    }
    is_over.send_replace(true);
    let last = in_time("the talk to end", talk).await.expect("it has not failed");
    expect_messages(&mut client, next.expect("a message")..=last).await;
    client.quit().await;
}

/// Talks until it is over; answers with how much was said.
fn talk(mut speaker: Connection) -> (JoinHandle<u64>, watch::Sender<bool>) {
    /// Between two messages: clients that poll are to keep up.
    const THOUGHT: Duration = Duration::from_millis(4);

    let (is_over, over) = watch::channel(false);
    let talk = tokio::spawn(async move {
        let mut said = 0;
        while !*over.borrow() {
            speaker.say_all(texts(1)).await;
            said += 1;
            sleep(THOUGHT).await;
        }
        said
    });
    (talk, is_over)
}

#[rstest]
#[tokio::test]
async fn a_client_is_recovered_after_each_restart_of_the_lobby(
    #[values("websocket", "polling,websocket")] transports: &str,
    #[values(0, 3)] missed: u64,
) {
    let mut app = App::spawn().await;
    let network = Network::to(app.address()).await;
    let mut client = start(&app, &network, transports).await;
    let john = app.log_in_claimed("speaker").await;
    let mut last = 0;
    for _ in 0..2 {
        app = app.restart().await;
        client.event(TAB, "disconnect").await;
        for _ in 0..missed {
            let message = json!({"content": "hello"});
            app.post("/messages", &message, &[("authorization", &john.bearer())]).await;
        }
        network.lead_to(app.address());
        is_recovered(&mut client).await;
        expect_messages(&mut client, last + 1..=last + missed).await;
        last += missed;
    }
    let message = json!({"content": "hello"});
    app.post("/messages", &message, &[("authorization", &john.bearer())]).await;
    expect_messages(&mut client, last + 1..=last + 1).await;
    client.quit().await;
}
