//! Everything fails, one thing after the other, while people talk with clients of all kinds behind a load balancer that remembers
//! nobody: nothing is lost, doubled or out of order, and all are back at once.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `LOBBY_CHAOS_SECONDS` | for how long things go wrong |
//! | `LOBBY_CHAOS_CLIENTS` | how many people talk |
//! | `LOBBY_CHAOS_SEED` | what chance decides by; that of each run is printed |
//!
//! | module | what it holds |
//! | --- | --- |
//! | `site` | three nodes, and all that they need |
//! | `fault` | what goes wrong |
//! | `people` | who talks, and what they saw |
//! | `view` | how they are at a moment |
//! | `visitors` | who comes for a moment, and is not to stay for longer |

mod fault;
mod people;
mod site;
mod view;
mod visitors;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use fault::Faults;
use people::{DEFAULT, People};
use site::{NODES, Site};
use view::View;
use visitors::{AT_MOST, Visitors, online};

use crate::harness::{Random, becomes_so, http_client, tell, variable};

/// For how long things go wrong where nobody says for how long.
const SECONDS: u64 = 50;
/// How many people talk then: some of each kind.
const CLIENTS: usize = 30;
/// Between two things that are said, by all together, for each of them: the more hear it, the less is said. And where it does not
/// take long.
const PACE: Duration = Duration::from_millis(1);
const FASTEST: Duration = Duration::from_millis(100);
const FAST: Duration = Duration::from_millis(20);
/// How long a node stands still in a long run, and in one that is too short for that.
const FREEZE: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(6)];
/// A run that is long enough.
const LONG: Duration = Duration::from_mins(5);
/// How soon everybody is back, and of one mind, after the last fault.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// How many of a hundred clients with default transports are on a WebSocket then.
const UPGRADED_PERCENT: usize = 95;
/// How much a failure tells.
const SHOWN: usize = 20;
/// Between two looks whether everybody is back.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_nothing_is_lost_and_everybody_is_back_at_once() {
    let seed = variable("LOBBY_CHAOS_SEED").unwrap_or_else(Random::any_seed);
    let seconds = Duration::from_secs(variable("LOBBY_CHAOS_SECONDS").unwrap_or(SECONDS));
    let clients = variable("LOBBY_CHAOS_CLIENTS").unwrap_or(CLIENTS);
    tell(&format!("LOBBY_CHAOS_SEED={seed}"));
    let limit = seconds + Duration::from_mins(3);
    timeout(limit, chaos(seconds, clients, limit, Random::new(seed))).await.expect("it ends in time");
}

async fn chaos(seconds: Duration, clients: usize, limit: Duration, mut random: Random) {
    let mut site = Site::start().await;
    let pace = FASTEST.max(PACE * u32::try_from(clients).expect("not that many"));
    let mut people = People::gather(&site, clients, pace, limit, &mut random).await;
    let (away, is_away) = watch::channel(Duration::ZERO);
    let visitors = Visitors::start(site.address(), is_away);
    let faults = Faults::new(random.fork(), if seconds >= LONG { FREEZE[0] } else { FREEZE[1] });
    fail(&mut site, faults, seconds, &away).await;
    let healed = Instant::now();
    let visitors = visitors.stop().await;
    let back = all_are_back(&site, &mut people, healed).await;
    tell(&format!("everybody was back after {back:?}; {} visits", visitors.visits));
    assert!(visitors.overstayed.is_empty(), "{:#?}", visitors.overstayed);
    nothing_is_wrong(&site, people).await;
    // Nobody is there any more, so nobody is online soon.
    let left = Instant::now();
    becomes_so("everybody to have left", async || site.living().await == 0).await;
    assert!(left.elapsed() <= AT_MOST, "{:?}", left.elapsed());
    site.stop().await;
}

/// One fault after the other, of which the last is one that somebody has to come back from. Counts for how long the database has been away.
async fn fail(site: &mut Site, mut faults: Faults, seconds: Duration, away: &watch::Sender<Duration>) {
    let (began, mut cuts) = (Instant::now(), false);
    while began.elapsed() < seconds || !faults.had_all() || !cuts {
        sleep(faults.peace()).await;
        let (fault, at) = (faults.next(), Instant::now());
        cuts = fault.cuts();
        tell(&format!("{:>6.1} s {fault:?}", began.elapsed().as_secs_f64()));
        fault.happen(site).await;
        if fault.is_of_the_database() {
            away.send_modify(|away| *away += at.elapsed());
        }
    }
}

