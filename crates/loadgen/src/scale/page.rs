//! What was measured, as Markdown.

use std::fmt::Write;

use super::layout::{Layout, Load};
use super::results::{Results, Run, Whose};
use crate::fan;
use crate::number::{float_len, median};
use crate::report::number;

const MISSING: &str = "–";

/// Whose processor time is told.
const NODES: Whose = |shares| shares.nodes;
const DATABASE: Whose = |shares| shares.database;
const BUS: Whose = |shares| shares.bus;
/// Without PostgreSQL, whose background processes take more or less by themselves than what is told apart here.
const NODES_AND_BUS: Whose = |shares| Some(shares.nodes? + shares.bus?);

/// What is told of a run.
type Value = fn(&Run) -> Option<f64>;

pub(super) fn of(results: &Results) -> String {
    let page = Page { results, text: head(results) };
    let page = page
        .saturated(Load::Talk, "Few clients, all of whom have four messages under way", MESSAGES)
        .saturated(Load::Crowd, "Many clients, twelve of whom have four messages under way", DELIVERIES);
    page.paced().latencies().differences().text
}

const MESSAGES: (&str, Value) = ("messages/s", |run| Some(run.report.messages_per_second));
const DELIVERIES: (&str, Value) = ("deliveries/s", |run| Some(run.report.deliveries_per_second));

struct Page<'a> {
    results: &'a Results,
    text: String,
}

fn head(results: &Results) -> String {
    let machine = &results.machine;
    let sync = median(results.syncs.iter().map(|syncs| syncs.p50)).map_or(MISSING.into(), number);
    let pinned = if machine.pinned {
        "all servers on one and the generator on another"
    } else {
        "shared by servers and generator"
    };
    let wrong: u64 = results.runs.iter().map(|run| wrong(&run.report)).sum();
    format!(
        "Machine: {}, {} cores, {pinned}, {} of memory, with a load of {} from elsewhere when this began. To write 4 KiB and sync \
         them took its disk {sync} ms in the middle.\n\n\
         Medians of {} rounds; what begins with × is the median of each round's ratio. Times are microseconds of a processor, less \
         what is taken while nothing is said. Lost, doubled, out of order, refused, not taken, or cut: {wrong}.\n",
        machine.processor,
        machine.cores,
        machine.memory,
        machine.load,
        results.syncs.len(),
    )
}

fn wrong(report: &fan::Report) -> u64 {
    let counts = &report.counts;
    let messages = report.lost + counts.doubled + counts.reordered + counts.ids_out_of_order + counts.corrupt;
    messages + report.refused + report.unsent + report.cut as u64
}

