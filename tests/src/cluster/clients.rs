use std::collections::BTreeMap;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};

use super::Cluster;
use crate::harness::{Kind, LoggedIn, Participant, Polling, Received, http_client, in_time};

/// Sockets of each kind of client.
const SOCKETS: usize = 20;
/// What each of them says.
const EACH: usize = 3;

/// A program with so many sockets, each of which speaks in a name of its own.
struct Crowd {
    program: Participant,
    tabs: Vec<String>,
    seen: BTreeMap<String, Vec<u64>>,
}

impl Crowd {
    async fn gather(cluster: &Cluster, kind: Kind, transports: &str) -> Self {
        let mut program = Participant::start_at(&cluster.url(), kind, transports, "none");
        let tabs: Vec<_> = (0..SOCKETS).map(|n| format!("{kind:?}-{n}")).collect();
        for tab in &tabs {
            let answer = program.log_in(tab).await;
            assert_eq!(answer["status"], 200, "{answer}");
            program.connect(tab).await;
        }
        Self { program, tabs, seen: BTreeMap::new() }
    }

    async fn talk(&mut self) {
        for round in 0..EACH {
            for tab in &self.tabs {
                let ack = self.program.say(tab, tab, &format!("{tab} says {round}")).await;
                assert!(ack["id"].is_u64(), "{ack}");
            }
        }
    }

    /// Hears until every socket has got so many messages.
    async fn hear(&mut self, count: usize) {
        let all = count * SOCKETS;
        while self.seen.values().map(Vec::len).sum::<usize>() < all {
            let event = self.program.any_event().await;
            match event["event"].as_str().expect("a text") {
                "new_message" => {
                    let tab = event["tab"].as_str().expect("a text").to_owned();
                    self.seen.entry(tab).or_default().push(event["data"]["id"].as_u64().expect("a number"));
                }
                "disconnect" | "connect_error" | "error" => panic!("{event}"),
                _ => {}
            }
        }
        // One that came twice would stand in the place of one that did not come.
        for (tab, ids) in &mut self.seen {
            ids.sort_unstable();
            assert!(ids.iter().copied().eq(1..=count as u64), "{tab}: {ids:?}");
        }
        assert_eq!(self.seen.len(), SOCKETS);
    }

    /// Waits until all travel like this.
    async fn travels_by(&mut self, transport: &str) {
        for tab in &self.tabs {
            let travelling = async { while self.program.transport(tab).await != transport {} };
            in_time("a socket to move", travelling).await;
        }
    }
}

#[rstest]
#[case::polling_first("polling,websocket", "websocket")]
#[case::polling_only("polling", "polling")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_whose_requests_all_go_to_another_node_than_the_last_miss_nothing(
    #[case] transports: &str,
    #[case] transport: &str,
) {
    let cluster = Cluster::start(3).await;
    let kinds = [Kind::Node, Kind::Python];
    let gathering = kinds.map(|kind| Crowd::gather(&cluster, kind, transports));
    let mut crowds = join_all(gathering).await;
    join_all(crowds.iter_mut().map(|crowd| crowd.travels_by(transport))).await;
    join_all(crowds.iter_mut().map(Crowd::talk)).await;
    join_all(crowds.iter_mut().map(|crowd| crowd.hear(kinds.len() * SOCKETS * EACH))).await;
    for crowd in crowds {
        crowd.program.quit().await;
    }
    cluster.stop().await;
}

/// Without addresses nobody passes anything on, and the same clients get nowhere.
#[tokio::test]
async fn without_addresses_a_session_is_known_at_its_own_node_only() {
    let cluster = Cluster::start_with(2, &[("LOBBY_CLUSTER__ADDRESS", "none")]).await;
    let opened = opened_at(&cluster, 0).await;
    assert!(!opened.contains('.'), "{opened}");
    for (node, status) in [(0, 200), (1, 400)] {
        let url = format!(
            "http://{}/socket.io/?EIO=4&transport=polling&sid={opened}",
            cluster.nodes[node].socket()
        );
        let answer =
            in_time("an answer", http_client().post(url).body("40").send()).await.expect("an answer");
        assert_eq!(answer.status(), status);
    }
    cluster.stop().await;
}

async fn opened_at(cluster: &Cluster, node: usize) -> String {
    let url = format!("http://{}/socket.io/?EIO=4&transport=polling", cluster.nodes[node].socket());
    let opened = in_time("an answer", http_client().get(url).send()).await.expect("an answer");
    let opened = opened.text().await.expect("a body");
    let opened: Value = serde_json::from_str(&opened[1..]).expect("JSON");
    opened["sid"].as_str().expect("a text").to_owned()
}

/// By hand: what is said of where to go on counts at whichever node the session is.
#[tokio::test]
async fn who_polls_goes_on_behind_what_was_seen_at_any_node() {
    let cluster = Cluster::start(3).await;
    let login = json!({"pseudonym": "JohnDoe", "claim": true});
    let login = http_client().post(cluster.url() + "/login").json(&login).send().await.expect("an answer");
    let john = LoggedIn::from(&login.json::<Value>().await.expect("JSON"));
    let mut after = 0;
    for _ in 0..6 {
        let auth = json!({"token": john.token, "after": after});
        let mut polling = Polling::connecting_at(cluster.front.address(), &auth).await;
        let session = until(&mut polling, "session").await;
        assert_eq!(session["recovered"], true, "{session}");
        for _ in 0..2 {
            let body = json!({"content": "hello"});
            let post = http_client().post(cluster.url() + "/messages").bearer_auth(&john.token).json(&body);
            assert_eq!(post.send().await.expect("an answer").status(), 201);
        }
        // The second is left for the next session.
        after += 1;
        assert_eq!(until(&mut polling, "new_message").await["id"], after);
        if after % 2 == 0 {
            polling.close().await;
        }
    }
    cluster.stop().await;
}

async fn until(polling: &mut Polling, name: &str) -> Value {
    loop {
        match polling.receive().await {
            Received::Event(event, data) if event == name => return data,
            Received::Event(..) | Received::Ack(..) => {}
            other => panic!("{other:?}"),
        }
    }
}
