//! One run after the other.

use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::machine::{Machine, Role};
use super::results::{Results, Run};
use super::scenario::Scenario;
use super::server::{Kind, Server};
use super::{Arguments, disk, stalled};
use crate::clock::Clock;
use crate::error::Error;
use crate::fan::{self, Pace};
use crate::{connect, files, stamp};

/// Bytes of a message to the lobby.
const SIZE: usize = 128;

/// What a run may take more than was thought: then something hangs.
const PATIENCE: f64 = 60.0;

/// A WebSocket header of a text of 126 to 65,535 bytes, from a server.
const HEADER: f64 = 4.0;

/// What ids grow by, in digits, from the first messages to the middle of a run.
const ID_GROWTH: f64 = 2.0;

/// How many times as many rounds there are where the lobby is near to what is wanted of it.
const TURNS: usize = 3;

pub(super) struct Bench<'a> {
    pub(super) arguments: Arguments,
    given: &'a Arguments,
    machine: Machine,
    clock: Clock,
    pub(super) results: Results,
    pub(super) kinds: Vec<Kind>,
    /// Bytes of contents that make the peers' frames as long as the lobby's over Socket.IO.
    node_size: usize,
    floor_size: usize,
}

impl<'a> Bench<'a> {
    pub(super) fn new(given: &'a Arguments) -> Result<Self, Error> {
        let mut arguments = given.clone();
        let machine = Machine::look();
        let mut results = Results::new(machine.clone());
        fit(&mut arguments, &mut results.notes)?;
        if !machine.pinned {
            results
                .notes
                .push("Servers and generator share their processors (one, or no `taskset`).".to_owned());
        }
        if arguments.node.is_none() {
            results.notes.push("Without Socket.IO on Node: `--node` was not given.".to_owned());
        }
        let is_wanted = |kind: &Kind| match kind {
            Kind::Node => arguments.node.is_some(),
            _ => true,
        };
        let kinds =
            Kind::ALL.into_iter().filter(is_wanted).filter(|kind| given.wants_server(kind.name())).collect();
        let clock = Clock::start();
        Ok(Self { arguments, given, machine, clock, results, kinds, node_size: SIZE, floor_size: SIZE })
    }

    pub(super) async fn run(mut self) -> Result<Results, Error> {
        std::fs::create_dir_all(&self.arguments.folder)?;
        self.measure_frames().await?;
        for round in 0..self.arguments.rounds {
            self.results.syncs.push(disk::measure(&self.arguments.folder)?);
            for scenario in Scenario::fans(&self.arguments) {
                self.fan_on_all(scenario, self.kinds.clone(), round).await?;
            }
            self.stalled(round).await?;
            if round == 0 {
                self.idle_on_all().await?;
            }
        }
        self.take_turns().await?;
        if self.arguments.plots.is_some() {
            self.sweep().await?;
        }
        // What is left of the last server.
        let _ = std::fs::remove_dir_all(self.arguments.folder.join("server"));
        Ok(self.results)
    }

    /// Like with like: how long the lobby's frames are, and what makes the peers' as long.
    async fn measure_frames(&mut self) -> Result<(), Error> {
        let probe = Scenario::at(10, 100.0);
        let lobby = self.frame_bytes(Kind::LobbySocketio, probe).await? + ID_GROWTH;
        let longer =
            |bytes: f64| usize::try_from(crate::number::whole(bytes)).unwrap_or(SIZE).max(stamp::LEN);
        self.floor_size = longer(lobby - HEADER);
        if self.arguments.node.is_some() {
            let node = self.frame_bytes(Kind::Node, probe).await?;
            self.node_size = longer(crate::number::float_len(SIZE) + lobby - node);
        }
        Ok(())
    }

    async fn frame_bytes(&self, kind: Kind, probe: Scenario) -> Result<f64, Error> {
        let server = Server::start(kind, probe, &self.arguments, &self.machine).await?;
        let report = self.fan(&server, kind, probe, Duration::from_millis(500)).await?;
        server.end().await?;
        Ok(report.frame_bytes)
    }

    /// At a pace that is kept the lobby is some hundredths above what is wanted of it, or below, and from one run to the next a machine varies
    /// by more: there floor and lobby take further turns.
    async fn take_turns(&mut self) -> Result<(), Error> {
        let is_needed = |kind: &Kind| kind.is_lobby() || *kind == Kind::Floor;
        let kinds: Vec<_> = self.kinds.iter().copied().filter(is_needed).collect();
        for round in self.arguments.rounds..self.arguments.rounds * TURNS {
            self.fan_on_all(Scenario::paced(&self.arguments), kinds.clone(), round).await?;
        }
        Ok(())
    }

    async fn fan_on_all(&mut self, scenario: Scenario, kinds: Vec<Kind>, round: usize) -> Result<(), Error> {
        for server in kinds {
            let duration = self.arguments.duration;
            if !self.begin(scenario, server, duration) {
                continue;
            }
            let report = self.fan_on(server, scenario, duration).await;
            if let Some(report) = self.noted(scenario, server, report)? {
                self.results.fans.push(Run { scenario, server, round, report });
            }
        }
        Ok(())
    }

    async fn idle_on_all(&mut self) -> Result<(), Error> {
        let scenario = Scenario::Idle { connections: self.arguments.connections };
        for server in self.kinds.clone().into_iter().filter(|kind| kind.has_heartbeats()) {
            let idle = self.arguments.idle;
            if !self.begin(scenario, server, idle) {
                continue;
            }
            let report = self.idle_on(server, self.arguments.connections, idle).await;
            if let Some(report) = self.noted(scenario, server, report)? {
                self.results.idle.push(Run { scenario, server, round: 0, report });
            }
        }
        Ok(())
    }

