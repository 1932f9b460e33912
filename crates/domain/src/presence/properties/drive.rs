//! What the loop around [`crate::presence::Attendance`] does, on a node of this world.

use super::world::{LIMITS, NODES, Node, World, ready};
use crate::event::Departure;
use crate::ports::{AttendError, Attended, Presence as _, Unavailable};
use crate::presence::{NodeId, Round};

impl World {
    pub(super) fn drive_all(&mut self) {
        self.see_who_is_behind();
        for number in 0..NODES {
            if self.nodes[number].as_ref().is_some_and(|node| !node.is_frozen) {
                self.notice(number);
                while self.attend(number) {}
                self.beat(number);
                while self.attend(number) {}
                self.see_who_caught_up(number);
            }
        }
    }

    fn node(&mut self, number: usize) -> &mut Node {
        self.nodes[number].as_mut().expect("it is up")
    }

    fn is_reached(&self, node: &Node) -> bool {
        !self.is_away && !node.is_cut && !node.is_frozen
    }

    fn see_who_is_behind(&mut self) {
        let reached: Vec<_> = self.nodes.iter().map(|n| n.as_ref().map(|n| self.is_reached(n))).collect();
        let is_any_reached = reached.contains(&Some(true));
        for (node, is_reached) in self.nodes.iter_mut().zip(reached) {
            if let Some(node) = node.as_mut().filter(|_| is_any_reached && is_reached == Some(false)) {
                (node.is_behind, node.has_beaten) = (true, false);
            }
        }
    }

    fn see_who_caught_up(&mut self, number: usize) {
        let now = self.now;
        let node = self.nodes[number].as_ref().expect("it is up");
        let is_idle = node.attendance.wake_at().is_some_and(|at| at > now);
        if self.is_reached(node) && node.has_beaten && is_idle {
            let moment = self.moment;
            let node = self.node(number);
            if std::mem::take(&mut node.is_behind) {
                node.beaten_at = moment;
            }
        }
    }

    /// The node hears of those that have gone.
    fn notice(&mut self, number: usize) {
        let (id, now) = (self.node(number).id, self.now);
        for gone in self.connections.extract_if(.., |c| c.is_gone && c.node == id).collect::<Vec<_>>() {
            self.node(number).attendance.depart(gone.session, now);
        }
    }

    /// A transaction comes through if the database can be reached, and so does its answer, but not always.
    fn line(&mut self, number: usize) -> (bool, bool) {
        let is_reached = self.is_reached(self.nodes[number].as_ref().expect("it is up"));
        (is_reached, is_reached && !std::mem::take(&mut self.node(number).loses_answer))
    }

    fn beat(&mut self, number: usize) {
        let now = self.now;
        let node = self.node(number);
        if !node.attendance.beat_due(now) {
            return;
        }
        let (id, since) = (node.id, node.attendance.beat(now));
        let (is_reached, is_answered) = self.line(number);
        if is_reached {
            let beaten = ready(self.store.beat(id, since)).expect("an answer");
            assert!(beaten.now >= self.moment, "presence time never goes back");
            self.moment = beaten.now;
            let node = self.node(number);
            // Where a lease was lost, what was served under it counts from its end.
            if beaten.held || (is_answered && !node.is_behind) {
                node.beaten_at = beaten.now;
            }
            if is_answered {
                self.node(number).attendance.beaten(beaten, now);
                self.node(number).has_beaten = true;
                self.reap(number);
                return;
            }
        }
        self.node(number).attendance.beat_failed(now);
    }

    fn reap(&mut self, number: usize) {
        let (now, wall) = (self.now, self.wall());
        let node = self.node(number);
        if node.attendance.may_reap(now) {
            let id = node.id;
            let departures = ready(self.store.reap(id, 100, wall)).expect("it has its lease");
            for departure in &departures {
                self.ran_out(departure);
            }
            self.check_nobody_stays();
        }
    }

    fn ran_out(&mut self, departure: &Departure) {
        let life = &self.lives[&departure.session];
        assert!(self.moment >= life.least, "{life:?} is declared gone at {:?}", self.moment);
        for connection in &self.connections {
            if connection.session == departure.session && connection.is_in && !connection.is_gone {
                let node = self.nodes.iter().flatten().find(|node| node.id == connection.node);
                let node = node.expect("connections go with their node");
                let may_be_gone = node.beaten_at.after(LIMITS.lease + life.gone());
                assert!(node.is_behind && self.moment >= may_be_gone, "{life:?} is connected");
            }
        }
        self.left(departure.session, departure.revision);
    }

    /// Whether there was anything to record that was recorded.
    fn attend(&mut self, number: usize) -> bool {
        let now = self.now;
        let Some(round) = self.node(number).attendance.next_round(now) else { return false };
        let id = self.node(number).id;
        let (is_reached, is_answered) = self.line(number);
        if !is_reached {
            self.node(number).attendance.failed(&AttendError::Unavailable(Unavailable::new("away")), now);
            return false;
        }
        let outcomes = match ready(self.store.attend(id, &round.arrivals, &round.departures, self.wall())) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.node(number).attendance.failed(&error, now);
                return false;
            }
        };
        for outcome in &outcomes {
            if let Attended::BroughtBack(session, revision) = outcome {
                self.joined(session.id, *revision);
            }
        }
        if is_answered {
            self.node(number).attendance.recorded(&outcomes);
            self.let_in(id, &round, &outcomes);
        } else {
            for id in round.arrivals.iter().filter(|id| self.lives[id].is_online).copied().collect::<Vec<_>>()
            {
                self.lives.get_mut(&id).expect("it is online").recorded_unheard();
            }
            let unknown = AttendError::OutcomeUnknown(Unavailable::new("away"));
            self.node(number).attendance.failed(&unknown, now);
        }
        is_answered
    }

    fn let_in(&mut self, node: NodeId, round: &Round, outcomes: &[Attended]) {
        for (id, outcome) in round.arrivals.iter().zip(outcomes) {
            let is_served = outcome.session().is_some();
            for connection in self.connections.iter_mut().filter(|c| c.session == *id && c.node == node) {
                connection.is_in = is_served;
                connection.is_gone |= !is_served;
                if is_served {
                    self.lives.get_mut(id).expect("it was opened").let_in();
                }
            }
        }
    }
}
