//! One cluster after the other, and one load after the other on each.

use std::process::Stdio;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Arguments;
use super::layout::{Layout, Load};
use super::results::{BUS, DATABASE, NODE, Results, Run, Shares};
use crate::clock::Clock;
use crate::compare::disk;
use crate::compare::machine::{Machine, Role};
use crate::compare::server::{Server, free_address};
use crate::error::Error;
use crate::fan::{self, Pace};
use crate::process::Process;

/// Bytes of a message.
const SIZE: usize = 128;

/// How long nodes are looked at while nobody is there.
const IDLE: Duration = Duration::from_secs(1);

/// What a load may take more than was thought, and how long nodes may take to find the bus: then something hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks whether they have.
const AGAIN: Duration = Duration::from_millis(20);

/// Longer than the shortest that a secret may be.
const SECRET: &str = "a secret of the benchmark, which is the same at all nodes";

pub(super) struct Bench<'a> {
    arguments: &'a Arguments,
    machine: Machine,
    clock: Clock,
    results: Results,
}

/// Nodes that run, on a database of their own.
struct Cluster {
    nodes: Vec<Server>,
    idle: Shares,
}

impl<'a> Bench<'a> {
    pub(super) fn new(arguments: &'a Arguments) -> Result<Self, Error> {
        std::fs::create_dir_all(&arguments.folder)?;
        let machine = Machine::look();
        let results = Results { machine: machine.clone(), syncs: Vec::new(), runs: Vec::new() };
        Ok(Self { arguments, machine, clock: Clock::start(), results })
    }

    pub(super) async fn run(mut self) -> Result<Results, Error> {
        let mut databases = self.arguments.databases.iter();
        for round in 0..self.arguments.rounds {
            self.results.syncs.push(disk::measure(&self.arguments.folder)?);
            for layout in Layout::ALL {
                let database = databases.next().expect("there are as many as clusters");
                self.measure(round, layout, database).await?;
            }
        }
        Ok(self.results)
    }

    async fn measure(&mut self, round: usize, layout: Layout, database: &str) -> Result<(), Error> {
        let cluster = self.start(layout, database).await?;
        for load in Load::ALL {
            let seconds = self.clock.elapsed().as_secs();
            // Progress is for whoever looks.
            let told = format_args!("{seconds:>4} s  {}: {load:?}\n", layout.name());
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), told);
            let report = self.load(&cluster, layout, load).await?;
            self.results.runs.push(Run { round, layout, load, idle: cluster.idle, report });
        }
        for node in cluster.nodes {
            node.end().await?;
        }
        Ok(())
    }

    async fn start(&self, layout: Layout, database: &str) -> Result<Cluster, Error> {
        let mut nodes = Vec::new();
        for number in 0..layout.nodes {
            nodes.push(self.node(number, layout, database).await?);
        }
        if layout.has_bus {
            let joined = timeout(PATIENCE, join_bus(&nodes)).await;
            joined.map_err(|_| failed(layout, "not all nodes find the bus".to_owned()))??;
        }
        let before = self.taken(&nodes);
        sleep(IDLE).await;
        let after = self.taken(&nodes);
        let share = |of: fn(&Shares) -> Option<f64>| Some((of(&after)? - of(&before)?) / IDLE.as_secs_f64());
        let idle = Shares {
            nodes: share(|all| all.nodes),
            database: share(|all| all.database),
            bus: share(|all| all.bus),
        };
        Ok(Cluster { nodes, idle })
    }

    async fn node(&self, number: usize, layout: Layout, database: &str) -> Result<Server, Error> {
        let address = free_address()?;
        let mut command = self.machine.command(Role::Server, std::fs::canonicalize(&self.arguments.lobby)?);
        command.current_dir(&self.arguments.folder);
        let bus = if layout.has_bus { self.arguments.bus.as_str() } else { "none" };
        for (name, value) in [
            ("LOBBY_DATABASE__URL", database),
            ("LOBBY_BUS__URL", bus),
            ("LOBBY_CLUSTER__ADDRESS", &format!("http://{address}")),
            ("LOBBY_SERVER__PORT", &address.port().to_string()),
            ("LOBBY_LOG__LEVEL", "error"),
            // All of them come from one address.
            ("LOBBY_LIMITS__ENABLED", "false"),
            ("SECRET_KEY", SECRET),
        ] {
            command.env(name, value);
        }
        let log = self.arguments.folder.join(format!("node-{number}.log"));
        Server::run(&format!("node {number} of {}", layout.name()), command, address, &log, true).await
    }

    /// Seconds that all have taken so far.
    fn taken(&self, nodes: &[Server]) -> Shares {
        let family = |pid: Option<u32>| Process::new(pid?).family_seconds();
        Shares {
            nodes: nodes.iter().map(|node| family(node.id())).sum(),
            database: family(self.arguments.database_pid),
            bus: family(self.arguments.bus_pid),
        }
    }

    /// Runs this program again, as the generator.
    async fn load(&self, cluster: &Cluster, layout: Layout, load: Load) -> Result<fan::Report, Error> {
        let mut command = self.machine.command(Role::Generator, std::env::current_exe()?);
        command.args(self.words(cluster, load)).stdin(Stdio::null()).stderr(Stdio::piped());
        let output = timeout(self.arguments.duration * 2 + PATIENCE, command.output()).await;
        let output = output.map_err(|_| failed(layout, "the load does not end".to_owned()))??;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            failed(layout, said.trim().trim_start_matches("lobby-load: ").to_owned())
        })
    }

    fn words(&self, cluster: &Cluster, load: Load) -> Vec<String> {
        let Arguments { duration, database_pid, bus_pid, .. } = *self.arguments;
        let (receivers, senders, pace) = load.crowd(self.arguments);
        let (pace, value) = match pace {
            Pace::InFlight(each) => ("--in-flight", each.to_string()),
            Pace::Rate(rate) => ("--rate", rate.to_string()),
        };
        let spelled = |duration: Duration| format!("{}ms", duration.as_millis());
        let mut flags = vec![
            ("--receivers", receivers.to_string()),
            ("--senders", senders.to_string()),
            (pace, value),
            ("--size", SIZE.to_string()),
            ("--duration", spelled(duration)),
            ("--warm-up", spelled(duration / 3)),
            ("--json", "-".to_owned()),
            ("--url", cluster.nodes[0].url()),
        ];
        flags.extend(cluster.nodes[1..].iter().map(|node| ("--node", node.url())));
        let nodes = cluster.nodes.iter().map(|node| (NODE, node.id()));
        let beside = [(DATABASE, database_pid), (BUS, bus_pid)];
        let beside = nodes.chain(beside).filter_map(|(name, pid)| Some(format!("{name}={}", pid?)));
        flags.extend(beside.map(|one| ("--beside", one)));
        let words = flags.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        std::iter::once("fan".to_owned()).chain(words).collect()
    }
}

/// Waits until all are on the bus: they are ready without it too.
async fn join_bus(nodes: &[Server]) -> std::io::Result<()> {
    for node in nodes {
        while !node.readiness().await?.contains(r#""state":"connected""#) {
            sleep(AGAIN).await;
        }
    }
    Ok(())
}

fn failed(layout: Layout, why: String) -> Error {
    Error::Server { server: layout.name(), why }
}
