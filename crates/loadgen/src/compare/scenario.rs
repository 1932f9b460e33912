//! What the servers are put under.

use serde::{Deserialize, Serialize};

use super::{Arguments, stalled};
use crate::fan::Pace;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    Fan {
        receivers: usize,
        senders: usize,
        pace: Pace,
    },
    /// So many besides the receivers read nothing.
    Stalled {
        receivers: usize,
        stalled: usize,
    },
    Idle {
        connections: usize,
    },
}

/// Seconds that a run takes besides what is measured: to start the server, and for each thousand to log in and connect.
const START: f64 = 2.0;
const PER_THOUSAND: f64 = 2.0;

impl Scenario {
    /// Those of each round.
    pub(crate) fn fans(arguments: &Arguments) -> [Self; 4] {
        let Arguments { receivers, many, .. } = *arguments;
        let talkers = (receivers / 20).max(1);
        [
            Self::saturated(receivers),
            Self::paced(arguments),
            // Everybody has one message on its way: what two-way traffic costs.
            Self::Fan { receivers: talkers, senders: talkers, pace: Pace::InFlight(1) },
            Self::Fan { receivers: many, senders: 1, pace: Pace::Rate(5.0) },
        ]
    }

    pub(crate) fn paced(arguments: &Arguments) -> Self {
        Self::at(arguments.receivers, 50.0)
    }

    pub(crate) fn saturated(receivers: usize) -> Self {
        Self::Fan { receivers, senders: receivers.min(10), pace: Pace::InFlight(4) }
    }

    pub(crate) fn at(receivers: usize, rate: f64) -> Self {
        Self::Fan { receivers, senders: receivers.min(10), pace: Pace::Rate(rate) }
    }

    pub(crate) fn title(&self) -> String {
        match *self {
            Self::Fan { receivers, senders, pace: Pace::InFlight(each) } if receivers == senders => {
                format!("{receivers} senders and receivers, {each} in flight each")
            }
            Self::Fan { receivers, senders, pace: Pace::InFlight(each) } => {
                format!("Saturated: {receivers} receivers, {senders} senders, {each} in flight each")
            }
            Self::Fan { receivers, pace: Pace::Rate(rate), .. } => {
                format!("{rate} messages a second to {receivers}")
            }
            Self::Stalled { receivers, stalled, .. } => {
                format!("Stalled: {} messages a second to {receivers}, and {stalled} more", stalled::RATE)
            }
            Self::Idle { connections } => format!("{connections} idle connections"),
        }
    }

    /// Receivers, senders and pace, where somebody talks.
    pub(super) fn crowd(&self) -> Option<(usize, usize, Pace)> {
        match *self {
            Self::Fan { receivers, senders, pace } => Some((receivers, senders, pace)),
            Self::Stalled { receivers, .. } => {
                Some((receivers, receivers.min(10), Pace::Rate(stalled::RATE)))
            }
            Self::Idle { .. } => None,
        }
    }

    /// How many read nothing.
    pub(super) fn stalled(&self) -> usize {
        match *self {
            Self::Stalled { stalled, .. } => stalled,
            _ => 0,
        }
    }

    /// Bytes of a lobby's outbox, where it is not the lobby's own default.
    pub(super) fn outbox(&self) -> Option<usize> {
        match *self {
            Self::Stalled { .. } => Some(stalled::OUTBOX),
            _ => None,
        }
    }

    /// Seconds that it takes, where it takes long.
    pub(crate) fn estimate(&self, measured: f64) -> f64 {
        let (Self::Fan { receivers: connections, .. }
        | Self::Stalled { receivers: connections, .. }
        | Self::Idle { connections }) = *self;
        START + measured + PER_THOUSAND * crate::number::float_len(connections) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_say_what_is_done() {
        let two_way = Scenario::Fan { receivers: 50, senders: 50, pace: Pace::InFlight(1) };
        let stalled = Scenario::Stalled { receivers: 9, stalled: 1 };
        for (scenario, title) in [
            (Scenario::saturated(1000), "Saturated: 1000 receivers, 10 senders, 4 in flight each"),
            (Scenario::at(1000, 50.0), "50 messages a second to 1000"),
            (two_way, "50 senders and receivers, 1 in flight each"),
            (stalled, "Stalled: 50 messages a second to 9, and 1 more"),
            (Scenario::Idle { connections: 5 }, "5 idle connections"),
        ] {
            assert_eq!(scenario.title(), title);
        }
    }
}
