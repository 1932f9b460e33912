//! What a connection is told first of all.

use std::sync::Arc;

use lobby_domain::event::Revision;
use lobby_domain::message::LogId;
use lobby_domain::roster::Roster;
use lobby_domain::session::Session;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::realtime::encode::json;
use crate::wire::UserView;

/// Who a connection is, who is online, and where the log stands, all at one moment.
#[derive(Clone)]
pub(in crate::realtime) struct Snapshot {
    pub(super) user: Option<Session>,
    pub(super) users: Users,
    pub(in crate::realtime) log: LogId,
    /// The newest message that is known.
    pub(super) last_id: i64,
    /// Behind which message the connection begins.
    pub(in crate::realtime) position: i64,
    pub(super) recovered: bool,
}

/// Who is online, as JSON, the longest online first: at most as many as the settings say, how many there are, and as of
/// which change.
#[derive(Clone)]
pub(super) struct Users {
    first: Arc<RawValue>,
    total: usize,
    revision: Revision,
}

/// `session`
#[derive(Serialize)]
struct SessionView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserView<'a>>,
    users: &'a RawValue,
    users_total: usize,
    revision: i64,
    log: Uuid,
    last_id: i64,
    recovered: bool,
}

impl Users {
    /// At most `most` of those in a list.
    pub(super) fn of(roster: &Roster, most: usize) -> Self {
        let sessions = roster.sessions();
        let total = sessions.len();
        // Ids sort by age.
        let first: Vec<_> = sessions.take(most).map(UserView::from).collect();
        Self { first: json(&first).into(), total, revision: roster.revision() }
    }

    /// Whether these are the same bytes.
    #[cfg(test)]
    pub(super) fn is_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.first, &other.first)
    }
}

impl Snapshot {
    /// Whether messages were let out already behind which the connection wants to begin.
    pub(in crate::realtime) fn has_missed(&self) -> bool {
        self.position < self.last_id
    }

    /// The same for another user.
    pub(in crate::realtime) fn for_user(&self, user: Option<&Session>) -> Self {
        Self { user: user.cloned(), ..self.clone() }
    }

    /// What the `session` event says.
    pub(in crate::realtime) fn to_json(&self) -> Box<RawValue> {
        json(&SessionView {
            user: self.user.as_ref().map(UserView::from),
            users: &self.users.first,
            users_total: self.users.total,
            revision: self.users.revision.0,
            log: self.log.0,
            // Whoever resumes is told where the log stands; everybody else, behind what the feed begins.
            last_id: if self.recovered { self.last_id.max(self.position) } else { self.position },
            recovered: self.recovered,
        })
    }
}
