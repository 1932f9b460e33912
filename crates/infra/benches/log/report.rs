//! What is told, as Markdown.

use std::fmt::Write;
use std::path::Path;

use crate::backend::Backend;
use crate::long::Comparison;
use crate::measure::Times;
use crate::posting::Cell;

const BEGINS: &str = "<!-- bench-log -->\n";
const ENDS: &str = "<!-- end of bench-log -->\n";

pub(crate) struct Report(String);

impl Report {
    /// With what the machine is, and what its disk takes.
    pub(crate) fn new(syncs: &mut Times) -> Self {
        let [middle, high] = [0.5, 0.99].map(|share| syncs.quantile(share));
        let mut report = Self("\n".to_owned());
        report.say(&format!(
            "Machine: {}, {} cores, {} of memory, with a load of {} from elsewhere when this began. To write 4 KiB and sync \
             them took its disk {middle:.2} ms in the middle and {high:.2} ms at most in 99 % of the cases.\n",
            known("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            std::thread::available_parallelism().map_or(0, Into::into),
            known("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".to_owned()),
            first_word("/proc/loadavg"),
        ));
        report
    }

    pub(crate) fn posting(&mut self, backend: &Backend, cells: &[Cell]) {
        self.say(&format!("### Posting, {backend}\n"));
        self.say("| durability | client ids | senders | acknowledged | limit | share | ack p50 | ack p99 | commit p50 | commit p99 |");
        self.say("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for cell in cells {
            self.say(&cell.row());
        }
        self.missed(cells.iter().filter_map(|cell| cell.missed(backend)));
    }

    pub(crate) fn long(&mut self, backend: &Backend, messages: i64, comparisons: &[Comparison]) {
        self.say(&format!("### A long log, {backend}\n"));
        self.say(&format!("| | 1000 messages | {messages} messages | ratio |"));
        self.say("| --- | ---: | ---: | ---: |");
        for comparison in comparisons {
            self.say(&comparison.row());
        }
        self.missed(comparisons.iter().filter_map(|comparison| comparison.missed(backend)));
    }

    fn missed(&mut self, missed: impl Iterator<Item = String>) {
        let missed: Vec<_> = missed.collect();
        let verdict = if missed.is_empty() { "Nothing".to_owned() } else { missed.join("; ") };
        self.say(&format!("\nMissed: {verdict}.\n"));
    }

    /// A line, said at once: it takes minutes until there is all.
    #[expect(clippy::print_stdout, reason = "a command line tool answers on standard output")]
    fn say(&mut self, line: &str) {
        println!("{line}");
        writeln!(self.0, "{line}").expect("a string takes anything");
    }

    /// Puts it between the marks of a page.
    pub(crate) fn write_into(&self, page: &Path) {
        let text = std::fs::read_to_string(page).expect("the page is there");
        let (before, rest) = text.split_once(BEGINS).expect("the page has a mark where the report begins");
        let (_, after) = rest.split_once(ENDS).expect("the page has a mark where the report ends");
        let text = format!("{before}{BEGINS}{}{ENDS}{after}", self.0);
        std::fs::write(page, text).expect("the page can be written");
    }
}

/// What a file of Linux says behind a name and a colon.
fn known(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn first_word(file: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
