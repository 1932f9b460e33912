//! `typing`: somebody is about to say something.
//!
//! Told on the side: it takes no place in the log, in the roster or in anybody's order, is kept nowhere, never waits, and is
//! left out wherever more important things are under way.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use lobby_domain::ports::News;
use lobby_domain::pseudonym::Pseudonym;
use lobby_domain::recipient::{Addressee, Meant};
use lobby_domain::session::{Session, SessionId};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::encode::Encoded;
use super::hub::{Hub, ToShard};
use crate::refusal::{Code, Refusal};
use crate::wire::{Object, TypingView};

/// What a session's typing is told at most once in. Typing that is not told again within some seconds is over, as clients
/// show it, so more often is of no use.
const EVERY: Duration = Duration::from_secs(1);

/// That somebody is typing, ready to be told.
#[derive(Debug)]
pub(super) struct Typing {
    from: SessionId,
    to: Option<SessionId>,
    pub(super) event: Encoded,
}

/// For whom somebody is about to say something.
#[derive(Deserialize, ToSchema)]
#[schema(as = StartTyping)]
pub(crate) struct TypingData {
    /// For whom alone: a session's id, or a name.
    to: Option<String>,
}

/// For whom alone it is. Clients may as well send nothing at all.
pub(super) fn parse(data: Option<&RawValue>) -> Result<Option<String>, Refusal> {
    let data: Option<Object<TypingData>> =
        serde_json::from_str(data.map_or("null", RawValue::get)).map_err(|error| {
            let detail = format!("typing takes an object, in which 'to' is a text: {error}");
            Refusal::new(Code::InvalidPayload, detail)
        })?;
    Ok(data.and_then(|Object(data)| data.to))
}

impl Typing {
    fn new(from: &Session, to: Option<(SessionId, Pseudonym)>) -> Self {
        let name = to.as_ref().map(|(_, name)| name.as_str());
        let view = TypingView { pseudonym: from.pseudonym.as_str(), session: from.id.0, to: name };
        let event = Encoded::new("typing", &view);
        Self { from: from.id, to: to.map(|(session, _)| session), event }
    }

    /// Whether a connection that has proved this session is told. No connection of the one who types is: they know.
    pub(super) fn is_for(&self, proved: Option<SessionId>) -> bool {
        proved != Some(self.from) && self.to.is_none_or(|to| proved == Some(to))
    }
}

impl Hub {
    /// Tells others, on this node and on all others, that a session is typing, for everybody or for one; unless it was told
    /// just now, the session is over, or nobody is there whom it is for.
    pub(super) fn tell_typing(&self, from: SessionId, to: Option<&str>) {
        let typing = if self.may_type(from) { self.typing_to(from, to) } else { None };
        if let Some(typing) = typing {
            self.publish(News::Typing { from, to: typing.to });
            self.feed_typing(typing);
        }
    }

    /// The same of a session that another node tells of: to those on this node. It is paced here too, as the session may have
    /// connections at both.
    pub(super) fn show_typing(&self, from: SessionId, to: Option<SessionId>) {
        let typing = if self.may_type(from) { self.typing(from, to) } else { None };
        if let Some(typing) = typing {
            self.feed_typing(typing);
        }
    }

    fn may_type(&self, from: SessionId) -> bool {
        // A std mutex, held for this look only.
        self.pace.lock().expect("nothing panics while it looks").allows(from, self.now())
    }

    fn typing_to(&self, from: SessionId, to: Option<&str>) -> Option<Typing> {
        let to = match to.map(Addressee::parse) {
            None => None,
            Some(to) => Some(match to?.meant {
                Meant::Session(id) => id,
                Meant::Name(name) => self.core().living.holder(name.key())?.id,
            }),
        };
        self.typing(from, to)
    }

    fn typing(&self, from: SessionId, to: Option<SessionId>) -> Option<Typing> {
        let core = self.core();
        let to = match to {
            None => None,
            Some(to) => Some((to, core.living.get(to)?.pseudonym.clone())),
        };
        let from = core.living.get(from)?.clone();
        drop(core);
        Some(Typing::new(&from, to))
    }

    fn feed_typing(&self, typing: Typing) {
        let typing = Arc::new(typing);
        self.feed_volatile(|| ToShard::Typing(typing.clone()));
    }
}

/// Which sessions have typed within the last [`EVERY`]. It is counted by session, not by connection, so that opening more of
/// these buys nothing; and here, not in the connection, so that coming back does not either.
#[derive(Debug, Default)]
pub(super) struct Pace {
    recent: HashMap<SessionId, Duration>,
    /// Those of the turn before: forgotten at once at the next, so that nothing has to be looked through.
    older: HashMap<SessionId, Duration>,
    turned: Duration,
}