    pub(super) async fn fan_on(
        &self,
        kind: Kind,
        scenario: Scenario,
        duration: Duration,
    ) -> Result<fan::Report, Error> {
        let server = Server::start(kind, scenario, &self.arguments, &self.machine).await?;
        let report = self.fan(&server, kind, scenario, duration).await;
        server.end().await?;
        report
    }

    pub(super) async fn idle_on(
        &self,
        kind: Kind,
        connections: usize,
        idle: Duration,
    ) -> Result<connect::Report, Error> {
        let scenario = Scenario::Idle { connections };
        let server = Server::start(kind, scenario, &self.arguments, &self.machine).await?;
        let mut words = vec!["connect".to_owned()];
        words.extend(
            [("--connections", connections.to_string()), ("--idle", spelled(idle))].map(flag).concat(),
        );
        let report = self.generate(&server, kind, words, scenario.estimate(idle.as_secs_f64())).await;
        server.end().await?;
        report
    }

    async fn fan(
        &self,
        server: &Server,
        kind: Kind,
        scenario: Scenario,
        duration: Duration,
    ) -> Result<fan::Report, Error> {
        let (receivers, senders, pace) =
            scenario.crowd().expect("only where somebody talks is a fan asked for");
        let size = match kind {
            _ if scenario.outbox().is_some() => stalled::SIZE,
            Kind::Floor | Kind::FloorBatch => self.floor_size,
            Kind::Node => self.node_size,
            Kind::LobbySocketio | Kind::LobbyWs => SIZE,
        };
        let pace = match pace {
            Pace::InFlight(each) => ("--in-flight", each.to_string()),
            Pace::Rate(rate) => ("--rate", rate.to_string()),
        };
        let flags = [
            ("--receivers", receivers.to_string()),
            ("--senders", senders.to_string()),
            pace,
            ("--size", size.to_string()),
            ("--stalled", scenario.stalled().to_string()),
            ("--duration", spelled(duration)),
            ("--warm-up", spelled(duration / 3)),
        ];
        let words = [vec!["fan".to_owned()], flags.map(flag).concat()].concat();
        self.generate(server, kind, words, scenario.estimate(duration.as_secs_f64())).await
    }

    /// Runs this program again, as the generator.
    async fn generate<T: DeserializeOwned>(
        &self,
        server: &Server,
        kind: Kind,
        words: Vec<String>,
        estimate: f64,
    ) -> Result<T, Error> {
        let failed = |why: String| Error::Server { server: format!("the load on {}", kind.name()), why };
        let mut command = self.machine.command(Role::Generator, std::env::current_exe()?);
        command.args(words).args([
            "--url",
            &server.url(),
            "--protocol",
            kind.protocol().name(),
            "--json",
            "-",
        ]);
        if let Some(id) = server.id() {
            command.args(["--server-pid", &id.to_string()]);
        }
        if !kind.is_lobby() {
            command.arg("--no-login");
        }
        let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output();
        let output = timeout(Duration::from_secs_f64(estimate + PATIENCE), output).await;
        let output = output.map_err(|_| failed("it does not end".to_owned()))??;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            failed(said.trim().trim_start_matches("lobby-load: ").to_owned())
        })
    }

    /// Says whether it is wanted and there is time for it, and tells that it begins.
    pub(super) fn begin(&mut self, scenario: Scenario, server: Kind, measured: Duration) -> bool {
        let what = format!("{}: {}", scenario.title(), server.name());
        if !self.given.wants_scenario(&scenario.title()) {
            return false;
        }
        let end =
            self.clock.elapsed() + Duration::from_secs_f64(scenario.estimate(measured.as_secs_f64() * 1.4));
        if end > self.arguments.within {
            self.results.notes.push(format!("Left out, for there was no time: {what}."));
            return false;
        }
        let seconds = self.clock.elapsed().as_secs();
        // Progress is for whoever looks.
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{seconds:>4} s  {what}\n"));
        true
    }

    /// A run that fails is told in the end; the others go on.
    pub(super) fn noted<T>(
        &mut self,
        scenario: Scenario,
        server: Kind,
        report: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match report {
            Ok(report) => Ok(Some(report)),
            Err(Error::System(error)) => Err(error.into()),
            Err(error) => {
                self.results.failures.push(format!("{}, {}: {error}", scenario.title(), server.name()));
                Ok(None)
            }
        }
    }
}

impl Arguments {
    fn wants_server(&self, name: &str) -> bool {
        let servers =
            self.only.iter().filter(|word| Kind::ALL.iter().any(|kind| kind.name().contains(*word)));
        let mut servers = servers.peekable();
        servers.peek().is_none() || servers.any(|word| name.contains(word))
    }

    fn wants_scenario(&self, title: &str) -> bool {
        let loads = self.only.iter().filter(|word| !Kind::ALL.iter().any(|kind| kind.name().contains(*word)));
        let mut loads = loads.peekable();
        loads.peek().is_none() || loads.any(|word| title.to_lowercase().contains(&word.to_lowercase()))
    }
}

/// As many connections as this machine lets a process have.
fn fit(arguments: &mut Arguments, notes: &mut Vec<String>) -> Result<(), Error> {
    let most = files::most();
    for count in [&mut arguments.receivers, &mut arguments.many, &mut arguments.connections] {
        if *count > most {
            notes.push(format!(
                "{most} connections instead of {count}: the system allows no more open files."
            ));
            *count = most;
        }
    }
    files::allow(arguments.receivers.max(arguments.many).max(arguments.connections))
}

fn flag((name, value): (&str, String)) -> Vec<String> {
    vec![name.to_owned(), value]
}

fn spelled(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
