use std::cell::Cell;
use std::sync::Arc;

use lobby_domain::limits::{Holder, NoSeat, Place, Visitor};
use lobby_domain::session::SessionId;

use super::{Deed, Post, no_room, refuse};
use crate::refusal::Refusal;

/// A connection's place among those that there may be, until it is dropped.
#[must_use = "the seat is given back when this is dropped"]
pub struct Seat {
    post: Option<Arc<Post>>,
    place: Option<Place>,
    /// Whether what the handshake has taken of the place and of all is still to be used, by the first who comes in.
    is_paid: Cell<bool>,
}

impl Seat {
    pub(super) fn take(post: Option<Arc<Post>>, place: Option<Place>) -> Result<Self, NoSeat> {
        if let Some(post) = &post {
            post.seats().take(place)?;
        }
        Ok(Self { post, place, is_paid: Cell::new(true) })
    }

    /// Somebody comes in who is no session: that is what the handshake has paid for.
    pub(crate) fn enter_as_nobody(&self) {
        self.is_paid.set(false);
    }

    /// From where it comes.
    pub(crate) fn place(&self) -> Option<Place> {
        self.place
    }

    /// It turns out whose the connection is, which has been counted as an event; the session has this seat, too. If it may have none,
    /// its place and all get back what the handshake and that event have taken; what the event has taken of the session stays taken, for
    /// it was looked up. Over one connection a session may be refused again and again, or others come in after it: those after the first
    /// pay as new connections.
    pub(crate) fn enter(&self, session: SessionId) -> Result<OwnSeat, Refusal> {
        let Some(post) = &self.post else { return Ok(OwnSeat(None)) };
        let entered = self.try_enter(post, Holder::from(session));
        entered.inspect_err(|_| post.limiter(Deed::Event).give_back(self.place))
    }

    fn try_enter(&self, post: &Arc<Post>, holder: Holder) -> Result<OwnSeat, Refusal> {
        let is_paid = self.is_paid.replace(false);
        let mut connections = post.limiter(Deed::Connection);
        if let Err(no_seat) = post.seats().take_for(holder) {
            if is_paid {
                connections.give_back(self.place);
            }
            return Err(no_room(no_seat));
        }
        let own = OwnSeat(Some((post.clone(), holder)));
        let visitor = Visitor { place: self.place, holder: Some(holder) };
        let taken = if is_paid {
            connections.take_for(visitor, post.now())
        } else {
            connections.take(visitor, post.now())
        };
        taken.map_err(|exceeded| refuse(Deed::Connection, exceeded))?;
        Ok(own)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(post) = &self.post {
            post.seats().leave(self.place);
        }
    }
}

/// A session's place for one of its connections, until it is dropped.
#[must_use = "the seat is given back when this is dropped"]
pub struct OwnSeat(Option<(Arc<Post>, Holder)>);

impl Drop for OwnSeat {
    fn drop(&mut self) {
        if let Some((post, holder)) = &self.0 {
            post.seats().leave_for(*holder);
        }
    }
}

/// A TCP connection, as it is counted until it is dropped.
#[must_use = "it is no longer counted when this is dropped"]
pub struct Socket {
    post: Option<Arc<Post>>,
    place: Cell<Option<Place>>,
}

impl Socket {
    pub(super) fn take(post: Option<Arc<Post>>, place: Option<Place>) -> Result<Self, NoSeat> {
        if let Some(post) = &post {
            post.sockets().take(place)?;
        }
        Ok(Self { post, place: Cell::new(place) })
    }

    /// It turns out that the other end is a node, which passes on what many people send: it is one of all, and no longer one of a place.
    pub(crate) fn is_a_nodes(&self) {
        if let (Some(post), Some(place)) = (&self.post, self.place.take()) {
            post.sockets().let_go(place);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(post) = &self.post {
            post.sockets().leave(self.place.get());
        }
    }
}
