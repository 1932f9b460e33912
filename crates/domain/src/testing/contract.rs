//! The rules of the storage ports, each as a function that any implementation must survive.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test panics where a rule is broken, that is what it is for"
)]

mod message_log;
mod sessions;

pub use message_log::*;
pub use sessions::*;

use uuid::Uuid;

use crate::ports::{MessageLog, NewSession, Sessions};
use crate::session::{Session, SessionId};
use crate::testing::name;
use crate::timestamp::Timestamp;

/// A fresh, empty store under test.
pub trait Store: Sessions + MessageLog {}

impl<S: Sessions + MessageLog> Store for S {}

fn id(number: u128) -> SessionId {
    SessionId(Uuid::from_u128(number))
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn new_session(number: u128, pseudonym: &str) -> NewSession {
    NewSession { id: id(number), pseudonym: name(pseudonym), claimed: false, now: at(1_000) }
}

async fn open(store: &impl Store, number: u128, pseudonym: &str) -> Session {
    let opened = store.open(new_session(number, pseudonym)).await;
    opened.expect("the name is free").0
}

/// Makes a test of each rule of [`crate::ports::Sessions`] for the stores that `$fixture` makes: an async
/// function that answers with a store and something that is kept until the test is over.
#[macro_export]
macro_rules! sessions_contract {
    ($fixture:path) => {
        $crate::contract_tests!($fixture:
            a_session_is_opened_as_asked,
            a_name_that_is_taken_is_refused,
            one_of_many_who_open_at_once_wins,
            an_ended_session_frees_its_name_at_once,
            a_name_keeps_its_number,
            a_claim_is_for_good_and_needs_a_living_session,
            a_claimed_session_is_not_ended_by_name,
            a_session_ends_once,
            revisions_are_gapless,
            living_sessions_are_found_by_id,
            living_sessions_are_found_by_name,
            the_list_has_everybody_online_and_its_revision,
        );
    };
}

/// Makes a test of each rule of [`crate::ports::MessageLog`], as
/// [`sessions_contract!`](crate::sessions_contract) does.
#[macro_export]
macro_rules! message_log_contract {
    ($fixture:path) => {
        $crate::contract_tests!($fixture:
            an_empty_log_stands_at_zero_and_keeps_its_id,
            messages_get_the_next_ids_in_order,
            a_message_says_who_sent_it_and_when,
            a_session_that_is_over_gets_no_id,
            a_claimed_session_says_nothing_by_its_name_alone,
            time_in_the_log_never_goes_back,
            ids_stay_gapless_under_concurrency,
        );
    };
}

/// What the suites are made of.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($fixture:path: $($rule:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $rule() {
                let (store, _kept) = $fixture().await;
                $crate::testing::contract::$rule(&store).await;
            }
        )+
    };
}

#[cfg(test)]
mod the_fake {
    use crate::testing::MemoryStore;

    fn store() -> std::future::Ready<(MemoryStore, ())> {
        std::future::ready((MemoryStore::default(), ()))
    }

    sessions_contract!(store);
    message_log_contract!(store);
}
