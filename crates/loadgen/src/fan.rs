//! Some talk, and everybody listens.

mod driver;
pub(crate) mod stalled;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checker::{Checker, Counts, MAX_PAIRS};
use crate::clock::run_number;
use crate::engine::Engine;
use crate::error::Error;
use crate::files;
use crate::latency::Quantiles;
use crate::listener::Listener;
use crate::login::log_in;
use crate::number::float;
use crate::process::{Cost, Process, Usage, kib_each, usage_of};
use crate::progress::Progress;
use crate::stamp;
use crate::target::{Protocol, Target};
use driver::{Driver, Marks};
use stalled::Stalled;

/// How long it may take until all are in.
const IN_WITHIN: Duration = Duration::from_mins(2);

/// When a sender sends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// As soon as fewer than so many of its messages are on their way back to it.
    InFlight(u32),
    /// So many messages a second of all senders together, whatever comes back.
    Rate(f64),
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) receivers: usize,
    /// The first so many of the receivers.
    pub(crate) senders: usize,
    pub(crate) pace: Pace,
    /// Bytes of a message's content.
    pub(crate) size: usize,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    /// Connections that are opened at the same time.
    pub(crate) at_once: usize,
    /// Clients besides the receivers that come in and then read nothing.
    pub(crate) stalled: usize,
    /// The server's processes: one, or one for each node.
    pub(crate) servers: Vec<Process>,
    /// What it stands on, to be told apart.
    pub(crate) beside: Vec<Beside>,
}

/// A server that the one under load stands on, such as its database.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    pub(crate) name: String,
    /// Its children count too.
    pub(crate) process: Process,
}

/// What came of it. Rates and costs are those of the time measured; counts are those of the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) url: String,
    pub(crate) protocol: Protocol,
    pub(crate) receivers: usize,
    pub(crate) senders: usize,
    pub(crate) pace: Pace,
    pub(crate) size: usize,
    /// The mean bytes of a delivery, its WebSocket header included.
    pub(crate) frame_bytes: f64,
    pub(crate) seconds: f64,
    pub(crate) messages_per_second: f64,
    pub(crate) deliveries_per_second: f64,
    pub(crate) latency_ms: Option<Quantiles>,
    /// The same where there are several nodes: to receivers at their sender's node, and to those at others.
    pub(crate) within_ms: Option<Quantiles>,
    pub(crate) across_ms: Option<Quantiles>,
    /// How late messages left that had a time to leave at: what the generator itself adds to latencies.
    pub(crate) lag_ms: Option<Quantiles>,
    pub(crate) sent: u64,
    pub(crate) expected: u64,
    pub(crate) lost: u64,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Not sent, since the server took no more.
    pub(crate) unsent: u64,
    /// Answered with an `error` event.
    pub(crate) refused: u64,
    pub(crate) first_refusal: Option<String>,
    /// Connections that the server ended, and why.
    pub(crate) cut: usize,
    pub(crate) reasons: Vec<(String, u64)>,
    /// Deliveries were still coming in when the wait for them was over: what is lost may only be late.
    pub(crate) overloaded: bool,
    pub(crate) server: Option<Server>,
    /// What those beside it took, where Linux says so.
    #[serde(default)]
    pub(crate) beside: Vec<(String, Cost)>,
    pub(crate) generator: Option<Generator>,
    /// Clients that read nothing, if there were any. Nothing above is about them.
    pub(crate) stalled: Option<stalled::Report>,
}

/// What it had the server take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Server {
    #[serde(flatten)]
    pub(crate) cost: Cost,
    pub(crate) deliveries_per_cpu_second: Option<f64>,
    /// What each connection added to its memory, before the first message and after the last.
    pub(crate) kib_per_connection: Option<f64>,
    pub(crate) kib_per_connection_after: Option<f64>,
}

/// What the generator itself took, of one processor, and how long it wanted one and had to wait.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Generator {
    pub(crate) cpu_share: f64,
    pub(crate) waited_share: f64,
}

impl Report {
    /// Whether every receiver got every message, once and in order, and nobody was refused or cut.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.unsent + self.refused == 0 && self.cut == 0 && self.counts.is_clean()
    }
}

