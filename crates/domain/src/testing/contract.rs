//! The rules of the storage ports, each as a function that any implementation must survive.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test panics where a rule is broken, that is what it is for"
)]

mod message_log;
mod roster_log;
mod sessions;

pub use message_log::*;
pub use roster_log::*;
pub use sessions::*;

use uuid::Uuid;

use crate::ports::{MessageLog, NewSession, RosterLog};
use crate::session::{Session, SessionId};
use crate::testing::name;
use crate::timestamp::Timestamp;

/// A fresh, empty store under test.
pub trait Store: RosterLog + MessageLog {}

impl<S: RosterLog + MessageLog> Store for S {}

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
///
/// With `on $server`, an async function that starts what is slow to start, it is one test: each rule gets a store that
/// `$fixture` makes on that server.
#[macro_export]
macro_rules! sessions_contract {
    ($fixture:path $(, on $server:path)?) => {
        $crate::contract_tests!($fixture $(, on $server)?:
            a_session_is_opened_as_asked,
            a_name_that_is_taken_is_refused,
            one_of_many_who_open_at_once_wins,
            an_ended_session_frees_its_name_at_once,
            a_name_keeps_its_number,
            a_name_is_known_once_it_was_used,
            a_claim_is_for_good_and_needs_a_living_session,
            a_claimed_session_is_not_ended_by_name,
            a_session_ends_once,
            revisions_are_gapless,
            living_sessions_are_found_by_id,
            living_sessions_are_found_by_name,
            the_list_has_everybody_online_and_its_revision,
            the_list_is_read_in_pages_in_either_order,
            whoever_stays_is_on_one_page_whoever_comes_and_goes,
        );
    };
}

/// Makes a test of each rule of [`crate::ports::RosterLog`], as
/// [`sessions_contract!`](crate::sessions_contract) does.
#[macro_export]
macro_rules! roster_log_contract {
    ($fixture:path $(, on $server:path)?) => {
        $crate::contract_tests!($fixture $(, on $server)?:
            every_change_is_kept_under_its_revision,
            changes_are_read_a_few_at_a_time,
            what_changes_nothing_leaves_no_change,
            changes_and_list_fit_together_under_concurrency,
            old_changes_are_not_kept_for_ever,
        );
    };
}

/// Makes a test of each rule of [`crate::ports::MessageLog`], as
/// [`sessions_contract!`](crate::sessions_contract) does.
#[macro_export]
macro_rules! message_log_contract {
    ($fixture:path $(, on $server:path)?) => {
        $crate::contract_tests!($fixture $(, on $server)?:
            an_empty_log_stands_at_zero_and_keeps_its_id,
            messages_get_the_next_ids_in_order,
            a_message_says_who_sent_it_and_to_whom,
            any_number_of_messages_goes_into_one_transaction,
            a_session_that_is_over_gets_no_id,
            a_claimed_session_says_nothing_by_its_name_alone,
            time_in_the_log_never_goes_back,
            ids_stay_gapless_under_concurrency,
            a_repeat_gets_the_first_answer_and_no_second_message,
            a_repeat_that_races_the_first_is_one_message,
            a_client_id_is_not_used_for_something_else,
            a_repeat_is_answered_also_when_its_recipient_is_gone,
            a_repeat_is_answered_also_when_its_message_is_pruned,
            client_ids_are_forgotten_when_their_time_is_over,
            a_private_message_needs_a_recipient_who_is_there,
            private_messages_are_seen_by_the_two_sessions_alone,
            the_log_is_read_in_pages,
            what_is_not_to_be_kept_is_pruned,
            a_log_that_can_be_written_says_so,
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
    ($fixture:path, on $server:path: $($rule:ident),+ $(,)?) => {
        #[tokio::test]
        async fn every_rule_holds() {
            let server = $server().await;
            $({
                let (store, _kept) = $fixture(&server).await;
                $crate::testing::contract::$rule(&store).await;
            })+
        }
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
    roster_log_contract!(store);
    contract_tests!(store: the_nodes_own_clock_counts);
}
