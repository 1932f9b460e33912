//! How many messages are acknowledged, next to how many rows the database takes.

use lobby_domain::session::Session;
use lobby_infra::persistence::Durability;

use crate::Knobs;
use crate::common::backend::Backend;
use crate::common::measure::{Times, median, now};
use crate::lobby::{Lobby, log_in};
use crate::raw::Raw;

const SENDERS: [usize; 4] = [1, 10, 100, 1000];
/// The most messages in one transaction of the writer.
const BATCH: usize = 256;
/// 100 bytes.
const CONTENT: &str =
    "A message as people write them: a sentence or two, not a novel, and now and then a word in it is wrng.";

/// A combination, and what was measured in each round.
pub(crate) struct Cell {
    durability: Durability,
    with_client_ids: bool,
    senders: usize,
    rounds: Vec<Round>,
}

/// Messages are by the second, times in milliseconds.
struct Round {
    acknowledged: f64,
    acknowledgement: [f64; 2],
    limit: f64,
    commit: [f64; 2],
}

/// Every combination on one backend.
pub(crate) async fn posting(backend: &Backend, knobs: &Knobs) -> Vec<Cell> {
    let (lobby_url, raw_url) = (backend.new_database("posted").await, backend.new_database("raw").await);
    let sessions = log_in(&lobby_url, SENDERS[SENDERS.len() - 1]).await;
    let mut last_id = 0;
    let mut all = Vec::new();
    for durability in [Durability::Full, Durability::Normal] {
        let mut cells: Vec<_> = cells(durability)
            .filter(|cell| cell.name(backend).contains(knobs.only.as_deref().unwrap_or_default()))
            .collect();
        let lobby = Lobby::open(&lobby_url, durability).await;
        let mut raw = Raw::open(&raw_url, durability, last_id).await;
        // The first round prepares the statements, and is not counted.
        for round in 0..=knobs.rounds {
            for cell in &mut cells {
                let measured = measure(cell, &lobby, &mut raw, &sessions[..cell.senders], knobs).await;
                if round > 0 {
                    cell.rounds.push(measured);
                }
            }
        }
        lobby.close().await;
        last_id = raw.last_id();
        raw.close().await;
        all.extend(cells);
    }
    all
}

fn cells(durability: Durability) -> impl Iterator<Item = Cell> {
    [false, true].into_iter().flat_map(move |with_client_ids| {
        SENDERS.map(|senders| Cell { durability, with_client_ids, senders, rounds: Vec::new() })
    })
}

async fn measure(cell: &Cell, lobby: &Lobby, raw: &mut Raw, senders: &[Session], knobs: &Knobs) -> Round {
    let batch = &senders[..senders.len().min(BATCH)];
    let (begin, mut commits) = (now(), Times::default());
    while now() < begin + knobs.time {
        let start = now();
        raw.commit(batch, CONTENT, cell.with_client_ids).await;
        commits.note(start);
    }
    let limit = per_second(commits.count() * batch.len(), begin);
    let begin = now();
    let mut acknowledged = lobby.talk(senders, CONTENT, cell.with_client_ids, begin + knobs.time).await;
    Round {
        acknowledged: per_second(acknowledged.count(), begin),
        acknowledgement: [0.5, 0.99].map(|share| acknowledged.quantile(share)),
        limit,
        commit: [0.5, 0.99].map(|share| commits.quantile(share)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody sends that many")]
fn per_second(count: usize, since: std::time::Instant) -> f64 {
    count as f64 / (now() - since).as_secs_f64()
}

impl Cell {
    fn name(&self, backend: &Backend) -> String {
        let client_ids = if self.with_client_ids { "with" } else { "without" };
        format!("{backend} {:?} {client_ids} {}", self.durability, self.senders)
    }

    /// A line of the table.
    pub(crate) fn row(&self) -> String {
        let of = |value: fn(&Round) -> f64| median(self.rounds.iter().map(value));
        format!(
            "| `{}` | {} | {} | {:.0} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.2} | {:.2} |",
            match self.durability {
                Durability::Full => "full",
                Durability::Normal => "normal",
            },
            if self.with_client_ids { "yes" } else { "no" },
            self.senders,
            of(|round| round.acknowledged),
            of(|round| round.limit),
            100.0 * self.share(),
            of(|round| round.acknowledgement[0]),
            of(|round| round.acknowledgement[1]),
            of(|round| round.commit[0]),
            of(|round| round.commit[1]),
        )
    }

    fn share(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.acknowledged / round.limit))
    }

    fn slowness(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.acknowledgement[0] / round.commit[0]))
    }

    /// What is wanted and not so.
    pub(crate) fn missed(&self, backend: &Backend) -> Option<String> {
        if self.senders >= 100 && self.share() < 0.5 {
            return Some(format!("{}: {:.0} % of the limit", self.name(backend), 100.0 * self.share()));
        }
        if self.senders == 1 && self.durability == Durability::Full && self.slowness() > 2.0 {
            return Some(format!("{}: {:.1} times a commit", self.name(backend), self.slowness()));
        }
        None
    }
}
