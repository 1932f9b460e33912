//! Clients that come, stay for a moment, leave, and come again.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::run_number;
use crate::engine::{Engine, Sink};
use crate::error::Error;
use crate::files;
use crate::latency::{Latencies, Quantiles};
use crate::login::log_in;
use crate::number::{float, nanos, nanos_of, seconds};
use crate::process::{Cost, Process, Usage, usage_of};
use crate::progress::Progress;
use crate::target::{Protocol, Target};

/// How long those who are on their way at the end may take.
const IN_WITHIN: u64 = 10_000_000_000;

/// Looked at so often whether something is due.
const TICK: Duration = Duration::from_millis(1);

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) clients: usize,
    /// Connections that are begun, a second.
    pub(crate) rate: f64,
    pub(crate) stay: Duration,
    pub(crate) duration: Duration,
    pub(crate) servers: Vec<Process>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) url: String,
    pub(crate) protocol: Protocol,
    pub(crate) clients: usize,
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    /// Connections that were begun, and those that came in.
    pub(crate) begun: u64,
    pub(crate) came_in: u64,
    pub(crate) failed: usize,
    /// Ended by the server before they left.
    pub(crate) cut: usize,
    /// Not begun, since all clients were connected or on their way: with more clients, or a faster server, they would be.
    pub(crate) skipped: u64,
    pub(crate) reasons: Vec<(String, u64)>,
    /// From the moment the schedule says.
    pub(crate) latency_ms: Option<Quantiles>,
    pub(crate) server: Option<Cost>,
    pub(crate) before_kib: Option<u64>,
    pub(crate) after_kib: Option<u64>,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.failed + self.cut == 0
    }
}

/// Who is where.
struct Clients {
    /// Neither connected nor on their way, who left first in front.
    away: VecDeque<usize>,
    /// When each that is in leaves, who leaves first in front.
    leaving: VecDeque<(u64, usize)>,
    /// When each was to come.
    due: Vec<u64>,
    stay: u64,
    now: u64,
    came_in: u64,
    latencies: Latencies,
}

impl Sink for Clients {
    fn came_in(&mut self, client: usize, _: u64) {
        self.came_in += 1;
        self.latencies.record(self.now.saturating_sub(self.due[client]));
        self.leaving.push_back((self.now + self.stay, client));
    }

    fn ended(&mut self, client: usize, was_in: bool) {
        if was_in {
            self.leaving.retain(|(_, leaving)| *leaving != client);
        }
        self.away.push_back(client);
    }
}

pub(crate) fn run(target: &Target, plan: &Plan, progress: &mut Progress) -> Result<Report, Error> {
    if plan.clients == 0 || !(plan.rate > 0.0 && plan.rate <= 1e6) {
        return Err(Error::Usage(
            "there has to be a client, and a rate of up to 1,000,000 a second".to_owned(),
        ));
    }
    files::allow(plan.clients)?;
    let usage = || usage_of(&plan.servers);
    let tokens = if target.logs_in {
        log_in(std::slice::from_ref(target), run_number(), plan.clients, progress)?
    } else {
        Vec::new()
    };
    let mut engine = Engine::new(vec![target.clone()], plan.clients, tokens)?;
    let mut clients = Clients {
        away: (0..plan.clients).collect(),
        leaving: VecDeque::new(),
        due: vec![0; plan.clients],
        stay: nanos(plan.stay),
        now: 0,
        came_in: 0,
        latencies: Latencies::new(),
    };
    let before = usage();
    let start = engine.now();
    let [begun, skipped] = come_and_go(&mut engine, &mut clients, plan, progress);
    let took = seconds(engine.now() - start);
    let after = usage();
    Ok(Report {
        url: target.url.clone(),
        protocol: target.protocol,
        clients: plan.clients,
        rate: plan.rate,
        seconds: took,
        begun,
        came_in: clients.came_in,
        failed: engine.counters.failed,
        cut: engine.counters.cut,
        skipped,
        reasons: engine.counters.reasons(),
        latency_ms: clients.latencies.quantiles(),
        server: Cost::between(before, after, took),
        before_kib: before.map(|usage: Usage| usage.rss_kib),
        after_kib: after.map(|usage| usage.rss_kib),
    })
}

/// Answers with how many were begun, and how many could not be.
fn come_and_go(engine: &mut Engine, clients: &mut Clients, plan: &Plan, progress: &mut Progress) -> [u64; 2] {
    let start = engine.now();
    let end = start + nanos(plan.duration);
    let (mut scheduled, mut skipped) = (0, 0);
    loop {
        clients.now = engine.now();
        let due = start + nanos_of(float(scheduled) / plan.rate);
        if due < end {
            if due <= clients.now {
                scheduled += 1;
                skipped += u64::from(!come(engine, clients, due));
                continue;
            }
        } else if engine.counters.coming == 0 || clients.now > end + IN_WITHIN {
            break;
        }
        leave(engine, clients);
        step(engine, clients);
        let permille = (clients.now - start).saturating_mul(1000) / (end - start).max(1);
        progress.say("coming and going", usize::try_from(permille.min(1000)).unwrap_or_default(), 1000);
    }
    engine.close_all();
    [scheduled - skipped, skipped]
}

/// Says whether there was somebody to come.
fn come(engine: &mut Engine, clients: &mut Clients, due: u64) -> bool {
    let Some(client) = clients.away.pop_front() else { return false };
    clients.due[client] = due;
    engine.open(client, clients);
    true
}

fn leave(engine: &mut Engine, clients: &mut Clients) {
    while let Some((_, client)) = clients.leaving.pop_front_if(|(when, _)| *when <= clients.now) {
        engine.close(client);
        clients.away.push_back(client);
    }
}

fn step(engine: &mut Engine, clients: &mut Clients) {
    for number in 0..engine.wait(TICK) {
        clients.now = engine.now();
        engine.handle(number, clients);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::tests::RunningFloor;

    #[test]
    fn clients_come_at_the_rate_and_leave_again() {
        let floor = RunningFloor::start(false);
        let target = Target::find(&floor.url(), Protocol::Raw, false).unwrap();
        let [stay, duration] = [5, 200].map(Duration::from_millis);
        let plan = Plan { clients: 50, rate: 500.0, stay, duration, servers: Vec::new() };
        let report = run(&target, &plan, &mut Progress::new()).unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(report.begun + report.skipped, 100, "{report:?}");
        assert_eq!(report.came_in, report.begun);
        assert!(report.begun > 50, "those who have left come again: {report:?}");
    }
}
