//! All that was measured.

use serde::{Deserialize, Serialize};

use super::disk::Syncs;
use super::machine::Machine;
use super::scenario::Scenario;
use super::server::Kind;
use crate::{connect, fan};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// One before each round.
    pub(crate) syncs: Vec<Syncs>,
    pub(crate) fans: Vec<Run<fan::Report>>,
    pub(crate) idle: Vec<Run<connect::Report>>,
    /// With one that reads nothing, and without.
    pub(crate) stalled: Vec<Run<fan::Report>>,
    /// For plots: latency over rate, deliveries over receivers, memory over connections.
    pub(crate) rates: Vec<Run<fan::Report>>,
    pub(crate) crowds: Vec<Run<fan::Report>>,
    pub(crate) memory: Vec<Run<connect::Report>>,
    /// What is not as it was asked for, and what could not be measured, in a sentence each.
    pub(crate) notes: Vec<String>,
    pub(crate) failures: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run<T> {
    pub(crate) scenario: Scenario,
    pub(crate) server: Kind,
    pub(crate) round: usize,
    pub(crate) report: T,
}

impl Results {
    pub(crate) fn new(machine: Machine) -> Self {
        let (syncs, notes, failures) = (Vec::new(), Vec::new(), Vec::new());
        let (fans, idle, stalled, rates, crowds, memory) = Default::default();
        Self { machine, syncs, fans, idle, stalled, rates, crowds, memory, notes, failures }
    }

    /// Whether every run came about, and none of those at a pace that servers keep up with had anything wrong.
    pub(crate) fn is_clean(&self) -> bool {
        let fans = self.fans.iter().chain(&self.stalled).all(|run| run.report.is_clean());
        self.failures.is_empty() && fans && self.idle.iter().all(|run| run.report.is_clean())
    }
}