impl Page<'_> {
    fn run(&self, round: usize, layout: Layout, load: Load) -> Option<&Run> {
        self.results.runs.iter().find(|run| (run.round, run.layout, run.load) == (round, layout, load))
    }

    fn rounds(&self) -> std::ops::Range<usize> {
        0..self.results.syncs.len()
    }

    /// The median of what each round says.
    fn middle(&self, value: impl Fn(usize) -> Option<f64>) -> String {
        median(self.rounds().filter_map(value)).map_or(MISSING.into(), number)
    }

    fn value(&self, layout: Layout, load: Load, value: impl Fn(&Run) -> Option<f64>) -> String {
        self.middle(|round| value(self.run(round, layout, load)?))
    }

    /// How it compares with the first of the layouts.
    fn ratio(&self, layout: Layout, load: Load, value: Value) -> String {
        if layout == Layout::ALL[0] {
            return MISSING.into();
        }
        self.middle(|round| {
            let of = |layout| value(self.run(round, layout, load)?);
            Some(of(layout)? / of(Layout::ALL[0])?)
        })
    }

    fn table(mut self, title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        let rule = columns.iter().skip(1).map(|_| " ---: |").collect::<String>();
        let _ = write!(self.text, "\n### {title}\n\n| {} |\n| --- |{rule}\n", columns.join(" | "));
        for row in rows {
            let _ = writeln!(self.text, "| {} |", row.join(" | "));
        }
        self
    }

    fn saturated(self, load: Load, title: &str, (what, value): (&str, Value)) -> Self {
        let row = |layout: Layout| {
            let micros = |whose| self.value(layout, load, |run| run.micros_a_message(whose));
            let bus = if layout.has_bus { micros(BUS) } else { MISSING.into() };
            vec![
                layout.name(),
                self.value(layout, load, value),
                self.ratio(layout, load, value),
                micros(NODES),
                micros(DATABASE),
                bus,
                self.value(layout, load, |run| Some(run.report.latency_ms?.p50)),
                self.value(layout, load, |run| Some(run.report.latency_ms?.p99)),
            ]
        };
        let rows = Layout::ALL.map(row).to_vec();
        let columns = ["", what, "×", "nodes, µs a message", "PostgreSQL", "Redis", "p50 ms", "p99 ms"];
        self.table(title, &columns, rows)
    }

    fn paced(self) -> Self {
        let row = |layout: Layout| {
            let micros = |load, whose| self.value(layout, load, move |run| run.micros_a_message(whose));
            let bus = |load| if layout.has_bus { micros(load, BUS) } else { MISSING.into() };
            let delivery = self.middle(|round| self.micros_a_delivery(round, layout));
            vec![
                layout.name(),
                micros(Load::PacedFew, NODES),
                micros(Load::PacedFew, DATABASE),
                bus(Load::PacedFew),
                micros(Load::PacedMany, NODES),
                micros(Load::PacedMany, DATABASE),
                bus(Load::PacedMany),
                delivery,
            ]
        };
        let rows = Layout::ALL.map(row).to_vec();
        let columns = [
            "",
            "few: nodes, µs a message",
            "PostgreSQL",
            "Redis",
            "many: nodes, µs a message",
            "PostgreSQL",
            "Redis",
            "nodes, µs a delivery",
        ];
        self.table("At a pace that is given, to few and to many", &columns, rows)
    }

    /// What each of the receivers more has cost.
    fn micros_a_delivery(&self, round: usize, layout: Layout) -> Option<f64> {
        let [few, many] = [Load::PacedFew, Load::PacedMany].map(|load| self.run(round, layout, load));
        let (few, many) = (few?, many?);
        let more = many.report.receivers.checked_sub(few.report.receivers)?;
        Some((many.micros_a_message(NODES)? - few.micros_a_message(NODES)?) / float_len(more))
    }

    fn latencies(self) -> Self {
        let load = Load::PacedFew;
        let row = |layout: Layout| {
            // Of one node all is within it.
            let within = |run: &Run| run.report.within_ms.or(run.report.latency_ms);
            vec![
                layout.name(),
                self.value(layout, load, |run| Some(within(run)?.p50)),
                self.value(layout, load, |run| Some(run.report.across_ms?.p50)),
                self.value(layout, load, |run| Some(run.report.across_ms?.p50 / within(run)?.p50)),
                self.value(layout, load, |run| Some(within(run)?.p99)),
                self.value(layout, load, |run| Some(run.report.across_ms?.p99)),
                self.value(layout, load, |run| Some(run.report.across_ms?.p99 / within(run)?.p99)),
            ]
        };
        let rows = Layout::ALL.map(row).to_vec();
        let columns =
            ["", "p50 ms within a node", "across nodes", "×", "p99 ms within a node", "across nodes", "×"];
        self.table("How late, at that pace to few", &columns, rows)
    }

    fn differences(self) -> Self {
        let at = |nodes, has_bus| Layout { nodes, has_bus };
        let row = |name: &str, more: Layout, less: Layout, nodes: f64| {
            let cell = |whose| {
                self.middle(|round| {
                    let of = |layout| self.run(round, layout, Load::PacedFew)?.micros_a_message(whose);
                    Some((of(more)? - of(less)?) / nodes)
                })
            };
            vec![name.to_owned(), cell(NODES), cell(BUS), cell(NODES_AND_BUS)]
        };
        let rows = vec![
            row("the bus, where nobody else is on it", at(1, true), at(1, false), 1.0),
            row("the bus between three, instead of looking every second", at(3, true), at(3, false), 1.0),
            row("each further node on the bus", at(3, true), at(1, true), 2.0),
        ];
        let columns = ["", "nodes", "Redis", "together"];
        self.table("What of a message's microseconds is whose, at that pace to few", &columns, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::machine::Machine;
    use crate::compare::page::tests::report;
    use crate::process::Cost;
    use crate::scale::results::Shares;

    /// At ten messages a second; `nodes` is their share of a processor, of which they take a tenth while nothing is said.
    fn run(round: usize, layout: Layout, load: Load, receivers: usize, nodes: f64) -> Run {
        let mut report = report(receivers, 10.0, 1.0);
        report.messages_per_second = 10.0;
        report.beside = [("node", nodes / 2.0), ("node", nodes / 2.0), ("PostgreSQL", 0.03), ("Redis", 0.02)]
            .map(|(name, share)| (name.to_owned(), Cost::of(share, 1.0)))
            .to_vec();
        let idle = Shares { nodes: Some(0.1), database: Some(0.01), bus: Some(0.02) };
        Run { round, layout, load, idle, report }
    }

    fn results(runs: Vec<Run>) -> Results {
        let texts = ["a processor", "some", "0"].map(ToOwned::to_owned);
        let [processor, memory, load] = texts;
        let machine = Machine { processor, cores: 2, memory, load, pinned: true };
        let sync = crate::compare::disk::Syncs { p50: 0.1, p99: 0.2 };
        Results { machine, syncs: vec![sync], runs }
    }

    fn cells(page: &str, title: &str, row: &str) -> Vec<String> {
        let (_, section) = page.split_once(&format!("\n### {title}\n")).expect("the section");
        let line = section.lines().find(|line| line.starts_with(&format!("| {row} |"))).expect("the row");
        line.trim_matches(['|', ' ']).split(" | ").skip(1).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_delivery_costs_what_more_receivers_add_and_idle_time_is_nobodys() {
        let layout = Layout::ALL[0];
        let page = of(&results(vec![
            run(0, layout, Load::PacedFew, 10, 0.1 + 0.002),
            run(0, layout, Load::PacedMany, 110, 0.1 + 0.004),
        ]));
        let cells = cells(&page, "At a pace that is given, to few and to many", "1 node");
        assert_eq!(cells, ["200", "2000", MISSING, "400", "2000", MISSING, "2.00"]);
    }

    #[test]
    fn the_bus_costs_what_it_adds_and_what_was_not_measured_is_missing() {
        let [alone, on_bus, .., three, _] = Layout::ALL;
        let page = of(&results(vec![
            run(0, alone, Load::PacedFew, 10, 0.2),
            run(0, on_bus, Load::PacedFew, 10, 0.3),
            run(0, three, Load::PacedFew, 10, 0.7),
        ]));
        let title = "What of a message's microseconds is whose, at that pace to few";
        let cells = |row: &str| cells(&page, title, row);
        assert_eq!(cells("the bus, where nobody else is on it")[0], "10000");
        assert_eq!(cells("each further node on the bus"), ["20000", "0.00", "20000"]);
        assert_eq!(cells("the bus between three, instead of looking every second"), [MISSING; 3]);
    }
}
