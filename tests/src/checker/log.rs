use std::collections::BTreeMap;

use super::{Fault, Message};

/// Everything stored behind some id.
#[derive(Debug)]
pub struct Log {
    /// The ids as they were read.
    order: Vec<u64>,
    after: u64,
    messages: BTreeMap<u64, Message>,
    /// The ids of what was posted by a session under a client id: one each, if all is well.
    posted: BTreeMap<(String, String), Vec<u64>>,
}

impl Log {
    /// `messages` is all that is stored behind the id `after`, as it was read.
    pub fn new(after: u64, messages: Vec<Message>) -> Self {
        let order = messages.iter().map(|message| message.id).collect();
        let mut log = Self { order, after, messages: BTreeMap::new(), posted: BTreeMap::new() };
        for message in messages {
            if let Some(client_id) = &message.client_id {
                let key = (message.sender_session.clone(), client_id.clone());
                log.posted.entry(key).or_default().push(message.id);
            }
            log.messages.entry(message.id).or_insert(message);
        }
        log
    }

    /// Put together from what several readers, of whom none may see all, were shown.
    pub fn combined(after: u64, readings: impl IntoIterator<Item = Vec<Message>>) -> Self {
        let mut messages: Vec<_> = readings.into_iter().flatten().collect();
        messages.sort_by_key(|message| message.id);
        messages.dedup();
        Self::new(after, messages)
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The last id, or that behind which there is none.
    pub fn last_id(&self) -> u64 {
        self.messages.last_key_value().map_or(self.after, |(id, _)| *id)
    }

    pub(super) fn get(&self, id: u64) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// The ids of what this session was to be shown, `from` excluded and `until` included.
    pub(super) fn visible(&self, session: Option<&str>, from: u64, until: u64) -> impl Iterator<Item = u64> {
        let behind = self.messages.range(from.saturating_add(1)..);
        let these = behind.take_while(move |(id, _)| **id <= until);
        these.filter(move |(_, message)| message.is_visible_to(session)).map(|(id, _)| *id)
    }

    /// What is stored of this session's, by client id.
    pub(super) fn posted_by(&self, session: &str) -> impl Iterator<Item = (&str, &[u64])> {
        let posted = self.posted.iter().filter(move |((sender, _), _)| sender == session);
        posted.map(|((_, client_id), ids)| (client_id.as_str(), ids.as_slice()))
    }

    /// What is wrong with the log by itself.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let before = [self.after].into_iter().chain(self.order.iter().copied());
        let steps = before.zip(self.order.iter().copied()).filter(|(before, next)| before + 1 != *next);
        let jumps = steps.map(|(after, next)| Fault::Misnumbered { after, next });
        let twice = self.posted.iter().filter(|(_, ids)| ids.len() > 1).map(|((session, client_id), ids)| {
            Fault::StoredTwice { session: session.clone(), client_id: client_id.clone(), ids: ids.clone() }
        });
        jumps.chain(twice).collect()
    }
}
