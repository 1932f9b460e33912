//! What a connection is told first of all.

use std::sync::Arc;

use lobby_domain::event::Revision;
use lobby_domain::message::LogId;
use lobby_domain::roster::Roster;
use lobby_domain::session::Session;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
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

/// What a connection is told first of all.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView<'a> {
    /// Who you are; missing for nobody in particular.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) user: Option<UserView<'a>>,
    /// Who is online, those who have been longest: at most `presence.snapshot` of them.
    #[schema(value_type = Vec<UserView<'a>>)]
    pub(crate) users: &'a RawValue,
    /// How many there are.
    pub(crate) users_total: usize,
    /// As of which change of who is online that is.
    pub(crate) revision: i64,
    /// Which log this is.
    pub(crate) log: Uuid,
    /// The newest message there is if `recovered`, else that behind which what comes begins.
    pub(crate) last_id: i64,
    /// Whether the connection goes on where it asked to.
    pub(crate) recovered: bool,
}

impl Users {
    /// At most `most` of those in a list.
    pub(super) fn of(roster: &Roster, most: usize) -> Self {
        let total = roster.sessions().len();
        let first: Vec<_> = roster.longest_online(most).into_iter().map(UserView::from).collect();
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

#[cfg(test)]
mod tests {
    use lobby_domain::session::SessionId;
    use lobby_domain::testing::name;
    use lobby_domain::timestamp::Timestamp;
    use lobby_domain::user::{User, UserId};
    use serde_json::Value;

    use super::*;

    fn session(number: u128, pseudonym: &str, millis: i64) -> Session {
        Session {
            id: SessionId(Uuid::from_u128(number)),
            user: User { id: UserId(1), created_at: Timestamp::from_millis(0) },
            pseudonym: name(pseudonym),
            connected_at: Timestamp::from_millis(millis),
            claimed: false,
        }
    }

    /// Its id is older than those of all who have been there meanwhile.
    #[test]
    fn who_came_back_is_not_among_the_longest_online() {
        let sessions = [session(1, "back", 9_000), session(2, "old", 1_000), session(3, "new", 2_000)];
        let users = Users::of(&Roster::new(Revision(4), sessions), 2);
        let listed: Vec<Value> = serde_json::from_str(users.first.get()).expect("JSON");
        let names: Vec<_> = listed.iter().map(|user| user["pseudonym"].as_str()).collect();
        assert_eq!((names, users.total), (vec![Some("old"), Some("new")], 3));
    }
}
