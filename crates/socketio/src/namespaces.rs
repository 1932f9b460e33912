//! Which namespaces one connection has joined: which packets fit its state, and when it has been without any for too
//! long. Pure: `M` is whatever a member is to the caller, and every call that needs the time is told it.
//!
//! Source: Socket.IO protocol v5, "Connection to a namespace" and "Disconnection from a namespace"; the reference
//! server for what closes the connection.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) struct Namespaces<M> {
    max: usize,
    connect_timeout: Duration,
    slots: Vec<(Rc<str>, Slot<M>)>,
    /// Set exactly while no namespace is joined.
    deadline: Option<Instant>,
}

enum Slot<M> {
    /// The application is thinking about it.
    Joining,
    Joined(M),
    /// The server sent the client out, and the client may not know yet.
    Dismissed,
}

/// Where a packet goes that is no CONNECT.
pub(crate) enum Route<'a, M> {
    Member(&'a mut M),
    /// It was under way when the server sent the client out.
    Stale,
    /// The client has not joined this namespace: the connection is to be closed.
    Refused,
}

/// The connection is to be closed: it has joined this namespace, or asked for it, or has too many.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

impl<M> Namespaces<M> {
    /// None joined `now`: one has to be within `connect_timeout`.
    pub(crate) fn new(max: usize, connect_timeout: Duration, now: Instant) -> Self {
        Self { max, connect_timeout, slots: Vec::new(), deadline: Some(now + connect_timeout) }
    }

    /// When the connection will have been without a namespace for too long.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The client asks to join.
    pub(crate) fn ask(&mut self, namespace: &str) -> Result<Rc<str>, Refused> {
        if self.slots.len() >= self.max {
            self.slots.retain(|(_, slot)| !matches!(slot, Slot::Dismissed));
        }
        match self.find(namespace) {
            Some(index) if matches!(self.slots[index].1, Slot::Dismissed) => {
                self.slots[index].1 = Slot::Joining;
                Ok(Rc::clone(&self.slots[index].0))
            }
            None if self.slots.len() < self.max => {
                let name: Rc<str> = namespace.into();
                self.slots.push((Rc::clone(&name), Slot::Joining));
                Ok(name)
            }
            Some(_) | None => Err(Refused),
        }
    }

    /// The application lets it in.
    pub(crate) fn admit(&mut self, namespace: &str, member: M) {
        if let Some(index) = self.find(namespace) {
            self.slots[index].1 = Slot::Joined(member);
            self.deadline = None;
        }
    }

    /// The application does not let it in.
    pub(crate) fn turn_away(&mut self, namespace: &str) {
        if let Some(index) = self.find(namespace) {
            self.slots.swap_remove(index);
        }
    }

