//! All that was measured.

use serde::{Deserialize, Serialize};

use super::layout::{Layout, Load};
use crate::compare::disk::Syncs;
use crate::compare::machine::Machine;
use crate::fan;

/// What everybody is called whose processor time is told. All nodes are called the same.
pub(super) const NODE: &str = "node";
pub(super) const DATABASE: &str = "PostgreSQL";
pub(super) const BUS: &str = "Redis";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// One before each round.
    pub(crate) syncs: Vec<Syncs>,
    pub(crate) runs: Vec<Run>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) round: usize,
    pub(crate) layout: Layout,
    pub(crate) load: Load,
    /// What they had taken before, with nobody there.
    pub(crate) idle: Shares,
    pub(crate) report: fan::Report,
}

/// Of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shares {
    /// Of all nodes together.
    pub(crate) nodes: Option<f64>,
    pub(crate) database: Option<f64>,
    pub(crate) bus: Option<f64>,
}

/// Whose share it is.
pub(super) type Whose = fn(&Shares) -> Option<f64>;

impl Results {
    /// Whether everybody got everything once and in order, and nobody was refused or cut.
    pub(crate) fn is_clean(&self) -> bool {
        self.runs.iter().all(|run| run.report.is_clean())
    }
}

impl Run {
    fn busy(&self) -> Shares {
        let of = |name| {
            let all = self.report.beside.iter().filter(|(one, _)| one == name);
            all.map(|(_, cost)| cost.cpu_share).reduce(|sum, one| sum + one)
        };
        Shares { nodes: of(NODE), database: of(DATABASE), bus: of(BUS) }
    }

    /// Microseconds of a processor for each message, less what is taken while nothing is said.
    pub(super) fn micros_a_message(&self, whose: Whose) -> Option<f64> {
        let more = whose(&self.busy())? - whose(&self.idle)?;
        let rate = self.report.messages_per_second;
        (rate > 0.0).then(|| more / rate * 1e6)
    }
}
