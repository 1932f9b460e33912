//! `lobby-load`, its commands and flags.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::error::Error;
use crate::fan::{self, Beside, Pace};
use crate::floor::Floor;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::{Markdown, tell};
use crate::target::{Protocol, Target};
use crate::{churn, compare, connect, files, scale};

/// Ends with 1 where something was wrong with what came, with 2 where nothing could be measured.
const WRONG: u8 = 1;
const FAILED: u8 = 2;

/// The most connections of a floor.
const FLOOR_CONNECTIONS: usize = 65_000;

/// Puts load on a lobby, or on another server that broadcasts, and says what it takes and costs.
///
/// Every delivery is checked: the exit code is 1 where a message was lost, doubled or out of order, a message refused, or a
/// connection cut; 2 where nothing could be measured. A load leaves users and messages behind: give it a lobby of its own.
#[derive(Parser)]
#[command(name = "lobby-load", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Some talk, everybody listens: rates, latencies, costs, and whether all came once and in order
    Fan(Fan),
    /// Open many connections, keep them idle, and close them: rates, memory, heartbeats
    Connect(Connect),
    /// Clients come, stay for a moment, leave and come again: failures and latencies
    Churn(Churn),
    /// Be the least that a server can do: send every text to everybody, over the protocol `raw`, on the loopback
    Floor(FloorArguments),
    /// Measure a lobby, the floor and Socket.IO on Node side by side, as ratios within each round (`make bench`)
    Compare(Box<compare::Arguments>),
    /// Measure one, two and three nodes of a lobby on PostgreSQL and Redis, in rounds (`make bench-cluster`)
    Scale(Box<scale::Arguments>),
}