    /// Where an event, an acknowledgement or a DISCONNECT goes.
    pub(crate) fn route(&mut self, namespace: &str) -> Route<'_, M> {
        match self.slots.iter_mut().find(|(name, _)| &**name == namespace) {
            Some((_, Slot::Joined(member))) => Route::Member(member),
            Some((_, Slot::Dismissed)) => Route::Stale,
            Some((_, Slot::Joining)) | None => Route::Refused,
        }
    }

    /// The client has left the namespace.
    pub(crate) fn leave(&mut self, namespace: &str, now: Instant) -> Option<M> {
        let index = self.find(namespace)?;
        let (_, slot) = self.slots.swap_remove(index);
        self.rearm(now);
        match slot {
            Slot::Joined(member) => Some(member),
            Slot::Joining | Slot::Dismissed => None,
        }
    }

    /// The server sends out those members that `is_out` tells of.
    pub(crate) fn dismiss(&mut self, now: Instant, is_out: impl Fn(&M) -> bool) -> Vec<M> {
        let mut out = Vec::new();
        for (_, slot) in &mut self.slots {
            if matches!(slot, Slot::Joined(member) if is_out(member))
                && let Slot::Joined(member) = std::mem::replace(slot, Slot::Dismissed)
            {
                out.push(member);
            }
        }
        self.rearm(now);
        out
    }

    /// Whether the client neither is in a namespace nor asks for one.
    pub(crate) fn is_deserted(&self) -> bool {
        self.slots.iter().all(|(_, slot)| matches!(slot, Slot::Dismissed))
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &M> {
        self.slots
            .iter()
            .filter_map(|(_, slot)| if let Slot::Joined(member) = slot { Some(member) } else { None })
    }

    pub(crate) fn members_mut(&mut self) -> impl Iterator<Item = &mut M> {
        self.slots
            .iter_mut()
            .filter_map(|(_, slot)| if let Slot::Joined(member) = slot { Some(member) } else { None })
    }

    /// The connection has ended: gives back who was in.
    pub(crate) fn clear(&mut self) -> Vec<M> {
        let slots = std::mem::take(&mut self.slots);
        slots
            .into_iter()
            .filter_map(|(_, slot)| if let Slot::Joined(member) = slot { Some(member) } else { None })
            .collect()
    }

    fn find(&self, namespace: &str) -> Option<usize> {
        self.slots.iter().position(|(name, _)| &**name == namespace)
    }

    fn rearm(&mut self, now: Instant) {
        if self.deadline.is_none() && self.members().next().is_none() {
            self.deadline = Some(now + self.connect_timeout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(45);

    fn namespaces() -> (Namespaces<u8>, Instant) {
        let now = Instant::now();
        (Namespaces::new(2, TIMEOUT, now), now)
    }

    fn join(namespaces: &mut Namespaces<u8>, name: &str, member: u8) {
        namespaces.ask(name).unwrap();
        namespaces.admit(name, member);
    }

    fn to(namespaces: &mut Namespaces<u8>, name: &str) -> String {
        match namespaces.route(name) {
            Route::Member(member) => member.to_string(),
            Route::Stale => "stale".to_owned(),
            Route::Refused => "refused".to_owned(),
        }
    }

    #[test]
    fn packets_go_to_the_member_of_their_namespace_only_once_it_is_in() {
        let (mut namespaces, _) = namespaces();
        assert_eq!(to(&mut namespaces, "/"), "refused");
        namespaces.ask("/").unwrap();
        assert_eq!(to(&mut namespaces, "/"), "refused");
        namespaces.admit("/", 7);
        assert_eq!(to(&mut namespaces, "/"), "7");
        assert_eq!(to(&mut namespaces, "/other"), "refused");
    }

    #[test]
    fn asking_twice_for_a_namespace_is_refused_but_not_after_a_refusal_or_a_departure() {
        let (mut namespaces, now) = namespaces();
        namespaces.ask("/").unwrap();
        assert_eq!(namespaces.ask("/"), Err(Refused));
        namespaces.turn_away("/");
        join(&mut namespaces, "/", 1);
        assert_eq!(namespaces.ask("/"), Err(Refused));
        assert_eq!(namespaces.leave("/", now), Some(1));
        assert!(namespaces.ask("/").is_ok());
    }

    #[test]
    fn only_so_many_namespaces_can_be_asked_for() {
        let (mut namespaces, _) = namespaces();
        namespaces.ask("/").unwrap();
        namespaces.ask("/a").unwrap();
        assert_eq!(namespaces.ask("/b"), Err(Refused));
    }

    #[test]
    fn what_was_under_way_when_the_server_sent_a_client_out_is_stale_and_it_may_come_back() {
        let (mut namespaces, now) = namespaces();
        join(&mut namespaces, "/", 1);
        join(&mut namespaces, "/a", 2);
        assert_eq!(namespaces.dismiss(now, |member| *member == 2), [2]);
        assert_eq!(to(&mut namespaces, "/a"), "stale");
        assert_eq!(to(&mut namespaces, "/"), "1");
        assert!(!namespaces.is_deserted());
        join(&mut namespaces, "/a", 3);
        assert_eq!(to(&mut namespaces, "/a"), "3");
    }

    #[test]
    fn those_sent_out_make_room_for_others() {
        let (mut namespaces, now) = namespaces();
        join(&mut namespaces, "/", 1);
        join(&mut namespaces, "/a", 2);
        namespaces.dismiss(now, |member| *member == 2);
        assert!(namespaces.ask("/b").is_ok());
        assert_eq!(to(&mut namespaces, "/a"), "refused");
    }

    #[test]
    fn the_time_without_a_namespace_counts_from_the_start_and_again_from_the_last_departure() {
        let (mut namespaces, start) = namespaces();
        assert_eq!(namespaces.deadline(), Some(start + TIMEOUT));
        namespaces.ask("/").unwrap();
        assert_eq!(namespaces.deadline(), Some(start + TIMEOUT));
        namespaces.admit("/", 1);
        assert_eq!(namespaces.deadline(), None);
        let later = start + Duration::from_secs(100);
        namespaces.leave("/", later);
        assert_eq!(namespaces.deadline(), Some(later + TIMEOUT));
        assert!(namespaces.is_deserted());
    }
}
