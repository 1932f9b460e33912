//! One, two and three nodes of a lobby on one PostgreSQL server, with a bus between them and without: what they carry, and
//! what each message and each delivery costs. In rounds, one after the other, as `compare` does it.

mod bench;
mod layout;
mod page;
mod results;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::compare::document::Document;
use crate::error::Error;
use crate::measure::measure;
use crate::report;
use bench::Bench;
use layout::Layout;

/// Where everything is, and how much is measured.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// The lobby's program
    #[arg(long, value_name = "FILE")]
    lobby: PathBuf,
    /// An empty database of a PostgreSQL server, as often as nodes are started: five times a round
    #[arg(long = "database", value_name = "URL", required = true)]
    databases: Vec<String>,
    /// The process of that server, if it runs on this machine: then its CPU is told
    #[arg(long, value_name = "PID")]
    database_pid: Option<u32>,
    /// A Redis or Valkey server
    #[arg(long, value_name = "URL")]
    bus: String,
    /// The process of that server, likewise
    #[arg(long, value_name = "PID")]
    bus_pid: Option<u32>,
    /// A folder for what the nodes log
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// A page that has the lines `<!-- scaling -->` and `<!-- end of scaling -->`: between them go the tables
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Where all reports go
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often everything is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long a load is measured
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Clients of the loads with few, all of whom talk; a multiple of six has as many at each node
    #[arg(long, default_value_t = 24)]
    few: usize,
    /// Clients of the loads with many
    #[arg(long, default_value_t = 600)]
    many: usize,
    /// Messages a second, where the pace is given
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
}

/// Says whether all that was measured came as it should.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Error> {
    let starts = arguments.rounds * Layout::ALL.len();
    if arguments.databases.len() < starts {
        return Err(Error::Usage(format!(
            "{starts} empty databases are needed for {} rounds, and {} are given",
            arguments.rounds,
            arguments.databases.len()
        )));
    }
    if arguments.few >= arguments.many {
        return Err(Error::Usage("--many has to be more than --few".to_owned()));
    }
    let document = arguments.page.as_deref().map(|file| Document::open(file, "scaling")).transpose()?;
    let results = measure(async { Bench::new(arguments)?.run().await })?;
    let page = page::of(&results);
    if let Some(file) = &arguments.json {
        report::write(file, &serde_json::to_string_pretty(&results).expect("numbers and texts are JSON"))?;
    }
    if let Some(document) = document {
        document.write(&page, &[])?;
    }
    report::say(&page)?;
    Ok(results.is_clean())
}
