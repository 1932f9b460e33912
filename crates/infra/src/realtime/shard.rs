//! The connections of one worker.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use actix_socketio::{Packet, Socket};
use lobby_domain::session::SessionId;
use lobby_websocket::{CloseCode, Outbox};
use serde_json::value::RawValue;
use slab::Slab;
use tokio::sync::mpsc;

use super::encode::{Encoded, NAMESPACE, plain_event};
use super::hub::{Hub, Identity, Ticket, ToShard, Welcome};

/// Closes a plain connection whose session is over, or that could not say who it is.
pub(super) const UNAUTHENTICATED: CloseCode = CloseCode::private(4401);

/// One worker's connections. It is not `Send`: its worker alone touches them, without locks.
pub struct Shard {
    hub: Arc<Hub>,
    feed: mpsc::Sender<ToShard>,
    members: RefCell<Slab<Member>>,
    next_serial: Cell<u64>,
}

/// Where events for one connection go.
#[derive(Clone)]
pub(super) enum Sink {
    Plain(Outbox),
    SocketIo(Socket),
}

struct Member {
    serial: u64,
    sink: Sink,
    ends_with: Option<SessionId>,
    /// Whether it has had its `session` event. Before that it is told nothing.
    admitted: bool,
}

/// A connection's place among the members; it leaves when this is dropped.
pub(super) struct Membership {
    shard: Rc<Shard>,
    ticket: Ticket,
}

impl Shard {
    /// Adds a shard for the worker that calls this, and feeds it for as long as the worker runs.
    ///
    /// # Panics
    /// Outside an actix worker or system.
    #[must_use]
    pub fn attach(hub: &Arc<Hub>) -> Rc<Self> {
        let (feed, entries) = hub.attach();
        let shard = Rc::new(Self {
            hub: hub.clone(),
            feed,
            members: RefCell::default(),
            next_serial: Cell::default(),
        });
        actix_web::rt::spawn(shard.clone().run(entries));
        shard
    }

    /// Asks for a connection to be let in. Its `session` event is the first it is told.
    pub(super) async fn enter(self: &Rc<Self>, sink: Sink, identity: Identity) -> Membership {
        let serial = self.next_serial.replace(self.next_serial.get() + 1);
        let key = self.members.borrow_mut().insert(Member {
            serial,
            sink,
            ends_with: identity.ends_with,
            admitted: false,
        });
        let membership = Membership { shard: self.clone(), ticket: Ticket { key, serial } };
        self.hub.admit(&self.feed, membership.ticket, identity).await;
        membership
    }

    /// Waits until the node goes away.
    pub(super) async fn closed(&self) {
        self.hub.closed().await;
    }

    async fn run(self: Rc<Self>, mut entries: mpsc::Receiver<ToShard>) {
        while let Some(entry) = entries.recv().await {
            match entry {
                ToShard::Deliver(events) => self.deliver(&events),
                ToShard::Admit(ticket, welcome) => self.admit(ticket, &welcome),
                ToShard::CloseAll => self.close_all(),
            }
        }
    }

    fn deliver(&self, events: &[Encoded]) {
        for (_, member) in self.members.borrow().iter().filter(|(_, member)| member.admitted) {
            for event in events {
                member.sink.send(event);
                if event.ends.is_some() && event.ends == member.ends_with {
                    member.sink.end_session();
                }
            }
        }
    }

    fn admit(&self, ticket: Ticket, welcome: &Welcome) {
        let mut members = self.members.borrow_mut();
        // It may have gone in the meantime, and another may have its key.
        let Some(member) = members.get_mut(ticket.key).filter(|member| member.serial == ticket.serial) else {
            return;
        };
        match welcome {
            Welcome::Session(snapshot) => {
                member.sink.send_own("session", &snapshot.to_json());
                member.admitted = true;
            }
            Welcome::SessionOver => member.sink.end_session(),
            Welcome::GoingAway => member.sink.go_away(),
        }
    }

    fn close_all(&self) {
        for (_, member) in self.members.borrow().iter() {
            member.sink.go_away();
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.shard.members.borrow_mut().remove(self.ticket.key);
    }
}

impl Sink {
    /// A sink that refuses is one whose connection is ending: that is where what comes of it is seen to.
    fn send(&self, event: &Encoded) {
        let _taken = match self {
            Self::Plain(outbox) => outbox.send(&event.plain).is_ok(),
            Self::SocketIo(socket) => socket.send(&event.socketio).is_ok(),
        };
    }

    /// An event for this connection alone.
    fn send_own(&self, name: &str, data: &RawValue) {
        let _taken = match self {
            Self::Plain(outbox) => outbox.send(&plain_event(name, data)).is_ok(),
            Self::SocketIo(socket) => socket.send(&Packet::event(NAMESPACE, name, &[data])).is_ok(),
        };
    }

    /// The client is not to come back by itself: its token is dead.
    fn end_session(&self) {
        match self {
            Self::Plain(outbox) => outbox.close(UNAUTHENTICATED, "session_over"),
            Self::SocketIo(socket) => socket.disconnect(),
        }
    }

    /// The client may come back as soon as it can.
    fn go_away(&self) {
        match self {
            Self::Plain(outbox) => outbox.close(CloseCode::GOING_AWAY, "going_away"),
            Self::SocketIo(socket) => socket.close(),
        }
    }
}