impl Pace {
    fn allows(&mut self, session: SessionId, now: Duration) -> bool {
        if now.saturating_sub(self.turned) >= EVERY {
            self.older = mem::take(&mut self.recent);
            self.turned = now;
        }
        let last = self.recent.get(&session).or_else(|| self.older.get(&session));
        let allows = last.is_none_or(|last| now.saturating_sub(*last) >= EVERY);
        if allows {
            self.recent.insert(session, now);
        }
        allows
    }
}

#[cfg(test)]
mod tests {
    use lobby_domain::testing::name;
    use lobby_domain::timestamp::Timestamp;
    use lobby_domain::user::{User, UserId};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn session(number: u128) -> SessionId {
        SessionId(Uuid::from_u128(number))
    }

    fn zoe() -> Session {
        Session {
            id: session(7),
            user: User { id: UserId(1), created_at: Timestamp::from_millis(0) },
            pseudonym: name("Zoë"),
            connected_at: Timestamp::from_millis(1),
            claimed: true,
        }
    }

    fn plain(typing: &Typing) -> &str {
        std::str::from_utf8(typing.event.plain().payload()).expect("UTF-8")
    }

    #[test]
    fn everybody_but_the_one_who_types_is_told() {
        let typing = Typing::new(&zoe(), None);
        let expected = r#"{"event":"typing","data":{"pseudonym":"Zoë","session":"00000000-0000-0000-0000-000000000007"}}"#;
        assert_eq!(plain(&typing), expected);
        assert!(typing.is_for(None) && typing.is_for(Some(session(8))));
        assert!(!typing.is_for(Some(session(7))));
    }

    #[test]
    fn what_is_for_one_is_told_to_nobody_else() {
        let typing = Typing::new(&zoe(), Some((session(8), name("JohnDoe"))));
        assert!(plain(&typing).ends_with(r#","to":"JohnDoe"}}"#), "{}", plain(&typing));
        assert!(typing.is_for(Some(session(8))));
        for other in [None, Some(session(7)), Some(session(9))] {
            assert!(!typing.is_for(other), "{other:?}");
        }
        assert!(!Typing::new(&zoe(), Some((session(7), name("Zoë")))).is_for(Some(session(7))));
    }

    #[test]
    fn to_is_a_text_or_not_there() {
        let parsed = |data: &str| parse(Some(&RawValue::from_string(data.to_owned()).expect("JSON")));
        assert_eq!(parse(None), Ok(None));
        for nobody in ["null", "{}", r#"{"to":null}"#, r#"{"more":1}"#] {
            assert_eq!(parsed(nobody), Ok(None), "{nobody}");
        }
        assert_eq!(parsed(r#"{"to":"Bob"}"#), Ok(Some("Bob".to_owned())));
        for bad in ["1", "[]", r#"["Bob"]"#, r#""Bob""#, "true", r#"{"to":1}"#, r#"{"to":["Bob"]}"#] {
            assert_eq!(parsed(bad).expect_err(bad).code, Code::InvalidPayload);
        }
    }

    #[test]
    fn one_in_a_second_is_told_of_each_session() {
        let mut pace = Pace::default();
        let millis = Duration::from_millis;
        for (who, at, told) in [
            (1, 0, true),
            (1, 1, false),
            (2, 500, true),
            (1, 999, false),
            (1, 1_000, true),
            (2, 1_499, false),
            (2, 1_500, true),
            (1, 1_999, false),
            (1, 9_000, true),
        ] {
            assert_eq!(pace.allows(session(who), millis(at)), told, "{who} at {at}");
        }
    }

    proptest! {
        #[test]
        fn two_that_are_told_are_a_second_apart_and_no_silence_lasts_longer(
            steps in prop::collection::vec((0..4_u128, 0..700_u64), 1..200)
        ) {
            let (mut pace, mut now) = (Pace::default(), Duration::ZERO);
            let mut told: HashMap<u128, Duration> = HashMap::new();
            for (who, wait) in steps {
                now += Duration::from_millis(wait);
                let expected = told.get(&who).is_none_or(|last| now.saturating_sub(*last) >= EVERY);
                prop_assert_eq!(pace.allows(session(who), now), expected);
                if expected {
                    told.insert(who, now);
                }
                prop_assert!(pace.recent.len() + pace.older.len() <= 8);
            }
        }
    }
}