#[derive(Args)]
struct Server {
    /// Where the server is
    #[arg(long, default_value = "http://127.0.0.1:5000")]
    url: String,
    /// What to speak over the sockets
    #[arg(long, value_enum, default_value = "socketio")]
    protocol: Protocol,
    /// Nobody logs in: for servers that are no lobbies (implied by `raw`)
    #[arg(long)]
    no_login: bool,
    /// The server's process, if it runs on this machine, or all of several: then their CPU and memory are told (Linux)
    #[arg(long = "server-pid", value_name = "PID", value_delimiter = ',')]
    pids: Vec<u32>,
    /// Put the report into a file as JSON, or with `-` on standard output instead of Markdown
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct Fan {
    #[command(flatten)]
    server: Server,
    /// Another node of the same server, as often as there are more: clients are spread over all in turn, and it is told how
    /// much later they hear what is said at other nodes than theirs
    #[arg(long = "node", value_name = "URL")]
    nodes: Vec<String>,
    /// What the server stands on, such as `postgresql=PID`: its CPU, with that of its children, is told apart
    #[arg(long, value_name = "NAME=PID", value_parser = beside)]
    beside: Vec<Beside>,
    /// Connections that listen
    #[arg(long, default_value_t = 1000)]
    receivers: usize,
    /// How many of the receivers talk, or `all`
    #[arg(long, default_value = "10", value_parser = senders)]
    senders: Senders,
    /// Closed loop: each sender has so many messages on their way, and sends the next when one comes back to it
    #[arg(long, value_name = "K", default_value_t = 4, conflicts_with = "rate")]
    in_flight: u32,
    /// Open loop: so many messages a second in all, whatever comes back; latency counts from when each was due
    #[arg(long, value_name = "R")]
    rate: Option<f64>,
    /// Bytes of a message's content, at least 44
    #[arg(long, default_value_t = 128)]
    size: usize,
    /// How long to measure
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// How long to talk before that
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    warm_up: Duration,
    /// Connections that are opened at the same time
    #[arg(long, value_name = "N", default_value_t = 200)]
    at_once: usize,
    /// Clients besides the receivers that come in and then read nothing: whether they are cut, after how long, and how
    #[arg(long, value_name = "N", default_value_t = 0)]
    stalled: usize,
}

#[derive(Args)]
struct Connect {
    #[command(flatten)]
    server: Server,
    /// Connections to open
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Connections that are opened at the same time
    #[arg(long, value_name = "N", default_value_t = 200)]
    at_once: usize,
    /// How long to keep them; a lobby's heartbeats come every 25 s
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    idle: Duration,
}

#[derive(Args)]
struct Churn {
    #[command(flatten)]
    server: Server,
    /// Clients that come again and again
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// Connections to begin, a second
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// How long each stays
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    stay: Duration,
    /// How long to go on
    #[arg(long, default_value = "20s", value_parser = humantime::parse_duration)]
    duration: Duration,
}

#[derive(Args)]
struct FloorArguments {
    /// The port to listen on
    #[arg(long, default_value_t = 5001)]
    port: u16,
    /// One send for all that is pending for a connection, instead of one for each message
    #[arg(long)]
    batch: bool,
}

#[derive(Debug, Clone, Copy)]
enum Senders {
    All,
    Some(usize),
}

fn senders(text: &str) -> Result<Senders, String> {
    match text {
        "all" => Ok(Senders::All),
        number => number.parse().map(Senders::Some).map_err(|_| "neither a number nor `all`".to_owned()),
    }
}

fn beside(text: &str) -> Result<Beside, String> {
    let (name, pid) = text.split_once('=').ok_or("it has a name and a process, as in postgresql=1234")?;
    let pid = pid.parse().map_err(|_| format!("'{pid}' is no process"))?;
    Ok(Beside { name: name.to_owned(), process: Process::new(pid) })
}

/// Runs the program; whatever keeps it from measuring is said in one sentence on standard error.
#[must_use]
pub fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(WRONG),
        Err(error) => {
            // Whoever does not listen misses it.
            let _ = writeln!(std::io::stderr(), "lobby-load: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// Says whether nothing was wrong.
fn run(command: Command) -> Result<bool, Error> {
    match command {
        Command::Fan(fan) => fan.run(),
        Command::Connect(connect) => connect.run(),
        Command::Churn(churn) => churn.run(),
        Command::Floor(floor) => floor.run(),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Scale(arguments) => scale::run(&arguments),
    }
}

impl Server {
    fn target(&self) -> Result<Target, Error> {
        self.target_at(&self.url)
    }

    fn target_at(&self, url: &str) -> Result<Target, Error> {
        let logs_in = !self.no_login && self.protocol != Protocol::Raw;
        Target::find(url, self.protocol, logs_in)
    }

    fn processes(&self) -> Vec<Process> {
        self.pids.iter().copied().map(Process::new).collect()
    }

    fn tell(&self, report: &impl Markdown, is_clean: bool) -> Result<bool, Error> {
        tell(report, self.json.as_deref())?;
        Ok(is_clean)
    }
}

impl Fan {
    fn run(self) -> Result<bool, Error> {
        let plan = fan::Plan {
            receivers: self.receivers,
            senders: match self.senders {
                Senders::All => self.receivers,
                Senders::Some(count) => count,
            },
            pace: self.rate.map_or(Pace::InFlight(self.in_flight), Pace::Rate),
            size: self.size,
            warm_up: self.warm_up,
            duration: self.duration,
            at_once: self.at_once.max(1),
            stalled: self.stalled,
            servers: self.server.processes(),
            beside: self.beside,
        };
        let nodes = self.nodes.iter().map(|url| self.server.target_at(url));
        let targets = std::iter::once(self.server.target()).chain(nodes).collect::<Result<Vec<_>, _>>()?;
        let report = fan::run(&targets, &plan, &mut Progress::new())?;
        self.server.tell(&report, report.is_clean())
    }
}

impl Connect {
    fn run(self) -> Result<bool, Error> {
        let Self { server, connections, at_once, idle } = self;
        let plan = connect::Plan { connections, at_once: at_once.max(1), idle, servers: server.processes() };
        let report = connect::run(&server.target()?, &plan, &mut Progress::new())?;
        server.tell(&report, report.is_clean())
    }
}

impl Churn {
    fn run(self) -> Result<bool, Error> {
        let Self { server, clients, rate, stay, duration } = self;
        let plan = churn::Plan { clients, rate, stay, duration, servers: server.processes() };
        let report = churn::run(&server.target()?, &plan, &mut Progress::new())?;
        server.tell(&report, report.is_clean())
    }
}

impl FloorArguments {
    fn run(self) -> Result<bool, Error> {
        // Nobody says how many will come.
        files::allow(files::most().min(FLOOR_CONNECTIONS))?;
        let mut floor = Floor::bind((Ipv4Addr::LOCALHOST, self.port).into(), self.batch)?;
        crate::report::say(&format!("The floor is at http://{}\n", floor.address()?))?;
        floor.serve(Duration::from_secs(1), || false)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_fit_together() {
        Arguments::command().debug_assert();
    }
}
