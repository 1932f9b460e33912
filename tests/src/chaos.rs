//! Everything fails, one thing after the other and two at a time, while people talk with clients of all kinds behind a load balancer that remembers
//! nobody: nothing is lost, doubled or out of order, and all are back within 10 s: after the last fault, and after the first of each kind.
//! At least 95 % of those with each package's default transports are on a WebSocket then, or all but one where there are fewer than 20.
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
//! | `back` | whether all of them are back |
//! | `visitors` | who comes for a moment, and is not to stay for longer |

mod back;
mod fault;
mod people;
mod site;
mod view;
mod visitors;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use back::{all_are_back, all_are_back_and_talk};
use fault::Faults;
use people::{BY_DEFAULT, People, Summary};
use site::{NODES, Site};
use view::View;
use visitors::{AT_MOST, Outcome, Visitors};

use crate::harness::{Random, becomes_so, tell, variable};

/// For how long things go wrong where nobody says for how long.
const SECONDS: u64 = 50;
/// How many people talk then: some of each kind.
const CLIENTS: usize = 30;
/// What is delivered each second, to all together, if nothing fails: the more hear a message, the fewer are said. Nodes and clients of a
/// debug build share two processors here, and it is faults that are to make them late, not the load: `make bench-cluster` is for that.
const DELIVERIES_PER_SECOND: usize = 1_000;
/// How much is said each second where few hear it. More would only make the records longer: at each fault something is under way anyway.
const MOST_POSTS_PER_SECOND: usize = 10;
/// The same while nodes are restarted, which takes seconds only: something is to be under way at each moment of it.
const POSTS_PER_SECOND_OF_A_RESTART: u32 = 50;
/// How much of what would be said if nothing failed is said at least, in percent: who has no answer, waits.
const POSTS_PERCENT: usize = 25;
/// How many visits and looks of a hundred go well at least: while a node stands still every third request is lost, and all while the
/// database is away, but most of the time nothing is.
const VISITS_PERCENT: usize = 50;
/// How long a node stands still in a long run, and in one that is too short for that.
const FREEZE: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(6)];
/// A run that is long enough.
const LONG: Duration = Duration::from_mins(5);
/// How much a failure tells.
const SHOWN: usize = 20;

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
    let posts_per_second = (DELIVERIES_PER_SECOND / clients).clamp(1, MOST_POSTS_PER_SECOND);
    let pace = Duration::from_secs(1) / u32::try_from(posts_per_second).expect("not that many");
    let mut people = People::gather(&site, clients, pace, limit, &mut random).await;
    let (away, is_away) = watch::channel(Duration::ZERO);
    let visitors = Visitors::start(site.address(), is_away);
    let faults = Faults::new(random.fork(), if seconds >= LONG { FREEZE[0] } else { FREEZE[1] });
    let began = Instant::now();
    let healed = fail(&mut site, &mut people, faults, seconds, &away).await;
    let talked = began.elapsed();
    let (visitors, back) =
        tokio::join!(visitors.stop(), all_are_back(&site, &mut people, healed, &BY_DEFAULT));
    tell(&format!("everybody was back after {back:?}; {visitors:?}"));
    nobody_overstayed(&visitors);
    let summary = nothing_is_wrong(&site, people).await;
    let undisturbed = talked.as_millis() / pace.as_millis();
    it_was_hard(&summary, undisturbed.try_into().expect("not that many"));
    // Nobody is there any more, so nobody is online soon.
    let left = Instant::now();
    becomes_so("everybody to have left", async || site.living().await == 0).await;
    assert!(left.elapsed() <= AT_MOST, "{:?}", left.elapsed());
    site.stop().await;
}

/// One trouble after the other, of which the last is one that somebody has to come back from; after the first of each kind everybody does.
/// Counts for how long the database has been away, and answers with when all was mended.
async fn fail(
    site: &mut Site,
    people: &mut People,
    mut faults: Faults,
    seconds: Duration,
    away: &watch::Sender<Duration>,
) -> Instant {
    let (began, mut cuts) = (Instant::now(), false);
    let mut healed = began;
    while began.elapsed() < seconds || !faults.had_all() || !cuts {
        sleep(faults.peace()).await;
        let trouble = faults.next();
        cuts = trouble.cuts();
        tell(&format!("{:>6.1} s {:?}", began.elapsed().as_secs_f64(), trouble.faults));
        trouble.happen(site, away).await;
        healed = Instant::now();
        if trouble.is_first {
            let back = all_are_back_and_talk(site, people, healed).await;
            tell(&format!("all were back after {back:?}"));
        }
    }
    healed
}

/// And it was looked often enough.
fn nobody_overstayed(visitors: &Outcome) {
    let Outcome { turns, visits, looks, overstayed } = visitors;
    assert!(overstayed.is_empty(), "{overstayed:#?}");
    for well in [visits, looks] {
        assert!(*turns > 0 && well * 100 >= turns * VISITS_PERCENT, "{visitors:?}");
    }
}

/// Much was said, of which some had to be repeated and some was missed at first: so the faults were some.
fn it_was_hard(summary: &Summary, undisturbed: usize) {
    let Summary { posts, sent_again, resumed, .. } = summary;
    assert!(posts * 100 >= undisturbed * POSTS_PERCENT, "{summary:?} of {undisturbed}");
    assert!(*sent_again > 0 && *resumed > 0, "{summary:?}");
}

/// Everybody goes, and what they saw is right. Answers with how much that was.
async fn nothing_is_wrong(site: &Site, mut people: People) -> Summary {
    let views = people.look(&BTreeSet::new()).await;
    let faults: Vec<_> = views.iter().flat_map(|view| &view.faults).cloned().collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), some(&faults));
    tell(&format!("how it went for them: {:?}", notes(&views)));
    let (log, faults, summary) = people.leave(site.last_id().await).await;
    tell(&format!("{} messages in the log; {summary:?}", log.len()));
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), some(&faults));
    summary
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
    let pace = Duration::from_secs(1) / POSTS_PER_SECOND_OF_A_RESTART;
    let mut people = People::gather(&site, CLIENTS, pace, Duration::from_mins(2), &mut random).await;
    all_are_back_and_talk(&site, &mut people, Instant::now()).await;
    let before = people.look(&BTreeSet::new()).await;
    for node in 0..NODES {
        site.nodes[node].program.stop_for_now().await;
        site.nodes[node].program.start_again().await;
    }
    // Who comes back from one node may have its upgrade cut by the next, and then stays on polling: it is none the worse for that.
    all_are_back(&site, &mut people, Instant::now(), &[]).await;
    let after = people.look(&BTreeSet::new()).await;
    assert_eq!(after.len(), CLIENTS);
    for (before, after) in before.iter().zip(&after) {
        // Whoever is at one of three nodes is cut at least once, and is back; and no list, of a new connection either, lacks anybody.
        assert!(after.connections > before.connections, "{} was never cut: {:?}", after.name, after.notes);
        assert_eq!(
            after.changes, before.changes,
            "{} was told that somebody came or went: {:?}",
            after.name, after.notes
        );
    }
    let summary = nothing_is_wrong(&site, people).await;
    assert!(summary.resumed >= CLIENTS, "{summary:?}");
    site.stop().await;
}
