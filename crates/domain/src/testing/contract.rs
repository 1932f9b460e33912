//! The rules of the storage ports and of the bus, each as a function that any implementation must survive.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test panics where a rule is broken, that is what it is for"
)]

mod bus;
mod message_log;
mod presence;
mod roster_log;
mod sessions;

pub use bus::*;
pub use message_log::*;
pub use presence::*;
pub use roster_log::*;
pub use sessions::*;

use uuid::Uuid;

use crate::ports::{MessageLog, NewSession, Presence, RosterLog};
use crate::session::{Session, SessionId};
use crate::testing::name;
use crate::timestamp::Timestamp;

/// A fresh, empty store under test.
pub trait Store: RosterLog + MessageLog + Presence {}

impl<S: RosterLog + MessageLog + Presence> Store for S {}

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

/// A session's token is shown on purpose; whether the session is alive.
async fn claim(store: &impl Presence, number: u128) -> bool {
    store.wake(id(number), true, at(1_500)).await.expect("an answer").is_some()
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

/// Makes a test of each rule of [`crate::ports::Presence`], as [`sessions_contract!`](crate::sessions_contract) does. The
/// store has the default [`crate::presence::Limits`].
#[macro_export]
macro_rules! presence_contract {
    ($fixture:path $(, on $server:path)?) => {
        $crate::contract_tests!($fixture $(, on $server)?:
            presence_time_begins_at_zero_and_is_moved_by_beats,
            a_time_longer_than_a_lease_counts_as_nothing,
            beats_of_several_nodes_never_move_time_back,
            a_node_is_told_whether_others_have_moved_time_on,
            a_node_has_a_lease_while_it_beats,
            a_lease_runs_out,
            who_has_no_lease_records_nothing,
            a_dead_nodes_sessions_have_their_grace_from_the_leases_end,
            a_node_that_comes_back_serves_nothing_until_it_says_so,
            a_node_that_did_not_hear_that_it_lost_its_lease_hears_it_again,
            who_comes_back_within_the_grace_was_never_gone,
            two_nodes_may_serve_one_session,
            the_last_end_of_a_connection_counts_in_whatever_order_they_are_said,
            a_departure_of_what_is_not_served_changes_nothing,
            a_round_has_arrivals_and_departures,
            a_node_that_leaves_serves_nothing_any_more,
            a_session_that_does_nothing_runs_out_by_its_kind,
            who_runs_out_leaves_the_list,
            the_next_end_is_known_before_it_comes,
            requests_keep_a_session_without_connections,
            many_requests_give_no_less_than_the_limit_and_no_more_than_the_slack,
            a_session_that_is_served_does_not_run_out,
            who_arrives_before_the_reaper_stays,
            a_claimed_session_has_its_grace_and_no_more,
            who_comes_back_within_its_grace_stays,
            an_unclaimed_session_has_its_limit_from_its_last_connection_on,
            a_session_that_is_claimed_lives_by_the_limits_of_the_claimed,
            what_is_over_is_ended_once_however_many_try,
            those_whose_time_came_first_are_ended_first,
            a_node_without_a_lease_ends_nobody,
            dead_nodes_come_first,
            the_token_brings_a_session_back,
            arriving_brings_a_session_back,
            what_is_brought_back_may_be_claimed_at_once,
            a_session_is_brought_back_once_however_many_try,
            what_was_logged_out_never_comes_back,
            a_served_session_is_logged_out_for_good,
            a_session_does_not_come_back_while_another_has_its_name,
            a_session_does_not_come_back_while_another_holds_its_name,
            a_claimed_sessions_name_is_held_for_it,
            a_hold_is_over_when_its_time_is,
            an_unclaimed_session_has_no_hold,
            coming_back_and_opening_at_once_make_one_session,
            speaking_brings_an_unclaimed_session_back,
            speaking_does_not_bring_back_what_is_not_free_to_all,
            who_ran_out_is_found_by_id,
            what_is_long_over_is_forgotten,
            a_token_that_was_used_lately_is_not_forgotten,
            a_clock_that_is_set_back_has_nobody_forgotten_too_early,
            what_ends_behind_a_message_did_not_end_before_it,
        );
    };
}

/// Makes a test of each rule of [`crate::ports::Bus`], as [`sessions_contract!`](crate::sessions_contract) does. What the
/// fixture makes is [`Nodes`].
#[macro_export]
macro_rules! bus_contract {
    ($fixture:path $(, on $server:path)?) => {
        $crate::contract_tests!($fixture $(, on $server)?:
            what_a_node_tells_all_others_hear,
            a_hint_says_which_log_it_is_of,
            what_happens_in_a_large_transaction_comes_whole,
            who_stops_waiting_has_lost_nothing,
            what_does_not_fit_is_dropped_and_counted,
            what_is_told_and_heard_is_counted,
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
    presence_contract!(store);
    contract_tests!(store: the_nodes_own_clock_counts);
}
