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

    /// From where it comes.
    pub(crate) fn place(&self) -> Option<Place> {
        self.place
    }

    /// Somebody wants to come in: that is an event, of the session that is shown.
    pub(crate) fn knock(&self, session: Option<SessionId>) -> Result<(), Refusal> {
        let Some(post) = &self.post else { return Ok(()) };
        let visitor = Visitor { place: self.place, holder: session.map(Holder::from) };
        let taken = post.limiter(Deed::Event).take(visitor, post.now());
        taken.map_err(|exceeded| {
            self.give_back(post);
            refuse(Deed::Event, exceeded)
        })
    }

    /// Somebody comes in who has knocked, as that session or as nobody in particular; a session has the seat that it gets, too. The first
    /// is paid for by the handshake; who comes over the same connection later pays as for a new one. For a session that may have no more,
    /// its place and all get back what was taken, also by its knocking; of the session that stays taken, for it was looked up.
    pub(crate) fn enter(&self, session: Option<SessionId>) -> Result<OwnSeat, Refusal> {
        let Some(post) = &self.post else { return Ok(OwnSeat(None)) };
        let entered = self.try_enter(post, session.map(Holder::from));
        entered.inspect_err(|_| post.limiter(Deed::Event).give_back(self.place))
    }

    fn try_enter(&self, post: &Arc<Post>, holder: Option<Holder>) -> Result<OwnSeat, Refusal> {
        if let Some(Err(no_seat)) = holder.map(|holder| post.seats().take_for(holder)) {
            self.give_back(post);
            return Err(no_room(no_seat));
        }
        let own = OwnSeat(holder.map(|holder| (post.clone(), holder)));
        let visitor = Visitor { place: self.place, holder };
        let is_paid = self.is_paid.replace(false);
        let mut connections = post.limiter(Deed::Connection);
        let now = post.now();
        let taken = if is_paid { connections.take_for(visitor, now) } else { connections.take(visitor, now) };
        drop(connections);
        taken.map_err(|exceeded| refuse(Deed::Connection, exceeded))?;
        Ok(own)
    }

    /// What the handshake has taken of the place and of all, once.
    fn give_back(&self, post: &Post) {
        if self.is_paid.replace(false) {
            post.limiter(Deed::Connection).give_back(self.place);
        }
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
