use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::Cluster;
use crate::crowd::{Crowd, assert_faultless};
use crate::harness::{Kind, LoggedIn, Participant, Random, http_client, in_time};

/// Clients that are recovered.
const TABS: usize = 9;

/// A node that is killed is noticed by its lease, and a client whose network stays silent by the heartbeat.
const HASTE: [(&str, &str); 3] = [
    ("LOBBY_PRESENCE__LEASE", "2s"),
    ("LOBBY_SOCKETIO__PING_INTERVAL", "2s"),
    ("LOBBY_SOCKETIO__PING_TIMEOUT", "2s"),
];

async fn log_in(cluster: &Cluster, name: &str) -> LoggedIn {
    let login = json!({"pseudonym": name, "claim": true});
    let login = http_client().post(cluster.url() + "/login").json(&login).send().await.expect("an answer");
    LoggedIn::from(&login.json::<Value>().await.expect("JSON"))
}

/// Somebody posts at one node until it is over; answers with the last id.
fn talk(url: String, who: LoggedIn) -> (JoinHandle<u64>, watch::Sender<bool>) {
    /// Between two messages: clients that poll are to keep up.
    const THOUGHT: Duration = Duration::from_millis(20);

    let (is_over, over) = watch::channel(false);
    let talk = tokio::spawn(async move {
        let client = http_client();
        let mut last = 0;
        while !*over.borrow() {
            let post = client.post(&url).bearer_auth(&who.token).json(&json!({"content": "hello"}));
            let answer = in_time("an answer", post.send()).await.expect("an answer");
            assert_eq!(answer.status(), 201);
            last = answer.json::<Value>().await.expect("JSON")["id"].as_u64().expect("a number");
            sleep(THOUGHT).await;
        }
        last
    });
    (talk, is_over)
}

/// What one of many sockets has seen.
#[derive(Default, Clone)]
struct Seen {
    last: u64,
    returns: usize,
    is_away: bool,
}

impl Seen {
    /// Each message in its turn, once.
    fn take(&mut self, event: &Value) {
        match event["event"].as_str().expect("a text") {
            "new_message" => {
                assert_eq!(event["data"]["id"], self.last + 1, "lost, doubled or disordered: {event}");
                self.last += 1;
            }
            // It may come twice: a client also says so of a connection that ended before it was let in.
            "disconnect" => self.is_away = true,
            "connect" => {
                self.returns += 1;
                self.is_away = false;
                assert_eq!(event["data"]["recovered"], true, "{event}");
            }
            _ => {}
        }
    }
}

/// Hears until it is so of what all have seen.
async fn hear(client: &mut Participant, seen: &mut [Seen], is_so: impl Fn(&[Seen]) -> bool) {
    while !is_so(seen) {
        let event = client.any_event().await;
        let tab: usize = event["tab"].as_str().and_then(|tab| tab.parse().ok()).expect("a number");
        seen[tab].take(&event);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_node_that_is_killed_are_recovered_elsewhere_and_have_missed_nothing(
    #[values("polling", "polling,websocket")] transports: &str,
) {
    let mut cluster = Cluster::start_with(3, &HASTE).await;
    let mut client = Participant::start_at(&cluster.url(), Kind::Node, transports, "none");
    let mut python = Participant::start_at(&cluster.url(), Kind::Python, transports, "none");
    for tab in 0..TABS {
        let user = log_in(&cluster, &format!("user{tab}")).await;
        let auth = json!({"recovery": true, "token": user.token, "after": 0});
        client.connect_with(&tab.to_string(), &auth).await;
        client.event(&tab.to_string(), "connect").await;
        assert_eq!(python.log_in(&format!("python{tab}")).await["status"], 200);
        python.connect(&tab.to_string()).await;
    }
    let speaker = log_in(&cluster, "speaker").await;
    let url = format!("http://{}/messages", cluster.nodes[0].socket());
    let (talk, is_over) = talk(url, speaker);
    let mut seen = vec![Seen::default(); TABS];
    for (tab, seen) in seen.iter_mut().enumerate() {
        client.event(&tab.to_string(), "new_message").await;
        seen.last = 1;
    }
    cluster.nodes[2].kill().await;
    cluster.nodes[2].start_again().await;
    // Others may notice later.
    hear(&mut client, &mut seen, |seen| seen.iter().any(|seen| seen.is_away)).await;
    is_over.send_replace(true);
    let last = in_time("the talk to end", talk).await.expect("it has not failed");
    hear(&mut client, &mut seen, |seen| seen.iter().all(|seen| seen.last == last && !seen.is_away)).await;
    assert!(seen.iter().any(|seen| seen.returns > 0), "nobody came back");

    // They cannot go on where they were, but they are all back.
    for tab in 0..TABS {
        let name = format!("python{tab}");
        let said = python.say_again(&tab.to_string(), &name, "still here").await;
        assert!(said["id"].is_u64(), "{said}");
    }
    client.quit().await;
    python.quit().await;
    cluster.stop().await;
}

/// Those who speak WebSocket only, and say themselves where they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_behind_a_balancer_goes_on_at_any_node_while_one_after_the_other_is_killed() {
    let mut cluster = Cluster::start_with(3, &HASTE).await;
    let mut random = Random::new(Random::any_seed());
    let front = watch::channel(cluster.front.address()).1;
    let crowd = Crowd::gather(&[front], 12, &mut random).await;
    for node in 0..3 {
        crowd.anybody(&mut random).next_acknowledgement().await;
        cluster.nodes[node].kill().await;
        crowd.anybody(&mut random).next_acknowledgement().await;
        cluster.nodes[node].start_again().await;
    }
    let (log, records) = crowd.settle().await;
    assert_faultless(&log, &records, "");
    cluster.stop().await;
}

/// Its sockets are the other's, and it has to end all the same, and in order.
#[tokio::test]
async fn a_socket_that_is_passed_on_ends_with_either_node() {
    for stopping in [0, 1] {
        let mut cluster = Cluster::start(2).await;
        let [owner, other] = [0, 1].map(|node| cluster.nodes[node].socket());
        let opened = http_client().get(format!("http://{owner}/socket.io/?EIO=4&transport=polling")).send();
        let opened = opened.await.expect("an answer").text().await.expect("a body");
        let opened: Value = serde_json::from_str(&opened[1..]).expect("JSON");
        let sid = opened["sid"].as_str().expect("a text");
        let url = format!("ws://{other}/socket.io/?EIO=4&transport=websocket&sid={sid}");
        let (mut socket, _) = in_time("a handshake", connect_async(url)).await.expect("a handshake");
        for text in ["2probe", "5", "40"] {
            socket.send(Message::text(text)).await.expect("it is sent");
        }
        let mut texts = Vec::new();
        while !texts.iter().any(|text: &String| text.starts_with("42[\"session\"")) {
            let message = in_time("a packet", socket.next()).await.expect("a packet").expect("a packet");
            texts.push(message.into_text().expect("text").to_string());
        }
        assert_eq!(texts[0], "3probe");
        let end = async { while let Some(Ok(_)) = socket.next().await {} };
        tokio::join!(cluster.nodes[stopping].stop_for_now(), in_time("the socket to end", end));
    }
}
