//! What is told in the end, as Markdown or JSON.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::error::Error;
use crate::latency::Quantiles;
use crate::process::Cost;
use crate::{churn, connect, fan};

/// A report that can be read.
pub(crate) trait Markdown: Serialize {
    fn markdown(&self) -> String;
}

/// Tells it: on standard output as Markdown, unless JSON is wanted there; and as JSON in a file.
pub(crate) fn tell(report: &impl Markdown, json: Option<&Path>) -> Result<(), Error> {
    let pretty = serde_json::to_string_pretty(report).expect("numbers and texts are JSON") + "\n";
    match json {
        Some(file) if file == Path::new("-") => return Ok(say(&pretty)?),
        Some(file) => write(file, &pretty)?,
        None => {}
    }
    Ok(say(&report.markdown())?)
}

pub(crate) fn say(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

pub(crate) fn write(file: &Path, text: &str) -> Result<(), Error> {
    fs::write(file, text).map_err(|source| Error::Write { path: file.to_owned(), source })
}

/// A table of names and values.
struct Table(String);

impl Table {
    fn new(title: &str) -> Self {
        Self(format!("## {title}\n\n| | |\n| --- | ---: |\n"))
    }

    fn row(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let _ = writeln!(self.0, "| {name} | {} |", value.as_ref());
        self
    }

    fn latency(self, name: &str, quantiles: Option<Quantiles>) -> Self {
        let Some(Quantiles { p50, p90, p99, p999, max, .. }) = quantiles else { return self };
        let values = [p50, p90, p99, p999, max].map(number).join(" / ");
        self.row(&format!("{name}, ms: p50 / p90 / p99 / p99.9 / max"), values)
    }

    /// Whatever ended connections.
    fn reasons(mut self, reasons: &[(String, u64)]) -> String {
        for (reason, times) in reasons {
            let _ = write!(self.0, "\n{times} times: {reason}\n");
        }
        self.0
    }
}

const NO_SERVER: &str =
    "unknown: `--server-pid` names no process that /proc of Linux knows, or was not given";

impl Markdown for fan::Report {
    fn markdown(&self) -> String {
        let pace = match self.pace {
            fan::Pace::InFlight(each) => format!("{each} in flight each"),
            fan::Pace::Rate(rate) => format!("{rate} messages a second"),
        };
        let title = format!(
            "{} receivers, {} senders, {pace}, over {} at {}",
            self.receivers,
            self.senders,
            self.protocol.name(),
            self.url
        );
        let table = Table::new(&title)
            .row("measured, s", number(self.seconds))
            .row("deliveries a second", number(self.deliveries_per_second))
            .row("messages a second", number(self.messages_per_second))
            .row("bytes of a delivery", number(self.frame_bytes))
            .latency("latency", self.latency_ms)
            .latency("latency within a node", self.within_ms)
            .latency("latency across nodes", self.across_ms)
            .latency("of which the generator was late to send", self.lag_ms);
        let table = self.checked(self.costs(table)).reasons(&self.reasons);
        let refusal = self.first_refusal.as_ref().map(|text| format!("\nThe first refusal: `{text}`\n"));
        let stalled = self.stalled.as_ref().map(Markdown::markdown);
        table + &refusal.unwrap_or_default() + &stalled.unwrap_or_default()
    }
}

impl fan::Report {
    fn costs(&self, table: Table) -> Table {
        let table = match self.server {
            None => table.row("server", NO_SERVER),
            Some(server) => cost(table, "server", server.cost)
                .row("deliveries a CPU-second", server.deliveries_per_cpu_second.map_or("–".into(), number))
                .row("KiB a connection, before", server.kib_per_connection.map_or("–".into(), number))
                .row("KiB a connection, after", server.kib_per_connection_after.map_or("–".into(), number)),
        };
        let beside = |table, (name, one): &(String, Cost)| cost(table, name, *one);
        let table = self.beside.iter().fold(table, beside);
        match self.generator {
            None => table,
            Some(own) => table.row(
                "generator: share of a CPU / waited for one",
                format!("{} / {}", percent(own.cpu_share), percent(own.waited_share)),
            ),
        }
    }

    fn checked(&self, table: Table) -> Table {
        let counts = &self.counts;
        let lost = if self.overloaded {
            format!("{} (still arriving: overloaded)", self.lost)
        } else {
            self.lost.to_string()
        };
        let ids = if counts.with_id == 0 { "no ids".to_owned() } else { counts.ids_out_of_order.to_string() };
        table
            .row("deliveries expected / come", format!("{} / {}", self.expected, counts.deliveries))
            .row("lost", lost)
            .row("doubled", counts.doubled.to_string())
            .row("out of their sender's order", counts.reordered.to_string())
            .row("out of the order of ids", ids)
            .row("not as sent", counts.corrupt.to_string())
            .row("refused / not taken", format!("{} / {}", self.refused, self.unsent))
            .row("connections cut", self.cut.to_string())
    }
}

impl Markdown for fan::stalled::Report {
    fn markdown(&self) -> String {
        let after = self.after.map_or("–".into(), |after| [after.p50, after.max].map(number).join(" / "));
        let table = Table::new(&format!("{} more that read nothing", self.clients))
            .row("cut", self.cut.to_string())
            .row("after which their last message was due, s: p50 / max", after)
            .reasons(&self.ends);
        format!("\n{table}")
    }
}

impl Markdown for connect::Report {
    fn markdown(&self) -> String {
        let title = format!("{} connections over {} at {}", self.connections, self.protocol.name(), self.url);
        let table = Table::new(&title)
            .row("until all were in, s", number(self.seconds))
            .row("connections a second", number(self.connections_per_second))
            .latency("until one was in", self.latency_ms);
        let table = match self.server {
            None => table.row("server", NO_SERVER),
            Some(server) => cost(table, "server, idle", server.idle)
                .row("server, CPU-ms to let one in", number(server.cpu_ms_per_connection))
                .row("KiB a connection, idle", server.kib_per_connection.map_or("–".into(), number))
                .row(
                    "KiB in all: before / idle / all gone",
                    format!("{} / {} / {}", server.before_kib, server.idle_kib, server.after_kib),
                ),
        };
        table
            .row("idle, s", number(self.idle_seconds))
            .row("heartbeats answered meanwhile", self.heartbeats.to_string())
            .row("connections cut", self.cut.to_string())
            .reasons(&self.reasons)
    }
}

impl Markdown for churn::Report {
    fn markdown(&self) -> String {
        let title = format!(
            "{} clients come and go, {} a second, over {} at {}",
            self.clients,
            self.rate,
            self.protocol.name(),
            self.url
        );
        let table = Table::new(&title)
            .row("measured, s", number(self.seconds))
            .row("begun / came in", format!("{} / {}", self.begun, self.came_in))
            .row("failed / cut", format!("{} / {}", self.failed, self.cut))
            .row("not begun: nobody was away", self.skipped.to_string())
            .latency("until one was in", self.latency_ms);
        let table = match (self.server, self.before_kib, self.after_kib) {
            (Some(server), Some(before), Some(after)) => {
                cost(table, "server", server).row("KiB in all: before / after", format!("{before} / {after}"))
            }
            _ => table.row("server", NO_SERVER),
        };
        table.reasons(&self.reasons)
    }
}

fn cost(table: Table, whose: &str, cost: Cost) -> Table {
    let text = format!("{} / {}", number(cost.cpu_seconds), percent(cost.cpu_share));
    table.row(&format!("{whose}: CPU-s / share of a CPU"), text)
}

/// As many digits as mean something.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        for (value, text) in
            [(0.0, "0.00"), (0.0123, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!(percent(0.256), "26 %");
    }
}