/// Everybody falls silent, and is soon here and of one mind. Answers how soon after `since`.
async fn all_are_back(site: &Site, people: &mut People, since: Instant) -> Duration {
    people.hush().await;
    let mut end = None;
    loop {
        let (online, mut wrong) = lists(site).await;
        let views = people.look(&online).await;
        if end.is_none() && views.iter().all(|view| view.silent) {
            people.say_the_end().await;
            end = Some(site.last_id().await);
            continue;
        }
        wrong.extend(views.iter().filter_map(|view| view.complaint(end)));
        wrong.extend(upgrades(&views));
        if wrong.is_empty() && end.is_some() {
            return since.elapsed();
        }
        assert!(since.elapsed() < BACK_WITHIN, "{} are not back:\n{}", wrong.len(), some(&wrong));
        sleep(LOOK_EVERY).await;
    }
}

/// Who is online, and whether all nodes say so.
async fn lists(site: &Site) -> (BTreeSet<String>, Vec<String>) {
    let client = http_client();
    let nodes = site.nodes.iter().map(|node| online(&client, node.program.socket()));
    let lists: Vec<_> = join_all(nodes).await.into_iter().flatten().collect();
    let agree = lists.len() == NODES && lists.iter().all(|list| *list == lists[0]);
    let wrong = (!agree).then(|| format!("the lists of {} nodes differ", lists.len()));
    (lists.into_iter().next().unwrap_or_default(), wrong.into_iter().collect())
}

/// Too many who could be on a WebSocket and are not.
fn upgrades(views: &[View]) -> Option<String> {
    let of_them: Vec<_> = views.iter().filter(|view| view.name.starts_with(DEFAULT)).collect();
    let upgraded = of_them.iter().filter(|view| view.transport == "websocket").count();
    (upgraded * 100 < of_them.len() * UPGRADED_PERCENT)
        .then(|| format!("only {upgraded} of {} are on a WebSocket", of_them.len()))
}

/// Everybody goes, and what they saw is right.
async fn nothing_is_wrong(site: &Site, mut people: People) {
    let views = people.look(&BTreeSet::new()).await;
    let faults: Vec<_> = views.iter().flat_map(|view| &view.faults).cloned().collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), some(&faults));
    tell(&format!("how it went for them: {:?}", notes(&views)));
    let (log, faults, summary) = people.leave(site.last_id().await).await;
    tell(&format!("{} messages in the log; {summary:?}", log.len()));
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), some(&faults));
}

/// How often which of them was noted, without the times.
fn notes(views: &[View]) -> BTreeMap<&str, usize> {
    let mut notes = BTreeMap::new();
    for note in views.iter().flat_map(|view| &view.notes) {
        *notes.entry(note.split_once(' ').map_or(&**note, |(_, what)| what)).or_default() += 1;
    }
    notes
}

fn some(sentences: &[String]) -> String {
    sentences.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n")
}

/// How somebody stops a node is how somebody upgrades it: SIGTERM, and the next when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_node_after_the_other_is_restarted_nobody_seems_to_go_and_nothing_is_lost() {
    let mut random = Random::new(Random::any_seed());
    let mut site = Site::start().await;
    let mut people = People::gather(&site, CLIENTS, FAST, Duration::from_mins(2), &mut random).await;
    all_know_of_all(&site, &mut people).await;
    let changes: Vec<_> = people.look(&BTreeSet::new()).await.iter().map(|view| view.changes).collect();
    for node in 0..NODES {
        site.nodes[node].program.stop_for_now().await;
        site.nodes[node].program.start_again().await;
    }
    all_are_back(&site, &mut people, Instant::now()).await;
    for (view, before) in people.look(&BTreeSet::new()).await.iter().zip(changes) {
        assert_eq!(
            view.changes, before,
            "{} was told that somebody came or went: {:?}",
            view.name, view.notes
        );
    }
    nothing_is_wrong(&site, people).await;
    site.stop().await;
}

/// Waits until everybody was told of everybody.
async fn all_know_of_all(site: &Site, people: &mut People) {
    let knowing = async {
        loop {
            let (online, wrong) = lists(site).await;
            if wrong.is_empty() && people.look(&online).await.iter().all(|view| view.agrees) {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(BACK_WITHIN, knowing).await.expect("all know of all");
}