/// Brings everybody in, spread over the nodes of one server in turn, and lets them talk.
pub(crate) fn run(targets: &[Target], plan: &Plan, progress: &mut Progress) -> Result<Report, Error> {
    check(plan)?;
    let target = &targets[0];
    let people = plan.receivers.saturating_add(plan.stalled);
    files::allow(people)?;
    let before = usage_of(&plan.servers);
    let run = run_number();
    let mut tokens = if target.logs_in { log_in(targets, run, people, progress)? } else { Vec::new() };
    let stalled_tokens = tokens.split_off(plan.receivers.min(tokens.len()));
    let mut engine = Engine::new(targets.to_vec(), plan.receivers, tokens)?;
    let checker = Checker::new(run, plan.receivers, plan.senders);
    let mut listener = Listener::new(target.protocol, checker, plan.size, targets.len());
    let mut told = |present| progress.say("connecting", present, plan.receivers);
    engine.open_all(plan.at_once, IN_WITHIN, &mut listener, &mut told);
    if engine.counters.present < plan.receivers {
        return Err(not_all(&engine, plan.receivers));
    }
    let connected = usage_of(&plan.servers);
    let stalled = (plan.stalled, run, plan.at_once);
    let stalled = Stalled::bring_in(targets, stalled_tokens, stalled, progress)?;
    let mut driver = Driver::new(target, plan, run, engine, listener);
    let marks = driver.run(progress);
    let after = usage_of(&plan.servers);
    let stalled = (plan.stalled > 0).then(|| stalled.read());
    Ok(Report { stalled, ..report(targets, plan, &driver, &marks, [before, connected, after]) })
}

fn check(plan: &Plan) -> Result<(), Error> {
    let usage = |why: String| Err(Error::Usage(why));
    match plan.pace {
        _ if plan.receivers == 0 || plan.senders == 0 => {
            usage("there has to be a receiver and a sender".to_owned())
        }
        _ if plan.senders > plan.receivers => usage(format!(
            "{} senders are more than the {} receivers, of whom they are",
            plan.senders, plan.receivers
        )),
        _ if plan.senders > stamp::MAX_SENDERS || plan.receivers.saturating_mul(plan.senders) > MAX_PAIRS => {
            usage(format!("receivers times senders is more than the {MAX_PAIRS} that can be checked"))
        }
        _ if plan.size < stamp::LEN => usage(format!(
            "a content of {} bytes is too small for what it is known by: {} are",
            plan.size,
            stamp::LEN
        )),
        Pace::Rate(rate) if !(rate > 0.0 && rate <= 1e6) => {
            usage(format!("{rate} messages a second is no rate"))
        }
        Pace::InFlight(0) => usage("nobody would say anything with none in flight".to_owned()),
        _ => Ok(()),
    }
}

/// The error of a crowd that is not all in.
pub(crate) fn not_all(engine: &Engine, wanted: usize) -> Error {
    let reasons = engine.counters.reasons();
    let why = reasons.first().map_or("it took too long", |(reason, _)| reason.as_str());
    Error::Connections { ready: engine.counters.present, wanted, why: why.to_owned() }
}

