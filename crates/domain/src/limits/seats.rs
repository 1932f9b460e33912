use std::collections::HashMap;
use std::hash::Hash;

use super::{Holder, Place, Scope};

/// How many connections there may be; `None` is as many as come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// From one place.
    pub per_place: Option<usize>,
    /// Of one session.
    pub per_holder: Option<usize>,
    /// In all.
    pub in_all: Option<usize>,
}

/// There are as many connections as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSeat(pub Scope);

/// Counts connections. Who has none is not remembered, so it takes no more memory than connections are there.
#[derive(Debug, Default)]
pub struct Seats {
    room: Room,
    taken: usize,
    places: HashMap<Place, usize>,
    holders: HashMap<Holder, usize>,
}

impl Seats {
    /// All are free.
    #[must_use]
    pub fn new(room: Room) -> Self {
        Self { room, ..Self::default() }
    }

    /// A connection comes. Whose it is may turn out later.
    pub fn take(&mut self, place: Option<Place>) -> Result<(), NoSeat> {
        if is_full(&self.places, place, self.room.per_place) {
            return Err(NoSeat(Scope::Place));
        }
        if self.room.in_all.is_some_and(|most| self.taken >= most) {
            return Err(NoSeat(Scope::All));
        }
        self.taken += 1;
        add(&mut self.places, place);
        Ok(())
    }

    /// It has gone.
    pub fn leave(&mut self, place: Option<Place>) {
        self.taken = self.taken.saturating_sub(1);
        remove(&mut self.places, place);
    }

    /// It goes on, and is no longer counted as one of its place.
    pub fn let_go(&mut self, place: Place) {
        remove(&mut self.places, Some(place));
    }

    /// It turns out whose a connection is.
    pub fn take_for(&mut self, holder: Holder) -> Result<(), NoSeat> {
        if is_full(&self.holders, Some(holder), self.room.per_holder) {
            return Err(NoSeat(Scope::Holder));
        }
        add(&mut self.holders, Some(holder));
        Ok(())
    }

    /// That one has gone.
    pub fn leave_for(&mut self, holder: Holder) {
        remove(&mut self.holders, Some(holder));
    }

    /// How many places and holders are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.places.len() + self.holders.len()
    }
}

fn is_full<K: Eq + Hash>(taken: &HashMap<K, usize>, key: Option<K>, most: Option<usize>) -> bool {
    let taken = key.and_then(|key| taken.get(&key)).copied().unwrap_or_default();
    most.is_some_and(|most| taken >= most)
}

fn add<K: Eq + Hash>(taken: &mut HashMap<K, usize>, key: Option<K>) {
    if let Some(key) = key {
        *taken.entry(key).or_default() += 1;
    }
}

fn remove<K: Eq + Hash + Copy>(taken: &mut HashMap<K, usize>, key: Option<K>) {
    let Some((key, count)) = key.and_then(|key| Some((key, taken.get_mut(&key)?))) else { return };
    *count -= 1;
    if *count == 0 {
        taken.remove(&key);
    }
}
