//! Servers side by side: each is started, pinned to a processor, put under load from another, and ended; in rounds, one
//! server after the other, since the speed of a machine drifts. What counts are ratios within a round.

mod bench;
pub(crate) mod disk;
pub(crate) mod document;
pub(crate) mod machine;
pub(crate) mod page;
pub(crate) mod plots;
mod results;
mod scenario;
pub(crate) mod server;
mod stalled;
mod sweep;
mod wanted;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::error::Error;
use crate::measure::measure;
use crate::report;
use bench::Bench;
use document::Document;

/// What is measured, and how much of it. Everything has a default but where the lobby is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// The lobby's program
    #[arg(long, value_name = "FILE")]
    lobby: PathBuf,
    /// A folder with a Socket.IO server on Node, server.js, and what it needs; without, there is none to compare with
    #[arg(long, value_name = "FOLDER")]
    node: Option<PathBuf>,
    /// A folder on the disk that the lobby's database is to be measured on
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Where the tables go, besides standard output
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// A page that has the lines `<!-- fan-out -->` and `<!-- end of fan-out -->`: between them go tables and plots
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Where all reports go
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A folder for plots: they take further runs
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// How often everything is measured, but for what is idle
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long a load is measured
    #[arg(long, default_value = "3s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// When to be done: what there is no time for any more is left out, and said so
    #[arg(long, default_value = "21m", value_parser = humantime::parse_duration)]
    within: Duration,
    /// Receivers of most loads
    #[arg(long, default_value_t = 1000)]
    receivers: usize,
    /// Receivers of the load with many of them
    #[arg(long, default_value_t = 10_000)]
    many: usize,
    /// Connections that are idle
    #[arg(long, default_value_t = 15_000)]
    connections: usize,
    /// How long they are
    #[arg(long, default_value = "27s", value_parser = humantime::parse_duration)]
    idle: Duration,
    /// Only loads and servers with one of these words in their names, such as `saturated` or `lobby`
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    only: Vec<String>,
}

/// Says whether all that was measured came as it should.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Error> {
    let document = arguments.page.as_deref().map(|file| Document::open(file, "fan-out")).transpose()?;
    let results = measure(async { Bench::new(arguments)?.run().await })?;
    let page = page::of(&results);
    if let Some(file) = &arguments.markdown {
        report::write(file, &page)?;
    }
    if let Some(file) = &arguments.json {
        report::write(file, &serde_json::to_string_pretty(&results).expect("numbers and texts are JSON"))?;
    }
    let plots = arguments.plots.as_ref().map(|folder| plots::draw(&results, folder)).transpose()?;
    if let Some(document) = document {
        document.write(&page, &plots.unwrap_or_default())?;
    }
    report::say(&page)?;
    Ok(results.is_clean())
}
