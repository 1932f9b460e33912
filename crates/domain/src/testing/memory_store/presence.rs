use std::time::Duration;

use async_trait::async_trait;

use super::{Lease, MemoryStore, Record, State};
use crate::event::{Departure, DepartureReason};
use crate::ports::{AttendError, Attended, Beaten, ChangeError, Presence, Unavailable, Woken};
use crate::presence::{Moment, NodeId};
use crate::pseudonym::PseudonymKey;
use crate::session::{Session, SessionId, best_match};
use crate::timestamp::Timestamp;

impl State {
    /// What nodes recorded whose lease has run out is gone since the lease's end, and so are they.
    pub(super) fn settle(&mut self) {
        let now = self.now;
        let dead: Vec<_> = self.nodes.extract_if(.., |_, lease| lease.until <= now).collect();
        for (node, lease) in dead {
            self.depart_all(node, lease.until);
        }
    }

    fn depart_all(&mut self, node: NodeId, gone: Moment) {
        let served = self.records.values().filter(|record| record.served_by.contains(&node));
        let served: Vec<_> = served.map(|record| record.session.id).collect();
        for id in served {
            self.depart(node, id, gone);
        }
    }

    fn beat(&mut self, node: NodeId, since: Option<(Moment, Duration)>) -> Beaten {
        let counted = since.filter(|(_, elapsed)| *elapsed <= self.limits.lease);
        let alone = counted.is_some_and(|(count, _)| count == self.now);
        if let Some((count, elapsed)) = counted {
            self.now = self.now.max(count.after(elapsed));
        }
        self.settle();
        let lease = self.nodes.get(&node);
        let held =
            lease.zip(since).filter(|(lease, (count, _))| lease.since <= *count).map(|(lease, _)| *lease);
        if held.is_none() {
            self.depart_all(node, self.now);
        }
        let began = held.map_or(self.now, |lease| lease.since);
        self.nodes.insert(node, Lease { since: began, until: self.now.after(self.limits.lease) });
        let held = held.is_some();
        Beaten { now: self.now, alone, held }
    }

    fn check_lease(&mut self, node: NodeId) -> Result<(), AttendError> {
        self.settle();
        self.nodes.get(&node).map(|_| ()).ok_or(AttendError::LeaseLost)
    }

    fn arrive(&mut self, node: NodeId, id: SessionId, at: Timestamp) -> Attended {
        let Some((session, revision)) = self.wake(id, false, at) else { return Attended::Over };
        let record = self.records.get_mut(&id).expect("it was woken");
        record.standing.arrived();
        record.served_by.insert(node);
        match revision {
            Some(revision) => Attended::BroughtBack(session, revision),
            None => Attended::Living(session),
        }
    }

    fn depart(&mut self, node: NodeId, id: SessionId, gone: Moment) {
        let Some(record) = self.records.get_mut(&id) else { return };
        if record.served_by.remove(&node) {
            record.standing.departed(gone, record.served_by.is_empty(), &self.limits);
        }
    }

    fn reap(&mut self, most: usize, at: Timestamp) -> Vec<Departure> {
        let at = self.time_of_end(at);
        let over = self.records.values().filter(|record| record.standing.is_over(self.now));
        let mut over: Vec<_> = over.map(|record| (record.standing.expires_at, record.session.id)).collect();
        over.sort_unstable();
        over.truncate(most);
        over.into_iter().map(|(_, id)| self.expire(id, at)).collect()
    }

    fn expire(&mut self, id: SessionId, at: Timestamp) -> Departure {
        let record = self.records.get_mut(&id).expect("it is over, and so there");
        record.standing.expire(self.now, &self.limits);
        self.ended(id, DepartureReason::Expired, at)
    }

