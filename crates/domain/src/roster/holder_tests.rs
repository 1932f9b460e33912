use uuid::Uuid;

use super::*;
use crate::event::DepartureReason;
use crate::testing::name;
use crate::user::{User, UserId};

fn session(number: u128, pseudonym: &str) -> Session {
    Session {
        id: SessionId(Uuid::from_u128(number)),
        user: User { id: UserId(1), created_at: Timestamp::from_millis(0) },
        pseudonym: name(pseudonym),
        connected_at: Timestamp::from_millis(0),
        claimed: false,
    }
}

fn joined(session: &Session) -> Change {
    Change::Joined { session: session.clone(), revision: Revision(1) }
}

fn left(session: &Session) -> Change {
    Change::Left(Departure {
        session: session.id,
        user: session.user.id,
        pseudonym: session.pseudonym.clone(),
        reason: DepartureReason::Logout,
        revision: Revision(2),
    })
}

fn holder(roster: &Roster, name: &str) -> Option<SessionId> {
    roster.holder(&PseudonymKey::of(name)).map(|session| session.id)
}

#[test]
fn whoever_holds_a_name_is_found_by_all_its_forms_as_long_as_they_are_there() {
    let (john, mike) = (session(1, "JohnDoe"), session(2, "mike"));
    let mut roster = Roster::new(Revision(0), [john.clone()]);
    roster.apply(&joined(&mike));
    for (form, id) in
        [("johndoe", john.id), ("ЈоhnDое", john.id), ("MIKE", mike.id), ("МІКЕ", mike.id), ("Мike", mike.id)]
    {
        assert_eq!(holder(&roster, form), Some(id), "{form}");
    }
    assert_eq!(holder(&roster, "Zoë"), None);
    roster.apply(&left(&john));
    assert_eq!((holder(&roster, "JohnDoe"), holder(&roster, "mike")), (None, Some(mike.id)));
}

#[test]
fn another_case_is_nearer_than_another_look() {
    let (lan, ian) = (session(1, "lan"), session(2, "ian"));
    for sessions in [[lan.clone(), ian.clone()], [ian.clone(), lan.clone()]] {
        let roster = Roster::new(Revision(0), sessions);
        assert_eq!(holder(&roster, "Ian"), Some(ian.id));
    }
    assert_eq!(holder(&Roster::new(Revision(0), [lan.clone()]), "Ian"), Some(lan.id));
}

#[test]
fn a_successor_keeps_the_name_when_the_one_before_is_forgotten_late() {
    let (first, second) = (session(1, "JohnDoe"), session(2, "johndoe"));
    let mut roster = Roster::new(Revision(0), [first.clone()]);
    roster.apply(&joined(&second));
    roster.apply(&left(&first));
    assert_eq!(holder(&roster, "JohnDoe"), Some(second.id));
}
