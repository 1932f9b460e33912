//! What is told, as Markdown.

use std::path::Path;

use crate::common::backend::Backend;
use crate::common::measure::Times;
use crate::common::page::Page;
use crate::long::Comparison;
use crate::posting::Cell;

pub(crate) struct Report(Page);

impl Report {
    /// With what the machine is, and what its disk takes.
    pub(crate) fn new(syncs: &mut Times) -> Self {
        Self(Page::new("bench-log", syncs))
    }

    pub(crate) fn posting(&mut self, backend: &Backend, cells: &[Cell]) {
        self.0.say(&format!("### Posting, {backend}\n"));
        self.0.say("| durability | client ids | senders | acknowledged | limit | share | ack p50 | ack p99 | commit p50 | commit p99 |");
        self.0.say("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for cell in cells {
            self.0.say(&cell.row());
        }
        self.0.missed(cells.iter().filter_map(|cell| cell.missed(backend)));
    }

    pub(crate) fn long(&mut self, backend: &Backend, messages: i64, comparisons: &[Comparison]) {
        self.0.say(&format!("### A long log, {backend}\n"));
        self.0.say(&format!("| | 1000 messages | {messages} messages | ratio |"));
        self.0.say("| --- | ---: | ---: | ---: |");
        for comparison in comparisons {
            self.0.say(&comparison.row());
        }
        self.0.missed(comparisons.iter().filter_map(|comparison| comparison.missed(backend)));
    }

    /// Puts it between the marks of a page.
    pub(crate) fn write_into(&self, page: &Path) {
        self.0.write_into(page);
    }
}