fn report(
    targets: &[Target],
    plan: &Plan,
    driver: &Driver<'_>,
    marks: &Marks,
    usages: [Option<Usage>; 3],
) -> Report {
    let [before, connected, after] = usages;
    let (listener, counters) = (&driver.listener, &driver.engine.counters);
    let counts = listener.checker.counts;
    let expected = driver.sent * plan.receivers as u64;
    let (seconds, deliveries) = (marks.seconds(), float(marks.deliveries()));
    Report {
        url: targets.iter().map(|target| target.url.as_str()).collect::<Vec<_>>().join(", "),
        protocol: targets[0].protocol,
        receivers: plan.receivers,
        senders: plan.senders,
        pace: plan.pace,
        size: plan.size,
        frame_bytes: float(listener.bytes) / float(counts.deliveries.max(1)),
        seconds,
        messages_per_second: float(marks.sent()) / seconds,
        deliveries_per_second: deliveries / seconds,
        latency_ms: listener.latencies.quantiles(),
        within_ms: listener.within.quantiles(),
        across_ms: listener.across.quantiles(),
        lag_ms: driver.lag.quantiles(),
        sent: driver.sent,
        expected,
        lost: counts.lost(expected),
        counts,
        unsent: driver.unsent,
        refused: listener.refused,
        first_refusal: listener.first_refusal.clone(),
        cut: counters.cut,
        reasons: counters.reasons(),
        overloaded: marks.overloaded,
        server: marks.server_cost().map(|cost| Server {
            cost,
            deliveries_per_cpu_second: (cost.cpu_seconds > 0.0).then(|| deliveries / cost.cpu_seconds),
            kib_per_connection: kib_each(before, connected, plan.receivers),
            kib_per_connection_after: kib_each(before, after, plan.receivers),
        }),
        beside: plan
            .beside
            .iter()
            .zip(marks.beside())
            .filter_map(|(one, cost)| Some((one.name.clone(), cost?)))
            .collect(),
        generator: marks.generator(),
        stalled: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::tests::RunningFloor;

    fn plan(pace: Pace) -> Plan {
        Plan {
            receivers: 20,
            senders: 4,
            pace,
            size: 100,
            warm_up: Duration::from_millis(50),
            duration: Duration::from_millis(200),
            at_once: 8,
            stalled: 0,
            servers: vec![Process::own()],
            beside: Vec::new(),
        }
    }

    fn run_against(floor: &RunningFloor, plan: &Plan) -> Result<Report, Error> {
        let target = Target::find(&floor.url(), Protocol::Raw, false).unwrap();
        run(&[target], plan, &mut Progress::new())
    }

    #[test]
    fn a_closed_loop_against_the_floor_loses_nothing() {
        for batch in [false, true] {
            let report = run_against(&RunningFloor::start(batch), &plan(Pace::InFlight(3))).unwrap();
            assert!(report.is_clean(), "{report:?}");
            assert_eq!((report.expected, report.counts.deliveries), (report.sent * 20, report.sent * 20));
            assert!(report.sent > 12 && report.deliveries_per_second > 0.0, "{report:?}");
            assert!((report.frame_bytes - 102.0).abs() < 0.1, "{report:?}");
        }
    }

    #[test]
    fn every_node_has_its_share_of_the_clients_and_what_stands_beside_is_told_apart() {
        let floors = [RunningFloor::start(false), RunningFloor::start(false)];
        let targets =
            floors.each_ref().map(|floor| Target::find(&floor.url(), Protocol::Raw, false).unwrap());
        let beside = vec![Beside { name: "a database".to_owned(), process: Process::own() }];
        let plan = Plan { beside, ..plan(Pace::Rate(200.0)) };
        // Two floors know nothing of each other: each message comes to half of all.
        let report = run(&targets, &plan, &mut Progress::new()).unwrap();
        assert_eq!((report.counts.deliveries, report.lost), (50 * 10, 50 * 10), "{report:?}");
        assert_eq!((report.within_ms.unwrap().count, report.across_ms), (40 * 10, None));
        assert_eq!(report.url, format!("{}, {}", floors[0].url(), floors[1].url()));
        #[cfg(target_os = "linux")]
        assert!(matches!(&report.beside[..], [(name, _)] if name == "a database"), "{report:?}");
    }

    #[test]
    fn an_open_loop_sends_what_the_rate_says() {
        let report = run_against(&RunningFloor::start(false), &plan(Pace::Rate(200.0))).unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(report.sent, 50, "in a quarter of a second: {report:?}");
        assert_eq!(report.latency_ms.unwrap().count, 40 * 20, "without those of the warm-up");
        assert!(report.lag_ms.is_some());
    }

    #[test]
    fn whoever_reads_nothing_is_cut_and_the_others_lose_nothing() {
        // What is on its way never fills what the floor keeps for those who read, on however busy a machine.
        let pace = plan(Pace::InFlight(8));
        let duration = Duration::from_secs(1);
        let plan = Plan { receivers: 2, senders: 1, size: 60_000, stalled: 3, duration, ..pace };
        let report = run_against(&RunningFloor::start(false), &plan).unwrap();
        assert!(report.is_clean() && report.cut == 0, "{report:?}");
        assert_eq!(report.counts.deliveries, 2 * report.sent);
        let stalled = report.stalled.unwrap();
        assert_eq!(
            (stalled.clients, stalled.cut),
            (3, 3),
            "of {} times 60 kB the floor keeps 4 MB: {stalled:?}",
            report.sent
        );
        assert_eq!(stalled.ends, [("the server has closed it".to_owned(), 3)]);
    }

    #[test]
    fn a_plan_that_makes_no_sense_is_refused_in_a_sentence() {
        let good = plan(Pace::Rate(1.0));
        for (bad, why) in [
            (Plan { senders: 21, ..good.clone() }, "21 senders are more than the 20 receivers"),
            (Plan { senders: 0, ..good.clone() }, "a receiver and a sender"),
            (Plan { size: 10, ..good.clone() }, "too small"),
            (Plan { pace: Pace::Rate(0.0), ..good.clone() }, "no rate"),
            (Plan { pace: Pace::InFlight(0), ..good }, "none in flight"),
        ] {
            let error = check(&bad).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
