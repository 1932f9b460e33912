//! The people and things of the examples, in the shapes that the code gives them.
//!
//! John and Bob log in, John says something to everybody, and something to Bob alone.

use lobby_domain::client_id::ClientId;
use lobby_domain::event::{Departure, DepartureReason, Revision};
use lobby_domain::message::{Content, LogId, Message, MessageId, Recipient};
use lobby_domain::ports::{Link, LogHead, Page, Standing};
use lobby_domain::pseudonym::Pseudonym;
use lobby_domain::roster::{Batch, Change};
use lobby_domain::session::{Session, SessionId};
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::{User, UserId};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use crate::http::shapes::{HealthView, HistoryView, LoggedInView, LoggedOutView, ReadyView, SessionView};
use crate::realtime::shapes::SessionView as Arrived;
use crate::wire::{ChangedView, JoinedView, LeftView, MessageView, PostedView, TypingView, UserView};

pub(super) const TOKEN: &str = "AaIG31QGckywn92WJE3NfEg3PkZjPLNgqt435vkA9DScj57BOr1GfwYmkVqy5Wsz";
pub(super) const LOG: Uuid = uuid!("99a10ae7-4b35-4e8a-a1e5-633229ba6926");
const JOHN: SessionId = SessionId(uuid!("01a206df-5406-724c-b09f-dd96244dcd7c"));
const BOB: SessionId = SessionId(uuid!("01a206df-6efd-7724-8b5b-5d35385092cb"));
/// 2026-11-23T05:27:09.062Z
const MORNING: i64 = 1_795_411_629_062;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(MORNING + 1_000 * seconds)
}

fn session(id: SessionId, number: i64, name: &str) -> Session {
    Session {
        id,
        user: User { id: UserId(number), created_at: at(number) },
        pseudonym: Pseudonym::from_stored(name.to_owned()),
        connected_at: at(number),
        claimed: true,
    }
}

fn john() -> Session {
    session(JOHN, 1, "JohnDoe")
}

fn bob() -> Session {
    session(BOB, 2, "Bob")
}

fn public() -> Message {
    Message {
        id: MessageId(1),
        sender_session: JOHN,
        sender_id: UserId(1),
        sender: john().pseudonym,
        to: None,
        content: Content::from_stored("Hello!".to_owned()),
        client_id: Some(ClientId::from_stored("c-1".to_owned())),
        timestamp: at(7),
    }
}

fn private() -> Message {
    Message {
        id: MessageId(2),
        to: Some(Recipient { session: BOB, pseudonym: bob().pseudonym }),
        content: Content::from_stored("Only for you.".to_owned()),
        client_id: None,
        timestamp: at(8),
        ..public()
    }
}

pub(crate) fn logged_in() -> Value {
    json!(LoggedInView { user: (&john()).into(), token: TOKEN })
}

pub(crate) fn own_session() -> Value {
    json!(SessionView { user: (&john()).into(), claimed: true })
}

pub(crate) fn logged_out() -> Value {
    json!(LoggedOutView::of(&john().pseudonym))
}

pub(crate) fn users() -> Value {
    json!([UserView::from(&bob()), UserView::from(&john())])
}

pub(crate) fn message() -> Value {
    json!(MessageView::from(&public()))
}

pub(crate) fn private_message() -> Value {
    json!(MessageView::from(&private()))
}

pub(crate) fn history() -> Value {
    let head = LogHead { log: LogId(LOG), first_id: MessageId(1), last_id: MessageId(1) };
    json!(HistoryView::from(&Page { messages: vec![public()], has_more: false, head }))
}

pub(crate) fn alive() -> Value {
    json!(HealthView::live())
}

pub(crate) fn ready() -> Value {
    let alone = Standing { link: Link::InProcess, published: 0, heard: 0, dropped: 0, skipped: 0 };
    json!(ReadyView::with(alone))
}

pub(super) fn posted() -> Value {
    json!(PostedView::from(&public()))
}

pub(super) fn bobs_session() -> Value {
    first_of_all(Some(&bob()))
}

pub(super) fn nobodys_session() -> Value {
    first_of_all(None)
}

fn first_of_all(user: Option<&Session>) -> Value {
    let (john, bob) = (john(), bob());
    let users = [UserView::from(&john), UserView::from(&bob)];
    let users =
        to_raw_value(&users).expect("views are structs of texts and numbers, which JSON can always say");
    json!(Arrived {
        user: user.map(UserView::from),
        users: &users,
        users_total: 2,
        revision: 2,
        log: LOG,
        last_id: 0,
        recovered: false,
    })
}

pub(super) fn typing() -> Value {
    json!(TypingView { pseudonym: "JohnDoe", session: JOHN.0, to: None })
}

pub(super) fn joined() -> Value {
    json!(JoinedView { user: (&bob()).into(), revision: 2 })
}

fn departure() -> Departure {
    Departure {
        session: JOHN,
        user: UserId(1),
        pseudonym: john().pseudonym,
        reason: DepartureReason::Logout,
        revision: Revision(3),
    }
}

pub(super) fn left() -> Value {
    json!(LeftView::from(&departure()))
}

pub(super) fn changed() -> Value {
    let changes = vec![Change::Joined { session: bob(), revision: Revision(2) }, Change::Left(departure())];
    json!(ChangedView::from(&Batch { changes, revision: Revision(3) }))
}
