//! Whether everybody is back, and soon.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::people::{BY_DEFAULT, People};
use super::site::{NODES, Site};
use super::some;
use super::view::View;
use super::visitors::{WITHIN, online};
use crate::harness::http_client;

/// How soon everybody is back, and of one mind, after a fault.
pub(super) const BACK_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks whether everybody is back.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How many of a hundred clients with default transports may be left on polling then: whose upgrade is cut stays there until it is cut
/// again, as the packages do it. Of fewer than 20 with one package it may be one, which is more.
const LEFT_PERCENT: usize = 5;

/// How long there is still time, and what was wrong at the last look.
struct Deadline {
    since: Instant,
    wrong: Vec<String>,
}

impl Deadline {
    /// Whatever is done while somebody waits is part of the time; also the last look.
    async fn bounds<T>(&self, step: impl Future<Output = T>) -> T {
        let left = BACK_WITHIN.saturating_sub(self.since.elapsed());
        let done = timeout(left, step).await;
        done.unwrap_or_else(|_| {
            panic!("{} are not back within {BACK_WITHIN:?}:\n{}", self.wrong.len(), some(&self.wrong))
        })
    }

    fn met(&self) -> Duration {
        let took = self.since.elapsed();
        assert!(took <= BACK_WITHIN, "it took {took:?} until all were back");
        took
    }
}

/// Everybody falls silent, and is soon here and of one mind, those of these kinds on a WebSocket. Answers how soon after `since`.
pub(super) async fn all_are_back(
    site: &Site,
    people: &mut People,
    since: Instant,
    upgraded: &[&str],
) -> Duration {
    let mut deadline = Deadline { since, wrong: Vec::new() };
    deadline.bounds(people.hush()).await;
    let mut end = None;
    loop {
        let (views, wrong) = deadline.bounds(look(site, people, end, true, upgraded)).await;
        deadline.wrong = wrong;
        if end.is_none() && views.iter().all(|view| view.silent) {
            deadline.bounds(people.say_the_end()).await;
            end = Some(deadline.bounds(site.last_id()).await);
        } else if end.is_some() && deadline.wrong.is_empty() {
            return deadline.met();
        } else {
            deadline.bounds(sleep(LOOK_EVERY)).await;
        }
    }
}

/// The same while all talk on, with what was said before `since`.
pub(super) async fn all_are_back_and_talk(site: &Site, people: &mut People, since: Instant) -> Duration {
    let mut deadline = Deadline { since, wrong: Vec::new() };
    let end = deadline.bounds(site.last_id()).await;
    loop {
        deadline.wrong = deadline.bounds(look(site, people, Some(end), false, &BY_DEFAULT)).await.1;
        if deadline.wrong.is_empty() {
            return deadline.met();
        }
        deadline.bounds(sleep(LOOK_EVERY)).await;
    }
}

/// How everybody is, and what is wrong with that.
async fn look(
    site: &Site,
    people: &mut People,
    end: Option<u64>,
    is_over: bool,
    upgraded: &[&str],
) -> (Vec<View>, Vec<String>) {
    let (online, mut wrong) = lists(site).await;
    let views = people.look(&online).await;
    wrong.extend(views.iter().filter_map(|view| view.complaint(end, is_over)));
    wrong.extend(upgraded.iter().filter_map(|kind| upgrades(kind, &views)));
    (views, wrong)
}

/// Who is online, and whether all nodes say so.
async fn lists(site: &Site) -> (BTreeSet<String>, Vec<String>) {
    let client = http_client();
    let nodes = site.nodes.iter().map(|node| timeout(WITHIN, online(&client, node.program.socket())));
    let lists: Vec<_> = join_all(nodes).await.into_iter().filter_map(|list| list.ok().flatten()).collect();
    let agree = lists.len() == NODES && lists.iter().all(|list| *list == lists[0]);
    let wrong = (!agree).then(|| format!("the lists of {} nodes differ", lists.len()));
    (lists.into_iter().next().unwrap_or_default(), wrong.into_iter().collect())
}

/// Too many of this kind who could be on a WebSocket and are not.
fn upgrades(kind: &str, views: &[View]) -> Option<String> {
    let of_them: Vec<_> = views.iter().filter(|view| view.name.starts_with(kind)).collect();
    let upgraded = of_them.iter().filter(|view| view.transport == "websocket").count();
    (of_them.len() - upgraded > (of_them.len() * LEFT_PERCENT / 100).max(1)).then(|| {
        format!("only {upgraded} of {} with the transports of {kind} are on a WebSocket", of_them.len())
    })
}