    fn wake(&mut self, id: SessionId, claim: bool, at: Timestamp) -> Option<Woken> {
        self.settle();
        let record = self.records.get(&id)?;
        let is_back = record.standing.is_dormant();
        if is_back {
            self.check_free(record.session.pseudonym.key(), id).ok()?;
        } else if !record.standing.is_alive() {
            return None;
        }
        let record = self.records.get_mut(&id)?;
        if record.standing.bring_back(self.now, &self.limits) {
            record.session.connected_at = at;
            record.ended = None;
        }
        if claim {
            record.standing.claim(self.now, &self.limits);
            record.session.claimed = true;
        } else {
            record.standing.touch(self.now, &self.limits);
        }
        let session = record.session.clone();
        let revision = is_back.then(|| self.joined(&session));
        Some((session, revision))
    }

    fn wake_named(&mut self, key: &PseudonymKey, at: Timestamp) -> Option<Woken> {
        let living: Vec<_> = self.all_living().filter(|s| s.pseudonym.key().matches(key)).cloned().collect();
        let meant = match best_match(&living, key) {
            Some(session) => session.clone(),
            None => self.last_of(key)?.session.clone(),
        };
        if meant.claimed { None } else { self.wake(meant.id, false, at) }
    }

    /// The session that last had this name, of those that are over.
    fn last_of(&self, key: &PseudonymKey) -> Option<&Record> {
        let same = self.records.values().filter(|record| record.session.pseudonym.key().matches(key));
        same.max_by_key(|record| record.ended.map(|ended| ended.revision))
    }

    fn forget(&mut self, before: Timestamp, most: usize) -> bool {
        let is_old = |record: &Record| record.ended.is_some_and(|ended| ended.at < before);
        let old: Vec<_> =
            self.records.iter().filter(|(_, record)| is_old(record)).map(|(id, _)| *id).collect();
        for id in old.iter().take(most) {
            self.records.remove(id);
            self.client_ids.retain(|(session, _), _| session != id);
        }
        old.len() > most
    }
}

fn count(most: u32) -> usize {
    usize::try_from(most).expect("a small number")
}

#[async_trait]
impl Presence for MemoryStore {
    async fn beat(&self, node: NodeId, since: Option<(Moment, Duration)>) -> Result<Beaten, ChangeError> {
        Ok(self.state().beat(node, since))
    }

    async fn attend(
        &self,
        node: NodeId,
        arrivals: &[SessionId],
        departures: &[(SessionId, Moment)],
        at: Timestamp,
    ) -> Result<Vec<Attended>, AttendError> {
        let mut state = self.state();
        state.check_lease(node)?;
        for (id, gone) in departures {
            state.depart(node, *id, *gone);
        }
        Ok(arrivals.iter().map(|id| state.arrive(node, *id, at)).collect())
    }

    async fn next_over(&self) -> Result<Option<Moment>, Unavailable> {
        let state = self.state();
        let alive = state.records.values().filter(|record| record.standing.is_alive());
        let sessions = alive.filter_map(|record| record.standing.expires_at);
        Ok(sessions.chain(state.nodes.values().map(|lease| lease.until)).min())
    }

    async fn reap(&self, node: NodeId, most: u32, at: Timestamp) -> Result<Vec<Departure>, AttendError> {
        let mut state = self.state();
        state.check_lease(node)?;
        Ok(state.reap(count(most), at))
    }

    async fn wake(&self, id: SessionId, claim: bool, at: Timestamp) -> Result<Option<Woken>, ChangeError> {
        Ok(self.state().wake(id, claim, at))
    }

    async fn wake_named(&self, key: &PseudonymKey, at: Timestamp) -> Result<Option<Woken>, ChangeError> {
        Ok(self.state().wake_named(key, at))
    }

    async fn dormant(&self, id: SessionId) -> Result<Option<Session>, Unavailable> {
        let state = self.state();
        let record = state.records.get(&id).filter(|record| record.standing.is_dormant());
        Ok(record.map(|record| record.session.clone()))
    }

    async fn leave(&self, node: NodeId, gone: Moment) -> Result<(), ChangeError> {
        let mut state = self.state();
        state.settle();
        state.nodes.remove(&node);
        state.depart_all(node, gone);
        Ok(())
    }

    async fn forget(&self, before: Timestamp, most: u32) -> Result<bool, ChangeError> {
        Ok(self.state().forget(before, count(most)))
    }
}
