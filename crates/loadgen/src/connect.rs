//! Many connections: what it takes to open them, to keep them, and what is left when they have gone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::run_number;
use crate::engine::{Engine, Sink};
use crate::error::Error;
use crate::fan::not_all;
use crate::files;
use crate::latency::{Latencies, Quantiles};
use crate::login::log_in;
use crate::number::{float_len, nanos, seconds};
use crate::process::{Cost, Process, Usage, kib_each, usage_of};
use crate::progress::Progress;
use crate::target::{Protocol, Target};

const IN_WITHIN: Duration = Duration::from_mins(5);

/// A server needs a moment to notice who has gone, and gives memory back little by little: with jemalloc over ten seconds.
const AFTERWARDS: Duration = Duration::from_secs(12);

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    /// That are opened at the same time.
    pub(crate) at_once: usize,
    /// How long nothing happens but heartbeats.
    pub(crate) idle: Duration,
    pub(crate) servers: Vec<Process>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) url: String,
    pub(crate) protocol: Protocol,
    pub(crate) connections: usize,
    pub(crate) at_once: usize,
    /// Until all were in.
    pub(crate) seconds: f64,
    pub(crate) connections_per_second: f64,
    pub(crate) latency_ms: Option<Quantiles>,
    pub(crate) idle_seconds: f64,
    /// That were answered while idle.
    pub(crate) heartbeats: u64,
    /// Connections that the server ended while idle, and why.
    pub(crate) cut: usize,
    pub(crate) reasons: Vec<(String, u64)>,
    pub(crate) server: Option<Server>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// To let one in, of the processor.
    pub(crate) cpu_ms_per_connection: f64,
    /// While idle.
    pub(crate) idle: Cost,
    /// What each connection adds to its memory when it has been idle.
    pub(crate) kib_per_connection: Option<f64>,
    pub(crate) before_kib: u64,
    pub(crate) idle_kib: u64,
    /// When all have gone.
    pub(crate) after_kib: u64,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.cut == 0
    }
}

struct Arrivals(Latencies);

impl Sink for Arrivals {
    fn came_in(&mut self, _: usize, took: u64) {
        self.0.record(took);
    }
}

pub(crate) fn run(target: &Target, plan: &Plan, progress: &mut Progress) -> Result<Report, Error> {
    if plan.connections == 0 {
        return Err(Error::Usage("there has to be a connection".to_owned()));
    }
    files::allow(plan.connections)?;
    let usage = || usage_of(&plan.servers);
    let before = usage();
    let tokens = if target.logs_in {
        log_in(std::slice::from_ref(target), run_number(), plan.connections, progress)?
    } else {
        Vec::new()
    };
    let mut engine = Engine::new(vec![target.clone()], plan.connections, tokens)?;
    let mut arrivals = Arrivals(Latencies::new());
    let logged_in = usage();
    let start = engine.now();
    let mut told = |present| progress.say("connecting", present, plan.connections);
    engine.open_all(plan.at_once, IN_WITHIN, &mut arrivals, &mut told);
    let took = seconds(engine.now() - start);
    if engine.counters.present < plan.connections {
        return Err(not_all(&engine, plan.connections));
    }
    let connected = usage();
    let pongs = engine.counters.pongs;
    let idle_seconds = wait(&mut engine, plan.idle, "idle", progress);
    let idle = usage();
    let (heartbeats, cut, reasons) =
        (engine.counters.pongs - pongs, engine.counters.cut, engine.counters.reasons());
    engine.close_all();
    if !plan.servers.is_empty() {
        wait(&mut engine, AFTERWARDS, "all have gone", progress);
    }
    Ok(Report {
        url: target.url.clone(),
        protocol: target.protocol,
        connections: plan.connections,
        at_once: plan.at_once,
        seconds: took,
        connections_per_second: float_len(plan.connections) / took,
        latency_ms: arrivals.0.quantiles(),
        idle_seconds,
        heartbeats,
        cut,
        reasons,
        server: server(plan, [before, logged_in, connected, idle, usage()], idle_seconds),
    })
}

/// Answers with the seconds it took.
fn wait(engine: &mut Engine, duration: Duration, what: &str, progress: &mut Progress) -> f64 {
    let start = engine.now();
    let end = start + nanos(duration);
    while engine.now() < end {
        engine.turn(Duration::from_millis(50).min(duration), &mut ());
        let past = Duration::from_nanos(engine.now() - start);
        let whole = |duration: Duration| usize::try_from(duration.as_secs()).unwrap_or(usize::MAX);
        progress.say(what, whole(past), whole(duration));
    }
    seconds(engine.now() - start)
}

fn server(plan: &Plan, usages: [Option<Usage>; 5], idle_seconds: f64) -> Option<Server> {
    let [before, logged_in, connected, idle, after] = usages;
    let opening = Cost::between(logged_in, connected, 1.0)?;
    Some(Server {
        cpu_ms_per_connection: opening.cpu_seconds * 1e3 / float_len(plan.connections),
        idle: Cost::between(connected, idle, idle_seconds.max(0.001))?,
        kib_per_connection: kib_each(before, idle, plan.connections),
        before_kib: before?.rss_kib,
        idle_kib: idle?.rss_kib,
        after_kib: after?.rss_kib,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::tests::RunningFloor;

    #[test]
    fn connections_come_stay_and_go() {
        let floor = RunningFloor::start(false);
        let target = Target::find(&floor.url(), Protocol::Raw, false).unwrap();
        let idle = Duration::from_millis(30);
        let plan = Plan { connections: 40, at_once: 7, idle, servers: Vec::new() };
        let report = run(&target, &plan, &mut Progress::new()).unwrap();
        assert!(report.is_clean() && report.idle_seconds >= 0.03, "{report:?}");
        assert_eq!(report.latency_ms.unwrap().count, 40);
        assert_eq!(report.server, None);
    }

    #[test]
    fn whoever_speaks_something_else_is_told_what_was_answered() {
        let floor = RunningFloor::start(false);
        let target = Target::find(&floor.url(), Protocol::Ws, true).unwrap();
        let plan = Plan { connections: 1, at_once: 1, idle: Duration::ZERO, servers: Vec::new() };
        let error = run(&target, &plan, &mut Progress::new()).unwrap_err().to_string();
        assert!(error.contains("refuses the log-in"), "{error}");
    }
}
