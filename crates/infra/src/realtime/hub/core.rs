//! What a hub knows: where log and list stand, and whom to tell.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lobby_domain::event::{DepartureReason, Revision};
use lobby_domain::message::LogId;
use lobby_domain::ports::{LogHead, Online};
use lobby_domain::roster::{Change, Roster};
use lobby_domain::session::SessionId;
use lobby_domain::timeline::{Released, Timeline};
use tokio::sync::mpsc;

use super::feed::{Arrival, Happened, Publication, Renewal, Start, ToShard, Welcome};
use super::publications::Publications;
use super::snapshot::Snapshot;
use crate::metrics::Metrics;
use crate::realtime::encode::Encoded;
use crate::realtime::recent::Recent;
use crate::realtime::run::Run;

pub(in crate::realtime) struct Core {
    pub(super) log: LogId,
    pub(in crate::realtime) timeline: Timeline<Encoded>,
    pub(super) recent: Recent,
    pub(in crate::realtime) changes: Timeline<Change>,
    /// Who is online, as far as is known: more than has been told already.
    pub(in crate::realtime) living: Roster,
    pub(super) publications: Publications,
    /// Sessions with connections here that are not known to be alive: to be looked up.
    pub(in crate::realtime) doubts: BTreeSet<SessionId>,
    pub(super) shards: Vec<mpsc::Sender<ToShard>>,
    /// How many shards were ever added.
    pub(super) attached: u64,
    pub(super) closing: bool,
    pub(super) metrics: Metrics,
}

impl Core {
    pub(super) fn new(online: Online, head: &LogHead, snapshot: usize) -> Self {
        let living = Roster::new(online.revision, online.sessions);
        Self {
            log: head.log,
            timeline: Timeline::new(head.last_id.0),
            recent: Recent::default(),
            changes: Timeline::new(online.revision.0),
            publications: Publications::new(living.clone(), snapshot),
            living,
            doubts: BTreeSet::new(),
            shards: Vec::new(),
            attached: 0,
            closing: false,
            metrics: Metrics::default(),
        }
    }

    /// What shards are fed when messages were let out.
    pub(super) fn said(&mut self, released: Released<Encoded>) -> ToShard {
        if released.gap {
            // What the gap let out can be had from the log by whoever comes back.
            self.recent = Recent::default();
            return ToShard::Pruned;
        }
        self.remember(released).into()
    }

    /// The same of whatever was let out at one moment, without a gap in it.
    pub(super) fn happened(
        &mut self,
        messages: Released<Encoded>,
        changes: Released<Change>,
        now: Duration,
    ) -> Happened {
        let Happened { messages, delivering, .. } = self.remember(messages);
        let (mut ends, mut expired) = (Vec::new(), Vec::new());
        for (_, change) in changes.entries {
            self.metrics.changed(&change);
            self.living.apply(&change);
            if let Change::Left(departure) = &change {
                match departure.reason {
                    DepartureReason::Logout => ends.push(departure.session),
                    DepartureReason::Expired => expired.push(departure.session),
                }
            }
            self.publications.push(change, now);
        }
        for gone in [&mut ends, &mut expired] {
            // Whoever has come back meanwhile need not go.
            gone.retain(|id| self.living.get(*id).is_none());
            gone.sort_unstable();
        }
        Happened { messages, ends, expired, delivering, ..self.due(now) }
    }

    /// What it is time to tell.
    pub(in crate::realtime) fn due(&mut self, now: Duration) -> Happened {
        let changes = self.publications.due(now).as_ref().map(Publication::from);
        Happened { changes, ..Happened::default() }
    }

    /// What is told now so that somebody who is about to be let in has the newest list.
    pub(super) fn early(&mut self, now: Duration) -> Happened {
        let changes = self.publications.early(now).as_ref().map(Publication::from);
        Happened { changes, ..Happened::default() }
    }

    fn remember(&mut self, released: Released<Encoded>) -> Happened {
        let messages = released.entries.into_iter().map(|(_, message)| message);
        let mut received = Vec::new();
        let messages = messages.map(|mut message| {
            // What is kept for those who come back is no longer on its way to anybody.
            received.extend(message.received.take());
            self.recent.push(&message);
            message
        });
        let messages = Run::split(messages);
        Happened { messages, delivering: self.metrics.delivering(received), ..Happened::default() }
    }

    /// Begins anew with a list that storage has; `connected` are the sessions with connections here. It may be older than they are:
    /// of those who are not on it none is known to be over.
    pub(super) fn begin_anew(
        &mut self,
        online: Online,
        connected: impl IntoIterator<Item = SessionId>,
    ) -> Renewal {
        self.changes = Timeline::new(online.revision.0);
        let living = Roster::new(online.revision, online.sessions);
        self.doubts.extend(living.without(connected));
        self.living = living;
        self.publications.reset(self.living.clone());
        let last_id = self.timeline.last();
        let snapshot = Snapshot {
            user: None,
            users: self.publications.users(),
            log: self.log,
            last_id,
            position: last_id,
            // Of messages nothing is lost.
            recovered: true,
        };
        Renewal { snapshot, living: self.living.clone() }
    }

    /// The session was alive when it was proved. If it is not here, it has ended since, or is not known here yet.
    pub(super) fn welcome(&mut self, arrival: Arrival) -> Welcome {
        let Arrival { identity, user, start } = arrival;
        if self.closing {
            return Welcome::GoingAway;
        }
        self.doubts.extend(self.living.without(identity.ends_with));
        let last_id = self.timeline.last();
        let (position, recovered) = match start {
            Start::Now => (last_id, false),
            Start::After { position, recovered } => (position.0, recovered),
        };
        let users = self.publications.users();
        Welcome::Session(Box::new(Snapshot { user, users, log: self.log, last_id, position, recovered }))
    }

    /// The newest change that was let out.
    pub(in crate::realtime) fn revision(&self) -> Revision {
        Revision(self.changes.last())
    }
}

impl From<Happened> for ToShard {
    fn from(happened: Happened) -> Self {
        Self::Deliver(Arc::new(happened))
    }
}
