//! Which nodes there are, and what they are put under.

use serde::{Deserialize, Serialize};

use super::Arguments;
use crate::fan::Pace;

/// So many nodes on one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) nodes: usize,
    /// Whether they tell each other at once, or look into the database.
    pub(crate) has_bus: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Load {
    /// Few clients, all of whom have several messages under way: how many messages there can be.
    Talk,
    /// Many listen, and some have several messages under way: how many deliveries there can be.
    Crowd,
    /// At a pace that is given, few listen.
    PacedFew,
    /// At the same pace, many do: what is more is what deliveries cost.
    PacedMany,
}

/// Who has messages under way, of many.
const SPEAKERS: usize = 12;

/// How many each has.
const IN_FLIGHT: u32 = 4;

impl Layout {
    /// The first is what the others are compared with.
    pub(crate) const ALL: [Self; 5] = [
        Self { nodes: 1, has_bus: false },
        Self { nodes: 1, has_bus: true },
        Self { nodes: 2, has_bus: true },
        Self { nodes: 3, has_bus: true },
        Self { nodes: 3, has_bus: false },
    ];

    pub(crate) fn name(self) -> String {
        let nodes = if self.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", self.nodes) };
        format!("{nodes}{}", if self.has_bus { ", bus" } else { "" })
    }
}

impl Load {
    pub(crate) const ALL: [Self; 4] = [Self::Talk, Self::Crowd, Self::PacedFew, Self::PacedMany];

    /// Receivers, senders and pace.
    pub(super) fn crowd(self, arguments: &Arguments) -> (usize, usize, Pace) {
        let Arguments { few, many, rate, .. } = *arguments;
        let speakers = few.min(SPEAKERS);
        match self {
            Self::Talk => (few, few, Pace::InFlight(IN_FLIGHT)),
            Self::Crowd => (many, speakers, Pace::InFlight(IN_FLIGHT)),
            Self::PacedFew => (few, speakers, Pace::Rate(rate)),
            Self::PacedMany => (many, speakers, Pace::Rate(rate)),
        }
    }
}
