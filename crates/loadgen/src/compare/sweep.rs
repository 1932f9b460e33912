//! What the plots show: one thing varied, the rest as it is.

use std::time::Duration;

use super::bench::Bench;
use super::results::Run;
use super::scenario::Scenario;
use super::server::Kind;
use crate::error::Error;
use crate::{connect, fan};

/// Messages a second.
const RATES: [f64; 6] = [25.0, 50.0, 100.0, 200.0, 400.0, 800.0];

/// Behind this a server does not keep up, in milliseconds.
const TOO_LATE: f64 = 1000.0;

const RECEIVERS: [usize; 4] = [10, 100, 1000, 3000];

const CONNECTIONS: [usize; 3] = [1000, 3000, 8000];

const MEASURED: Duration = Duration::from_secs(2);

/// How long memory is given to settle.
const IDLE: Duration = Duration::from_secs(1);

impl Bench<'_> {
    pub(super) async fn sweep(&mut self) -> Result<(), Error> {
        self.sweep_connections().await?;
        self.sweep_receivers().await?;
        self.sweep_rates().await
    }

    /// Each server up to the first rate that it does not keep up with, and that one too.
    async fn sweep_rates(&mut self) -> Result<(), Error> {
        let mut keeping_up = self.kinds.clone();
        for rate in RATES {
            let scenario = Scenario::at(self.arguments.receivers, rate);
            for server in keeping_up.clone() {
                let run = self.fan_run(scenario, server).await?;
                let is_good = |report: &fan::Report| {
                    report.is_clean() && report.latency_ms.is_some_and(|latency| latency.p99 < TOO_LATE)
                };
                if !run.as_ref().is_some_and(|run| is_good(&run.report)) {
                    keeping_up.retain(|kind| *kind != server);
                }
                self.results.rates.extend(run);
            }
        }
        Ok(())
    }

    async fn sweep_receivers(&mut self) -> Result<(), Error> {
        let most = self.arguments.many;
        for receivers in RECEIVERS.into_iter().filter(|count| *count <= most) {
            for server in self.kinds.clone() {
                let run = self.fan_run(Scenario::saturated(receivers), server).await?;
                self.results.crowds.extend(run);
            }
        }
        Ok(())
    }

    async fn sweep_connections(&mut self) -> Result<(), Error> {
        let servers: Vec<_> = self.kinds.iter().copied().filter(|kind| kind.has_heartbeats()).collect();
        let most = self.arguments.connections;
        for connections in CONNECTIONS.into_iter().filter(|count| *count < most) {
            for server in servers.clone() {
                let run = self.idle_run(connections, server).await?;
                self.results.memory.extend(run);
            }
        }
        self.results.memory.extend(self.results.idle.iter().cloned());
        Ok(())
    }

    async fn fan_run(&mut self, scenario: Scenario, server: Kind) -> Result<Option<Run<fan::Report>>, Error> {
        if !self.begin(scenario, server, MEASURED) {
            return Ok(None);
        }
        let report = self.fan_on(server, scenario, MEASURED).await;
        let report = self.noted(scenario, server, report)?;
        Ok(report.map(|report| Run { scenario, server, round: 0, report }))
    }

    async fn idle_run(
        &mut self,
        connections: usize,
        server: Kind,
    ) -> Result<Option<Run<connect::Report>>, Error> {
        let scenario = Scenario::Idle { connections };
        if !self.begin(scenario, server, IDLE) {
            return Ok(None);
        }
        let report = self.idle_on(server, connections, IDLE).await;
        let report = self.noted(scenario, server, report)?;
        Ok(report.map(|report| Run { scenario, server, round: 0, report }))
    }
}
