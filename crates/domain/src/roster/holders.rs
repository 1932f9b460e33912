//! Which session holds a name.

use std::collections::BTreeMap;

use crate::pseudonym::PseudonymKey;
use crate::session::{Session, SessionId};

/// The living sessions by each key of their names, of which no two share one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Holders {
    folded: BTreeMap<String, SessionId>,
    crossed: BTreeMap<String, SessionId>,
    lookalike: BTreeMap<String, SessionId>,
}

impl Holders {
    pub(super) fn of<'a>(sessions: impl Iterator<Item = &'a Session>) -> Self {
        let mut holders = Self::default();
        sessions.for_each(|session| holders.add(session));
        holders
    }

    pub(super) fn add(&mut self, session: &Session) {
        for (index, key) in self.indexes(session.pseudonym.key()) {
            index.insert(key.to_owned(), session.id);
        }
    }

    pub(super) fn remove(&mut self, session: &Session) {
        for (index, key) in self.indexes(session.pseudonym.key()) {
            // Another may have taken the name by now.
            if index.get(key) == Some(&session.id) {
                index.remove(key);
            }
        }
    }

    /// Whom a name means: whoever has it in some case before whoever has one that only looks alike.
    pub(super) fn find(&self, key: &PseudonymKey) -> Option<SessionId> {
        let folded = self.folded.get(key.folded());
        let matching = || self.crossed.get(key.crossed()).or_else(|| self.lookalike.get(key.lookalike()));
        folded.or_else(matching).copied()
    }

    fn indexes<'a>(&mut self, key: &'a PseudonymKey) -> [(&mut BTreeMap<String, SessionId>, &'a str); 3] {
        [
            (&mut self.folded, key.folded()),
            (&mut self.crossed, key.crossed()),
            (&mut self.lookalike, key.lookalike()),
        ]
    }
}
