//! What a client that reads nothing costs the others: the lobby with it and without it, one right after the other.

use std::fmt::Write;
use std::time::Duration;

use super::bench::Bench;
use super::page::{MISSING, is_noisy, p50, p99, wrong};
use super::results::Run;
use super::scenario::Scenario;
use super::server::Kind;
use crate::error::Error;
use crate::fan;
use crate::number::median;
use crate::report::number;

/// Bytes of a content: nearly the most that a lobby takes, so that what nobody reads is soon much.
pub(super) const SIZE: usize = 4000;

/// Messages a second.
pub(super) const RATE: f64 = 50.0;

/// Bytes of the lobby's outbox, a quarter of its default. Before it fills the kernel takes 100 to 500 KB, so that it overflows
/// after 2 to 4 s.
pub(super) const OUTBOX: usize = 256 << 10;

/// Together with the warm-up, a third of it, long enough for that, and so short that the lobby, which waits 5 s for the
/// answer to its goodbye, still waits in the end.
const MEASURED: Duration = Duration::from_secs(4);

impl Bench<'_> {
    pub(super) async fn stalled(&mut self, round: usize) -> Result<(), Error> {
        let server = Kind::LobbySocketio;
        if !self.kinds.contains(&server) {
            return Ok(());
        }
        let receivers = self.arguments.receivers;
        for stalled in [0, 1] {
            let scenario = Scenario::Stalled { receivers, stalled };
            if !self.begin(scenario, server, MEASURED) {
                continue;
            }
            let report = self.fan_on(server, scenario, MEASURED).await;
            if let Some(report) = self.noted(scenario, server, report)? {
                self.results.stalled.push(Run { scenario, server, round, report });
            }
        }
        Ok(())
    }
}

/// A value with that one, as a multiple of what it is without: the median of each round's ratio.
pub(super) fn ratio(runs: &[Run<fan::Report>], value: fn(&fan::Report) -> Option<f64>) -> Option<f64> {
    let with = runs.iter().filter(|run| run.scenario.stalled() > 0);
    median(with.filter_map(|with| {
        let without = runs.iter().find(|run| run.round == with.round && run.scenario.stalled() == 0)?;
        Some(value(&with.report)? / value(&without.report)?)
    }))
}

/// A title, what one has to know, and a row.
pub(super) fn section(runs: &[Run<fan::Report>]) -> String {
    let Some(&Run { scenario: Scenario::Stalled { receivers, .. }, .. }) = runs.first() else {
        return String::new();
    };
    format!(
        "\n### {RATE} messages a second to {receivers}, and one more that reads nothing\n\n\
         The lobby over Socket.IO, with that one and without it. So that it is cut while it is measured, \
         contents have {SIZE} bytes, and `websocket.outbox` is {} KiB instead of 1 MiB. *Served for* is how long after the \
         first message the last one was due that reached it; it was cut when its outbox was full, which is later.\n\n{}",
        OUTBOX >> 10,
        table(runs)
    )
}

fn table(runs: &[Run<fan::Report>]) -> String {
    let [without, with] = [0, 1].map(|stalled| {
        runs.iter()
            .filter(move |run| run.scenario.stalled() == stalled)
            .map(|run| &run.report)
            .collect::<Vec<_>>()
    });
    let middle = |reports: &[&fan::Report], value: fn(&fan::Report) -> Option<f64>| {
        shown(median(reports.iter().filter_map(|report| value(report))))
    };
    let stalled: Vec<_> = with.iter().filter_map(|report| report.stalled.as_ref()).collect();
    let cut: usize = stalled.iter().map(|stalled| stalled.cut).sum();
    let cells = [
        middle(&without, p50),
        middle(&with, p50),
        shown(ratio(runs, p50)),
        middle(&without, p99),
        middle(&with, p99),
        shown(ratio(runs, p99)),
        format!("{cut} of {}", stalled.len()),
        shown(median(stalled.iter().filter_map(|stalled| Some(stalled.after?.p50)))),
        ends(&stalled),
        runs.iter().map(|run| wrong(&run.report)).sum::<u64>().to_string(),
        format!("{} of {}", runs.iter().filter(|run| is_noisy(&run.report)).count(), runs.len()),
    ];
    let mut table = "| p50 ms without | with | × | p99 ms without | with | × | cut | served for, s | how | wrong | disturbed |\n\
                     | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: |\n"
        .to_owned();
    let _ = writeln!(table, "| {} |", cells.join(" | "));
    table
}

fn shown(value: Option<f64>) -> String {
    value.map_or(MISSING.into(), number)
}

/// Each way to end once.
fn ends(stalled: &[&fan::stalled::Report]) -> String {
    let mut ends: Vec<_> =
        stalled.iter().flat_map(|stalled| stalled.ends.iter().map(|(end, _)| end.as_str())).collect();
    ends.sort_unstable();
    ends.dedup();
    if ends.is_empty() { MISSING.to_owned() } else { ends.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::page::tests::report;

    /// Latencies of each round, without and with.
    fn runs(rounds: &[(f64, f64)]) -> Vec<Run<fan::Report>> {
        let both = rounds.iter().enumerate().flat_map(|(round, &(without, with))| {
            [(0, without), (1, with)].map(|(stalled, p99)| {
                let mut report = report(10, RATE, 1.0);
                report.latency_ms =
                    report.latency_ms.map(|latency| crate::latency::Quantiles { p99, ..latency });
                report.stalled = (stalled > 0).then(|| fan::stalled::Report {
                    clients: 1,
                    cut: 1,
                    after: Some(fan::stalled::After { p50: 1.5, max: 1.5 }),
                    ends: vec![("closed by the server: 1013 too slow".to_owned(), 1)],
                });
                let scenario = Scenario::Stalled { receivers: 10, stalled };
                Run { scenario, server: Kind::LobbySocketio, round, report }
            })
        });
        both.collect()
    }

    #[test]
    fn the_others_latency_is_told_as_the_median_of_each_rounds_ratio() {
        let text = section(&runs(&[(10.0, 11.0), (20.0, 30.0), (40.0, 42.0)]));
        let row = text.lines().last().unwrap();
        assert_eq!(
            row,
            "| 1.00 | 1.00 | 1.00 | 20.0 | 30.0 | 1.10 | 3 of 3 | 1.50 | closed by the server: 1013 too slow | 0 | 0 of 6 |"
        );
        assert!(text.contains("to 10, and one more") && text.contains("256 KiB instead"), "{text}");
    }

    #[test]
    fn of_nothing_nothing_is_said() {
        assert_eq!(section(&[]), "");
    }
}
