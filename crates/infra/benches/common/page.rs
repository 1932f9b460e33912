//! What is told, as Markdown, and the page that it goes into.

use std::fmt::Write;
use std::path::Path;

use super::measure::Times;

/// What a bench tells, line by line.
pub(crate) struct Page {
    /// The bench.
    name: &'static str,
    text: String,
}

impl Page {
    /// Begins with what the machine is, and what its disk takes.
    pub(crate) fn new(name: &'static str, syncs: &mut Times) -> Self {
        let [middle, high] = [0.5, 0.99].map(|share| syncs.quantile(share));
        let mut page = Self { name, text: "\n".to_owned() };
        page.say(&format!(
            "Machine: {}, {} cores, {} of memory, with a load of {} from elsewhere when this began. To write 4 KiB and sync \
             them took its disk {middle:.2} ms in the middle and {high:.2} ms at most in 99 % of the cases.\n",
            known("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            std::thread::available_parallelism().map_or(0, Into::into),
            known("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".to_owned()),
            first_word("/proc/loadavg"),
        ));
        page
    }

    /// What was wanted and is not so.
    pub(crate) fn missed(&mut self, missed: impl Iterator<Item = String>) {
        let missed: Vec<_> = missed.collect();
        let verdict = if missed.is_empty() { "Nothing".to_owned() } else { missed.join("; ") };
        self.say(&format!("\nMissed: {verdict}.\n"));
    }

    /// A line, said at once: it takes minutes until there is all.
    #[expect(clippy::print_stdout, reason = "a command line tool answers on standard output")]
    pub(crate) fn say(&mut self, line: &str) {
        println!("{line}");
        writeln!(self.text, "{line}").expect("a string takes anything");
    }

    /// Puts it between the bench's marks in a file.
    pub(crate) fn write_into(&self, file: &Path) {
        let begins = format!("<!-- {} -->\n", self.name);
        let ends = format!("<!-- end of {} -->\n", self.name);
        let text = std::fs::read_to_string(file).expect("the page is there");
        let (before, rest) = text.split_once(&begins).expect("the page has a mark where the report begins");
        let (_, after) = rest.split_once(&ends).expect("the page has a mark where the report ends");
        let text = format!("{before}{begins}{}{ends}{after}", self.text);
        std::fs::write(file, text).expect("the page can be written");
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
