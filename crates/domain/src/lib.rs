//! The rules of the lobby, and nothing else.
//!
//! A **user** is a name known to the lobby, a **session** one holding of that name from log-in to its end,
//! a **message** an entry of the ordered, durable log.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`pseudonym`] | names: which are allowed, and which are the same |
//! | [`user`], [`session`], [`message`], [`event`] | the things the lobby is about |
//! | [`client_id`], [`recipient`] | what makes a post safe to repeat; for whom a private message is |
//! | [`auth`] | who is calling, and what that allows |
//! | [`limits`] | how much anybody may do, and how many may be there |
//! | [`presence`] | who is there and for how long, as pure rules and state machines over many nodes |
//! | [`roster`] | who is online, as a pure state machine fed by events |
//! | [`timeline`] | puts what is heard of a log into its order, as a pure state machine |
//! | [`resume`] | going on where a connection left off |
//! | [`ports`] | what the rules need from outside: storage, time, ids, tokens, an audience |
//! | [`use_cases`] | what people do: log in, log out, see who is online, post |
//! | `testing` | mocks, fakes and the contract suites (feature `testing`) |
//!
//! Invariant: no I/O, clock, randomness, web, ORM or serialisation in here; all of that comes through
//! [`ports`].
//! Invariant: a value of a type such as [`pseudonym::Pseudonym`] or [`message::Content`] is proof that its
//! rule holds.
//! Invariant: a use case announces only what has been committed.

pub mod auth;
pub mod client_id;
pub mod event;
pub mod limits;
pub mod message;
pub mod ports;
pub mod presence;
pub mod pseudonym;
pub mod recipient;
pub mod resume;
pub mod roster;
pub mod session;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timeline;
pub mod timestamp;
pub mod use_cases;
pub mod user;
