//! What is wanted of the lobby, as ratios, and what of it is not so.

use super::page::{p99, per_cpu_second, ratio};
use super::results::{Results, Run};
use super::scenario::Scenario;
use super::server::Kind;
use super::stalled;
use crate::fan::{self, Pace};
use crate::report::number;

/// Deliveries a CPU-second, of those of the floor in batches: with many messages under way both send several at once.
const SATURATED: f64 = 0.5;

/// Of those of the floor: at a pace that is given, each message is a send of its own.
const PACED: f64 = 0.85;

/// The p99 of the others, with one that reads nothing.
const STALLED: f64 = 1.1;

/// A line that says what was missed.
pub(super) fn verdict(results: &Results) -> String {
    let lobbies = [Kind::LobbySocketio, Kind::LobbyWs];
    let mut missed: Vec<_> = lobbies.into_iter().flat_map(|kind| missed(&results.fans, kind)).collect();
    let stalled = stalled::ratio(&results.stalled, p99).filter(|ratio| *ratio >= STALLED);
    missed.extend(stalled.map(|ratio| format!("one that reads nothing: {} of the p99", number(ratio))));
    let missed = if missed.is_empty() { "nothing".to_owned() } else { missed.join("; ") };
    format!("\nMissed, of what was measured: {missed}.\n")
}

fn missed(fans: &[Run<fan::Report>], kind: Kind) -> Vec<String> {
    let of_kind = fans.iter().filter(|run| run.server == kind && run.round == 0);
    let misses = of_kind.filter_map(|run| {
        let (least, yardstick) = least(run.scenario)?;
        let same: Vec<_> = fans.iter().filter(|other| other.scenario == run.scenario).collect();
        let ratio = ratio(&same, per_cpu_second, kind, yardstick).filter(|ratio| *ratio < least)?;
        let (title, of) = (run.scenario.title(), yardstick.name());
        Some(format!("{title}, {}: {} of the {of}", kind.name(), number(ratio)))
    });
    misses.collect()
}

fn least(scenario: Scenario) -> Option<(f64, Kind)> {
    match scenario {
        Scenario::Fan { receivers, senders, pace: Pace::InFlight(_) } if receivers != senders => {
            Some((SATURATED, Kind::FloorBatch))
        }
        Scenario::Fan { pace: Pace::Rate(_), .. } => Some((PACED, Kind::Floor)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::page::tests::{report, results};

    #[test]
    fn what_is_below_its_share_of_the_floor_is_named() {
        let (paced, saturated) = (Scenario::at(100, 50.0), Scenario::saturated(100));
        let runs = [
            (paced, Kind::Floor, 100.0),
            (paced, Kind::LobbySocketio, 90.0),
            (paced, Kind::LobbyWs, 80.0),
            (saturated, Kind::FloorBatch, 1000.0),
            (saturated, Kind::LobbySocketio, 500.0),
        ];
        let runs = runs.map(|(scenario, server, speed)| Run {
            scenario,
            server,
            round: 0,
            report: report(100, 50.0, speed),
        });
        let said =
            "\nMissed, of what was measured: 50 messages a second to 100, lobby, /ws: 0.80 of the floor.\n";
        assert_eq!(verdict(&results(runs.to_vec())), said);
        assert_eq!(verdict(&results(Vec::new())), "\nMissed, of what was measured: nothing.\n");
    }
}
