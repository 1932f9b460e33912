//! What shards are fed.

use std::sync::Arc;

use lobby_domain::message::MessageId;
use lobby_domain::roster::{Batch, Roster};
use lobby_domain::session::{Session, SessionId};

use tokio::sync::mpsc;

use super::measure::Measured;
use super::snapshot::Snapshot;
use crate::metrics::Delivering;
use crate::realtime::encode::Encoded;
use crate::realtime::farewell::Farewell;
use crate::realtime::run::Run;
use crate::realtime::typing::Typing;

/// What a shard is fed, in order. Whatever is for every shard is shared.
#[derive(Clone)]
pub(in crate::realtime) enum ToShard {
    /// Tell everybody who may know.
    Deliver(Arc<Happened>),
    /// Tell whom it is for, if they are not busy.
    Typing(Arc<Typing>),
    /// Let a connection in that has asked for it.
    Admit(Ticket, Welcome),
    /// Close the connection of this `pid`: its client has come back on another.
    Supersede(u128),
    /// Tell everybody anew who is online: changes of it are lost.
    Renew(Arc<Renewal>),
    /// Say what the connections are like.
    Measure(mpsc::Sender<Measured>),
    /// Messages are lost for everybody who is connected: the log keeps them no more.
    Pruned,
    /// Tell every connection to go elsewhere: the node goes away.
    SayGoodbye(Farewell),
    /// Close every connection: the log is another one, or there is no time left.
    CloseAll,
}

/// What has happened at one moment.
#[derive(Default)]
pub(in crate::realtime) struct Happened {
    /// Messages, in order.
    pub(in crate::realtime) messages: Vec<Run>,
    /// Who came and went, if it is time to tell.
    pub(in crate::realtime) changes: Option<Publication>,
    /// The sessions that are over, whose connections are closed behind all that. Sorted.
    pub(in crate::realtime) ends: Vec<SessionId>,
    /// The sessions that ran out, and may be back, which would be known later: those with connections here are looked up. Sorted.
    pub(in crate::realtime) expired: Vec<SessionId>,
    /// Dropped with the last of this, when everything is written.
    pub(in crate::realtime) delivering: Option<Delivering>,
}

impl Happened {
    pub(super) fn is_nothing(&self) -> bool {
        self.messages.is_empty() && self.is_nothing_but_messages()
    }

    /// The message, where that is all.
    pub(in crate::realtime) fn lone(&self) -> Option<&Encoded> {
        let [run] = &*self.messages else { return None };
        let [message] = run.each() else { return None };
        self.is_nothing_but_messages().then_some(message)
    }

    fn is_nothing_but_messages(&self) -> bool {
        self.changes.is_none() && self.ends.is_empty() && self.expired.is_empty()
    }
}

/// Changes of who is online, as one event and as one each.
pub(in crate::realtime) struct Publication {
    /// For those who have asked for batches.
    pub(in crate::realtime) batch: Encoded,
    /// For all others, in order.
    pub(in crate::realtime) each: Vec<Encoded>,
}

impl From<&Batch> for Publication {
    fn from(batch: &Batch) -> Self {
        Self { batch: Encoded::batch(batch), each: batch.changes.iter().map(Encoded::change).collect() }
    }
}

/// The list, begun anew.
pub(in crate::realtime) struct Renewal {
    /// What nobody in particular is told.
    pub(in crate::realtime) snapshot: Snapshot,
    /// Among them who is told.
    pub(in crate::realtime) living: Roster,
}

/// Which connection of a shard is meant. Keys are used again, serial numbers are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::realtime) struct Ticket {
    pub(in crate::realtime) key: usize,
    pub(in crate::realtime) serial: u64,
}

/// Whose a connection is.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::realtime) struct Identity {
    /// The session that was proved.
    pub(in crate::realtime) proved: Option<SessionId>,
    /// The session whose end is the connection's end.
    pub(in crate::realtime) ends_with: Option<SessionId>,
}

/// Where in the log a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::realtime) enum Start {
    /// With what is said from now on.
    Now,
    /// Behind a message, of which the log has all that follows.
    After { position: MessageId, recovered: bool },
}

/// Who asks to be let in, and where it begins.
pub(in crate::realtime) struct Arrival {
    pub(in crate::realtime) identity: Identity,
    /// The session that was proved, as storage had it.
    pub(in crate::realtime) user: Option<Session>,
    pub(in crate::realtime) start: Start,
}

/// How a connection is received.
#[derive(Clone)]
pub(in crate::realtime) enum Welcome {
    /// With its `session` event, which says this.
    Session(Box<Snapshot>),
    /// The node goes away.
    GoingAway,
}
