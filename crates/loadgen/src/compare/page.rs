//! What was measured, as Markdown.

use std::fmt::Write;

use super::results::{Results, Run};
use super::scenario::Scenario;
use super::server::Kind;
use super::{stalled, wanted};
use crate::number::median;
use crate::report::{number, percent};
use crate::{connect, fan};

/// A generator that had to wait for a processor longer than this share of the time was disturbed by something else.
const NOISY: f64 = 0.05;

pub(super) const MISSING: &str = "–";

pub(crate) fn of(results: &Results) -> String {
    let mut page = head(results);
    for scenario in scenarios(&results.fans) {
        let runs: Vec<_> = results.fans.iter().filter(|run| run.scenario == scenario).collect();
        let _ = write!(page, "\n### {}\n\n{}", scenario.title(), fans(&runs));
    }
    page.push_str(&stalled::section(&results.stalled));
    for scenario in scenarios(&results.idle) {
        let _ = write!(page, "\n### {}\n\n{}", scenario.title(), idle(&results.idle));
    }
    page.push_str(&wanted::verdict(results));
    for (title, lines) in
        [("Left out or other than asked for", &results.notes), ("Failed", &results.failures)]
    {
        if !lines.is_empty() {
            let _ = write!(page, "\n{title}:\n\n");
            page.extend(lines.iter().map(|line| format!("- {line}\n")));
        }
    }
    page
}

fn head(results: &Results) -> String {
    let machine = &results.machine;
    let syncs = |of: fn(&super::disk::Syncs) -> f64| {
        median(results.syncs.iter().map(of)).map_or(MISSING.into(), number)
    };
    let rounds = results.syncs.len();
    let turns = results.fans.iter().map(|run| run.round + 1).max().filter(|most| *most > rounds);
    let turns = turns.map_or_else(String::new, |most| {
        format!(", or of {most} where the floor and the lobby have taken further turns at a pace")
    });
    let pinned =
        if machine.pinned { "the server on one and the generator on another" } else { "shared by both" };
    format!(
        "Machine: {}, {} cores, {pinned}, {} of memory, with a load of {} from elsewhere when this began. To write 4 KiB and sync \
         them took the disk of the database {} ms in the middle and {} ms at most in 99 % of the cases.\n\n\
         Medians of {rounds} rounds{turns}; what begins with × is the median of each round's ratio. **The floor** makes one send for each \
         delivery and does nothing else, *in batches* one for all that is pending. *Wrong* are messages lost, doubled, out of \
         order, refused or not taken, and connections cut. *Disturbed* are rounds in which something else took the generator's \
         processor.\n",
        machine.processor,
        machine.cores,
        machine.memory,
        machine.load,
        syncs(|syncs| syncs.p50),
        syncs(|syncs| syncs.p99),
    )
}

fn scenarios<T>(runs: &[Run<T>]) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for run in runs {
        if !scenarios.contains(&run.scenario) {
            scenarios.push(run.scenario);
        }
    }
    scenarios
}

type Fans<'a> = [&'a Run<fan::Report>];
type Value = fn(&fan::Report) -> Option<f64>;

pub(super) fn per_cpu_second(report: &fan::Report) -> Option<f64> {
    report.server?.deliveries_per_cpu_second
}

pub(super) fn p50(report: &fan::Report) -> Option<f64> {
    Some(report.latency_ms?.p50)
}

pub(super) fn p99(report: &fan::Report) -> Option<f64> {
    Some(report.latency_ms?.p99)
}

fn memory(report: &fan::Report) -> Option<f64> {
    report.server?.kib_per_connection_after
}

fn fans(runs: &Fans<'_>) -> String {
    let mut table = "| server | deliveries/s | a CPU-second | × floor | × batches | × Node | p50 ms | × Node | p99 ms | × Node | \
                     KiB a connection | frame | wrong | disturbed |\n\
                     | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for kind in Kind::ALL {
        let own: Vec<_> = runs.iter().copied().filter(|run| run.server == kind).collect();
        if own.is_empty() {
            continue;
        }
        let ratio = |value: Value, to| ratio(runs, value, kind, to).map_or(MISSING.into(), number);
        let cells = [
            middle(&own, |report| Some(report.deliveries_per_second)),
            middle(&own, per_cpu_second),
            ratio(per_cpu_second, Kind::Floor),
            ratio(per_cpu_second, Kind::FloorBatch),
            ratio(per_cpu_second, Kind::Node),
            middle(&own, p50),
            ratio(p50, Kind::Node),
            middle(&own, p99),
            ratio(p99, Kind::Node),
            middle(&own, memory),
            middle(&own, |report| Some(report.frame_bytes)),
            own.iter().map(|run| wrong(&run.report)).sum::<u64>().to_string(),
            format!("{} of {}", own.iter().filter(|run| is_noisy(&run.report)).count(), own.len()),
        ];
        let _ = writeln!(table, "| {} | {} |", kind.name(), cells.join(" | "));
    }
    table
}

pub(super) fn wrong(report: &fan::Report) -> u64 {
    let counts = &report.counts;
    let messages = report.lost + counts.doubled + counts.reordered + counts.ids_out_of_order + counts.corrupt;
    messages + report.refused + report.unsent + report.cut as u64
}

