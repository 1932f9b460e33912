//! Lets in, as often as the limits say: the rules of [`lobby_domain::limits`], for all workers of a node at once.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use lobby_domain::limits::{Exceeded, Holder, Limiter, NoSeat, Place, Quotas, Room, Scope, Seats, Visitor};
use lobby_domain::ports::Allowance;
use lobby_domain::session::SessionId;
use tokio::time::Instant;

use crate::refusal::{Code, Refusal, whole_seconds};

mod seat;
pub use seat::{OwnSeat, Seat, Socket};

/// Seconds after which somebody may try again for whom there was no room: when there will be some, nobody knows. Long enough
/// that a crowd outside costs little.
pub(crate) const ROOM_AFTER: u32 = 5;

/// What there is a limit for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Log-ins.
    pub log_ins: Quotas,
    /// Connections that are opened.
    pub connections: Quotas,
    /// Messages that are said.
    pub messages: Quotas,
    /// Whatever else is asked for.
    pub events: Quotas,
    /// Connections that there are.
    pub room: Room,
    /// TCP connections that there are, whatever is said over them; nobody's are counted by session.
    pub sockets: Room,
}

/// Lets in, or says when to come back. Clones are the same one.
///
/// What is done often takes one turn under a lock of its own, a std mutex that is held for three looks into a map.
#[derive(Clone)]
pub struct Doorman(Option<Arc<Post>>);

struct Post {
    started: Instant,
    log_ins: Mutex<Limiter>,
    connections: Mutex<Limiter>,
    messages: Mutex<Limiter>,
    events: Mutex<Limiter>,
    seats: Mutex<Seats>,
    sockets: Mutex<Seats>,
    /// Who has shown nothing is remembered by a hash that nobody outside can aim at.
    unproved: RandomState,
}

/// What is limited, as refusals call it.
#[derive(Debug, Clone, Copy)]
enum Deed {
    LogIn,
    Connection,
    Message,
    Event,
}

impl Doorman {
    /// By these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self(Some(Arc::new(Post {
            started: Instant::now(),
            log_ins: Mutex::new(Limiter::new(&limits.log_ins)),
            connections: Mutex::new(Limiter::new(&limits.connections)),
            messages: Mutex::new(Limiter::new(&limits.messages)),
            events: Mutex::new(Limiter::new(&limits.events)),
            seats: Mutex::new(Seats::new(limits.room)),
            sockets: Mutex::new(Seats::new(limits.sockets)),
            unproved: RandomState::new(),
        })))
    }

    /// Lets everybody in.
    #[must_use]
    pub fn away() -> Self {
        Self(None)
    }

    /// Somebody logs in.
    pub fn log_in(&self, visitor: Visitor) -> Result<(), Refusal> {
        self.take(Deed::LogIn, visitor)
    }

    /// Somebody says something.
    pub fn message(&self, visitor: Visitor) -> Result<(), Refusal> {
        self.take(Deed::Message, visitor)
    }

    /// Somebody asks for something else.
    pub fn event(&self, visitor: Visitor) -> Result<(), Refusal> {
        self.take(Deed::Event, visitor)
    }

    /// A connection comes; it has the seat until it is gone.
    pub fn connection(&self, place: Option<Place>) -> Result<Seat, Refusal> {
        let seat = Seat::take(self.0.clone(), place).map_err(no_room)?;
        self.take(Deed::Connection, Visitor { place, holder: None })?;
        Ok(seat)
    }

    /// A TCP connection comes, from a place or of many people; it is counted until it is dropped. Or whose limit it has met.
    pub fn socket(&self, place: Option<Place>) -> Result<Socket, Scope> {
        Socket::take(self.0.clone(), place).map_err(|NoSeat(scope)| scope)
    }

    fn take(&self, deed: Deed, visitor: Visitor) -> Result<(), Refusal> {
        let Some(post) = &self.0 else { return Ok(()) };
        post.limiter(deed).take(visitor, post.now()).map_err(|exceeded| refuse(deed, exceeded))
    }
}

impl Allowance for Doorman {
    /// Where [`Doorman::message`] knew only where it comes from.
    fn speak_as(&self, session: SessionId, from: Option<Place>) -> Result<(), Exceeded> {
        let Some(post) = &self.0 else { return Ok(()) };
        let holder = Holder::unproved(post.unproved.hash_one((session, from)));
        post.limiter(Deed::Message).take_for(Visitor { place: from, holder: Some(holder) }, post.now())
    }
}

impl Post {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn limiter(&self, deed: Deed) -> MutexGuard<'_, Limiter> {
        let limiter = match deed {
            Deed::LogIn => &self.log_ins,
            Deed::Connection => &self.connections,
            Deed::Message => &self.messages,
            Deed::Event => &self.events,
        };
        limiter.lock().expect("nothing panics while it looks")
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().expect("nothing panics while it counts")
    }

    fn sockets(&self) -> MutexGuard<'_, Seats> {
        self.sockets.lock().expect("nothing panics while it counts")
    }
}

/// Where a request comes from, once [`crate::http::client::guard`] has looked who it is.
#[must_use]
pub fn place_of(peer: Option<SocketAddr>) -> Option<Place> {
    peer.map(|peer| Place::of(peer.ip()))
}

/// Somebody has said too much, where it turned out later as whom.
pub(crate) fn too_many_messages(exceeded: Exceeded) -> Refusal {
    refuse(Deed::Message, exceeded)
}

fn refuse(deed: Deed, Exceeded { scope, wait }: Exceeded) -> Refusal {
    let seconds = whole_seconds(wait);
    let what = match deed {
        Deed::LogIn => "log-ins",
        Deed::Connection => "new connections",
        Deed::Message => "messages",
        Deed::Event => "requests",
    };
    let (code, whose) = match scope {
        Scope::Holder => (Code::RateLimited, " of this session"),
        Scope::Place => (Code::RateLimited, " from this address"),
        Scope::All => (Code::Overloaded, ""),
    };
    let detail = format!("too many {what}{whose}: the next is taken in {seconds} s");
    Refusal { code, detail, retry_after: Some(seconds) }
}

fn no_room(NoSeat(scope): NoSeat) -> Refusal {
    let (code, detail) = match scope {
        Scope::Holder => (Code::TooManyConnections, "this session has as many connections as it may have"),
        Scope::Place => {
            (Code::TooManyConnections, "as many connections are open from this address as may be")
        }
        Scope::All => (Code::Overloaded, "as many connections are open as may be"),
    };
    Refusal { code, detail: detail.to_owned(), retry_after: Some(ROOM_AFTER) }
}

#[cfg(test)]
mod tests;
