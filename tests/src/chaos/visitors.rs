//! People who come for a moment: nobody is online for longer than they may be after they have gone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::site::{LEASE, LIMIT};
use crate::harness::http_client;

/// For how long somebody who has gone may be online: the node that they were at may have died with them.
pub(super) const AT_MOST: Duration = LIMIT.saturating_add(LEASE).saturating_add(MARGIN);
/// A node waits up to 1 s for more who go before it writes down that somebody has gone, and looks every 1 s whether somebody is over; a
/// look here takes up to 1 s more. The rest is for a machine on which all of that waits for its turn.
const MARGIN: Duration = Duration::from_secs(1 + 1 + 1 + 3);
/// How long a visit may take, and a look: a request that a frozen node has got is given up.
pub(super) const WITHIN: Duration = Duration::from_secs(1);
/// Between two visits, and two looks.
const EVERY: Duration = Duration::from_millis(700);

pub(super) struct Visitors {
    running: JoinHandle<Outcome>,
    over: watch::Sender<bool>,
}

/// How often somebody wanted to come and to look, how often that went well, and who was online for too long.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) turns: usize,
    pub(super) visits: usize,
    pub(super) looks: usize,
    pub(super) overstayed: Vec<String>,
}

struct Visit {
    name: String,
    left_at: Instant,
    /// For how long the database had been away by then.
    away: Duration,
}

impl Visitors {
    /// They come until they are told not to. `away` says for how long the database has been away in all: presence time stands
    /// still then.
    pub(super) fn start(front: SocketAddr, away: watch::Receiver<Duration>) -> Self {
        let (over, is_over) = watch::channel(false);
        Self { running: tokio::spawn(come_and_go(front, away, is_over)), over }
    }

    pub(super) async fn stop(self) -> Outcome {
        self.over.send_replace(true);
        self.running.await.expect("it has not failed")
    }
}

async fn come_and_go(
    front: SocketAddr,
    away: watch::Receiver<Duration>,
    over: watch::Receiver<bool>,
) -> Outcome {
    let client = http_client();
    let mut gone = BTreeMap::new();
    let mut outcome = Outcome::default();
    for n in 0.. {
        if *over.borrow() {
            break;
        }
        let name = format!("visitor-{n}");
        outcome.turns += 1;
        // What came of a visit that does not go smoothly is not known: it is not counted.
        if let Some(session) = timeout(WITHIN, visit(&client, front, &name)).await.ok().flatten() {
            outcome.visits += 1;
            gone.insert(session, Visit { name, left_at: Instant::now(), away: *away.borrow() });
        }
        if let Some(online) = timeout(WITHIN, online(&client, front)).await.ok().flatten() {
            outcome.looks += 1;
            let away = *away.borrow();
            gone.retain(|session, _| online.contains(session));
            gone.retain(|_, visit| {
                let stays = visit.left_at.elapsed().saturating_sub(away.saturating_sub(visit.away));
                if stays > AT_MOST {
                    outcome
                        .overstayed
                        .push(format!("{} was online {stays:?} after they had gone", visit.name));
                }
                stays <= AT_MOST
            });
        }
        sleep(EVERY).await;
    }
    outcome
}

/// Logs in, connects and goes without a word; answers with the session.
async fn visit(client: &Client, front: SocketAddr, name: &str) -> Option<String> {
    let login = json!({"pseudonym": name, "claim": true});
    let user = client.post(format!("http://{front}/login")).json(&login).send().await.ok()?;
    let user = user.error_for_status().ok()?.json::<Value>().await.ok()?;
    let (mut socket, _) = connect_async(format!("ws://{front}/ws")).await.ok()?;
    let connect = json!({"event": "connect", "data": {"token": user["token"]}});
    socket.send(Message::text(connect.to_string())).await.ok()?;
    let first = socket.next().await?.ok()?;
    first.to_text().ok()?.contains("\"session\"").then(|| user["session"].as_str().map(str::to_owned))?
}

/// The sessions that are online, as one of the nodes has it.
pub(super) async fn online(client: &Client, node: SocketAddr) -> Option<BTreeSet<String>> {
    let users = client.get(format!("http://{node}/users")).send().await.ok()?;
    let users = users.error_for_status().ok()?.json::<Vec<Value>>().await.ok()?;
    users.iter().map(|user| user["session"].as_str().map(str::to_owned)).collect()
}