pub(super) fn is_noisy(report: &fan::Report) -> bool {
    report.generator.is_some_and(|own| own.waited_share > NOISY)
}

fn middle(runs: &Fans<'_>, value: Value) -> String {
    median(runs.iter().filter_map(|run| value(&run.report))).map_or(MISSING.into(), number)
}

/// The median of each round's ratio.
pub(super) fn ratio(runs: &Fans<'_>, value: Value, of: Kind, to: Kind) -> Option<f64> {
    let find = |kind, round| {
        let run = runs.iter().find(|run| run.server == kind && run.round == round)?;
        value(&run.report)
    };
    let rounds = runs.iter().filter(|run| run.server == of && of != to).map(|run| run.round);
    median(rounds.filter_map(|round| Some(find(of, round)? / find(to, round)?)))
}

fn idle(runs: &[Run<connect::Report>]) -> String {
    let mut table = "| server | connections/s | CPU-ms to let one in | KiB a connection | × Node | CPU while idle | heartbeats | \
                     MiB before | idle | all gone | cut |\n\
                     | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    let kib = |run: &Run<connect::Report>| run.report.server?.kib_per_connection;
    let node = runs.iter().find(|run| run.server == Kind::Node).and_then(kib);
    for run in runs {
        let report = &run.report;
        let of_server =
            |value: fn(&connect::Server) -> String| report.server.as_ref().map_or(MISSING.into(), value);
        let of_node = kib(run).zip(node).filter(|_| run.server != Kind::Node).map(|(own, node)| own / node);
        let cells = [
            number(report.connections_per_second),
            of_server(|server| number(server.cpu_ms_per_connection)),
            kib(run).map_or(MISSING.into(), number),
            of_node.map_or(MISSING.into(), number),
            of_server(|server| percent(server.idle.cpu_share)),
            report.heartbeats.to_string(),
            of_server(|server| mebibytes(server.before_kib)),
            of_server(|server| mebibytes(server.idle_kib)),
            of_server(|server| mebibytes(server.after_kib)),
            report.cut.to_string(),
        ];
        let _ = writeln!(table, "| {} | {} |", run.server.name(), cells.join(" | "));
    }
    table
}

fn mebibytes(kib: u64) -> String {
    (kib / 1024).to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::compare::machine::Machine;

    /// As it comes from the generator.
    pub(crate) fn report(receivers: usize, rate: f64, per_second: f64) -> fan::Report {
        let latency =
            serde_json::json!({"count": 1, "p50": 1.0, "p90": 1.0, "p99": 2.0, "p999": 2.0, "max": 2.0});
        let report = serde_json::json!({
            "url": "", "protocol": "ws", "receivers": receivers, "senders": 1, "pace": {"rate": rate}, "size": 128,
            "frame_bytes": 300.0, "seconds": 1.0, "messages_per_second": 1.0, "deliveries_per_second": per_second,
            "latency_ms": latency, "lag_ms": null, "sent": 1, "expected": 1, "lost": 0, "deliveries": 1, "doubled": 0,
            "reordered": 0, "ids_out_of_order": 0, "with_id": 0, "corrupt": 0, "foreign": 0, "unsent": 0, "refused": 0,
            "first_refusal": null, "cut": 0, "reasons": [], "overloaded": false, "generator": null,
            "server": {
                "cpu_seconds": 1.0, "cpu_share": 1.0, "deliveries_per_cpu_second": per_second,
                "kib_per_connection": 1.0, "kib_per_connection_after": 1.0,
            },
        });
        serde_json::from_value(report).unwrap()
    }

    pub(crate) fn results(fans: Vec<Run<fan::Report>>) -> Results {
        let machine = Machine {
            processor: "a processor".to_owned(),
            cores: 2,
            memory: "some".to_owned(),
            load: "0".to_owned(),
            pinned: true,
        };
        Results { fans, ..Results::new(machine) }
    }

    #[test]
    fn a_ratio_is_the_median_of_each_rounds_and_not_that_of_the_medians() {
        let speeds = [(100.0, 50.0), (200.0, 150.0), (900.0, 90.0)];
        let scenario = Scenario::at(10, 5.0);
        let runs = speeds.into_iter().enumerate().flat_map(|(round, (floor, lobby))| {
            [(Kind::Floor, floor), (Kind::LobbyWs, lobby)].map(|(server, speed)| Run {
                scenario,
                server,
                round,
                report: report(10, 5.0, speed),
            })
        });
        let results = results(runs.collect());
        let page = of(&results);
        let line = page.lines().find(|line| line.starts_with("| lobby, /ws |")).unwrap();
        let cells: Vec<_> = line.split(" | ").collect();
        assert_eq!((cells[2], cells[3], cells[4]), ("90.0", "0.50", MISSING), "{line}");
        assert!(results.is_clean());
    }

    #[test]
    fn what_failed_is_told() {
        let mut results = results(Vec::new());
        results.failures.push("it failed".to_owned());
        assert!(of(&results).ends_with("Failed:\n\n- it failed\n"));
        assert!(!results.is_clean());
    }
}
