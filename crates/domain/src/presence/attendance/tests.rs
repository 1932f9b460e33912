use uuid::Uuid;

use super::*;
use crate::event::Revision;
use crate::ports::Unavailable;
use crate::session::Session;
use crate::testing::name;
use crate::timestamp::Timestamp;
use crate::user::{User, UserId};

const LEASE: Duration = Duration::from_secs(15);

/// How old the count may be that a new node goes by.
const AGE: i64 = 5_000;

const fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn id(number: u128) -> SessionId {
    SessionId(Uuid::from_u128(number))
}

fn living(number: u128) -> Attended {
    let at = Timestamp::from_millis(1);
    let user = User { id: UserId(1), created_at: at };
    let pseudonym = name("JohnDoe");
    Attended::Living(Session { id: id(number), user, pseudonym, connected_at: at, claimed: true })
}

fn away() -> AttendError {
    AttendError::Unavailable(Unavailable::new("away"))
}

/// Has beaten at 0, when it was 50 s.
fn started() -> Attendance {
    let mut attendance = Attendance::new(LEASE);
    assert!(attendance.beat_due(at(0)));
    assert_eq!(attendance.beat(at(0)), None);
    attendance.beaten(Beaten { now: Moment(50_000), alone: false, held: false }, at(0));
    attendance
}

/// Serves these, as the database knows.
fn serving(numbers: &[u128]) -> Attendance {
    let mut attendance = started();
    for number in numbers {
        assert_eq!(attendance.arrive(id(*number)), Arrival::Record);
    }
    assert_eq!(attendance.next_round(at(0)), Some(arrivals(numbers)));
    let outcomes: Vec<_> = numbers.iter().map(|number| living(*number)).collect();
    attendance.recorded(&outcomes);
    attendance
}

fn arrivals(numbers: &[u128]) -> Round {
    Round { arrivals: numbers.iter().copied().map(id).collect(), departures: Vec::new() }
}

fn departures(gone: &[(u128, i64)]) -> Round {
    let departures = gone.iter().map(|(number, gone)| (id(*number), Moment(gone + AGE))).collect();
    Round { arrivals: Vec::new(), departures }
}

#[test]
fn nothing_is_recorded_before_there_is_a_lease() {
    let mut attendance = Attendance::new(LEASE);
    assert_eq!(attendance.arrive(id(1)), Arrival::Record);
    assert_eq!(attendance.next_round(at(0)), None);
    assert_eq!(attendance.wake_at(), Some(Duration::ZERO), "to beat");
    attendance.beat(at(0));
    assert_eq!((attendance.beat_due(at(9_999)), attendance.wake_at()), (false, None));
    attendance.beaten(Beaten { now: Moment(0), alone: false, held: false }, at(2));
    assert_eq!(attendance.next_round(at(2)), Some(arrivals(&[1])));
}

#[test]
fn a_first_connection_waits_and_the_next_ones_cost_nothing() {
    let mut attendance = started();
    assert_eq!(attendance.arrive(id(1)), Arrival::Record);
    assert_eq!(attendance.wake_at(), Some(Duration::ZERO), "at once");
    assert_eq!(attendance.next_round(at(10)), Some(arrivals(&[1])));
    assert_eq!(attendance.arrive(id(1)), Arrival::Record, "it is not recorded yet");
    assert_eq!(attendance.next_round(at(11)), None, "one round at a time");
    attendance.recorded(&[living(1)]);
    assert_eq!(attendance.arrive(id(1)), Arrival::Known);
    assert_eq!(attendance.next_round(at(13)), None);
    attendance.depart(id(1), at(14));
    attendance.depart(id(1), at(15));
    assert_eq!(attendance.next_round(at(99_999)), None, "one is left");
    assert_eq!(attendance.wake_at(), Some(at(5_000)), "for the beat only");
}

#[test]
fn those_who_come_while_a_round_is_under_way_share_the_next_one() {
    let mut attendance = started();
    attendance.arrive(id(1));
    attendance.next_round(at(0)).expect("a round");
    attendance.arrive(id(3));
    attendance.arrive(id(2));
    attendance.recorded(&[living(1)]);
    assert_eq!(attendance.next_round(at(2)), Some(arrivals(&[2, 3])));
}

#[test]
fn a_round_is_not_too_large() {
    let mut attendance = started();
    for number in 0..3_000 {
        attendance.arrive(id(number));
    }
    let mut sizes = Vec::new();
    while let Some(round) = attendance.next_round(at(0)) {
        sizes.push(round.arrivals.len());
        let outcomes: Vec<_> = round.arrivals.iter().map(|_| living(1)).collect();
        attendance.recorded(&outcomes);
    }
    assert_eq!(sizes, [ROUND_MOST, ROUND_MOST, 3_000 - 2 * ROUND_MOST]);
}

#[test]
fn a_departure_waits_for_company_and_keeps_its_moment() {
    let mut attendance = serving(&[1, 2]);
    attendance.depart(id(1), at(1_000));
    attendance.depart(id(2), at(1_500));
    assert_eq!(attendance.next_round(at(1_999)), None);
    assert_eq!(attendance.wake_at(), Some(at(2_000)));
    assert_eq!(attendance.next_round(at(2_000)), Some(departures(&[(1, 51_000), (2, 51_500)])));
    attendance.recorded(&[]);
    assert_eq!(attendance.next_round(at(9_000)), None);
    assert_eq!(attendance.arrive(id(1)), Arrival::Record);
}

#[test]
fn a_lease_is_renewed_only_after_what_had_gone_is_recorded() {
    let mut attendance = serving(&[1, 2]);
    attendance.depart(id(1), at(4_500));
    assert!(!attendance.beat_due(at(5_000)));
    assert_eq!(attendance.wake_at(), Some(at(5_000)), "the departure waits no longer for company");
    assert_eq!(attendance.next_round(at(5_000)), Some(departures(&[(1, 54_500)])));
    assert!(!attendance.beat_due(at(5_000)), "it is not recorded yet");
    attendance.failed(&away(), at(5_100));
    attendance.depart(id(2), at(5_200));
    assert_eq!((attendance.beat_due(at(6_099)), attendance.wake_at()), (false, Some(at(6_100))));
    assert_eq!(attendance.next_round(at(6_100)), Some(departures(&[(1, 54_500), (2, 55_200)])));
    attendance.recorded(&[]);
    assert!(attendance.beat_due(at(6_200)));
}

/// Whatever becomes of rounds meanwhile: the lease must not run from later than what it vouches for.
#[test]
fn a_beat_waits_for_who_went_before_it_was_due_while_a_round_was_under_way() {
    let mut attendance = started();
    attendance.arrive(id(1));
    attendance.next_round(at(4_000)).expect("a round");
    attendance.depart(id(1), at(4_500));
    attendance.recorded(&[living(1)]);
    assert_eq!((attendance.beat_due(at(6_000)), attendance.wake_at()), (false, Some(at(5_000))));
    assert_eq!(attendance.next_round(at(6_000)), Some(departures(&[(1, 54_500)])));
    attendance.failed(&away(), at(6_100));
    assert_eq!((attendance.beat_due(at(7_099)), attendance.wake_at()), (false, Some(at(7_100))));
    assert_eq!(attendance.next_round(at(7_100)), Some(departures(&[(1, 54_500)])));
    attendance.recorded(&[]);
    assert!(attendance.beat_due(at(7_200)));
}

#[test]
fn a_beat_and_a_round_are_not_under_way_together() {
    let mut attendance = started();
    attendance.arrive(id(1));
    attendance.next_round(at(0)).expect("a round");
    assert_eq!((attendance.beat_due(at(9_000)), attendance.wake_at()), (false, None));
    attendance.recorded(&[living(1)]);
    attendance.beat(at(9_000));
    attendance.arrive(id(2));
    assert_eq!((attendance.next_round(at(9_000)), attendance.wake_at()), (None, None));
    attendance.beat_failed(at(9_100));
    assert_eq!(attendance.next_round(at(9_100)), Some(arrivals(&[2])));
}

#[test]
fn who_went_first_is_recorded_first() {
    const MANY: u128 = ROUND_MOST as u128;
    let mut attendance = started();
    for number in 0..=MANY {
        attendance.arrive(id(number));
    }
    while let Some(round) = attendance.next_round(at(0)) {
        attendance.recorded(&vec![living(1); round.arrivals.len()]);
    }
    for number in (0..=MANY).rev() {
        attendance.depart(id(number), if number == MANY { at(1_000) } else { at(6_000) });
    }
    let round = attendance.next_round(at(6_000)).expect("a round");
    assert_eq!(round.departures.last(), Some(&(id(MANY), Moment(51_000 + AGE))));
    assert!(round.departures.is_sorted_by_key(|(id, _)| *id) && round.departures.len() == ROUND_MOST);
    attendance.recorded(&[]);
    assert!(attendance.beat_due(at(6_000)), "the one that is left went after it was due");
}

#[test]
fn who_goes_after_a_beat_is_due_does_not_put_it_off() {
    let mut attendance = serving(&[1]);
    attendance.depart(id(1), at(5_001));
    assert!(attendance.beat_due(at(5_001)));
}

#[test]
fn who_comes_back_in_time_does_not_put_off_a_beat() {
    let mut attendance = serving(&[1]);
    attendance.depart(id(1), at(4_500));
    attendance.arrive(id(1));
    assert!(attendance.beat_due(at(5_000)));
}

#[test]
fn a_lost_lease_is_asked_for_whatever_has_gone() {
    let mut attendance = serving(&[1]);
    attendance.depart(id(1), at(4_500));
    attendance.lease_lost(at(4_600));
    assert!(attendance.beat_due(at(4_600)));
}

#[test]
fn a_departure_goes_with_an_arrival() {
    let mut attendance = serving(&[1]);
    attendance.depart(id(1), at(1_000));
    attendance.arrive(id(2));
    let round = attendance.next_round(at(1_001)).expect("a round");
    assert_eq!(round.arrivals, [id(2)]);
    assert_eq!(round.departures, [(id(1), Moment(51_000 + AGE))]);
}

#[test]
fn who_comes_back_before_it_was_recorded_was_never_gone() {
    let mut attendance = serving(&[1]);
    attendance.depart(id(1), at(1_000));
    assert_eq!(attendance.arrive(id(1)), Arrival::Known);
    assert_eq!(attendance.next_round(at(4_000)), None);
    attendance.depart(id(1), at(4_000));
    assert_eq!(attendance.next_round(at(5_000)), Some(departures(&[(1, 54_000)])));
}

#[test]
fn who_comes_back_while_it_is_recorded_is_recorded_again() {
    let mut attendance = serving(&[1]);
    attendance.depart(id(1), at(1_000));
    attendance.next_round(at(2_000)).expect("a round");
    assert_eq!(attendance.arrive(id(1)), Arrival::Record);
    attendance.recorded(&[]);
    assert_eq!(attendance.next_round(at(2_002)), Some(arrivals(&[1])));
}

#[test]
fn who_goes_before_it_was_recorded_leaves_nothing_behind() {
    let mut attendance = started();
    attendance.arrive(id(1));
    attendance.depart(id(1), at(0));
    assert_eq!(attendance.next_round(at(5_000)), None);
    attendance.arrive(id(1));
    attendance.next_round(at(0)).expect("a round");
    attendance.depart(id(1), at(100));
    attendance.recorded(&[living(1)]);
    assert_eq!(attendance.next_round(at(1_200)), Some(departures(&[(1, 50_100)])));
}

#[test]
fn a_round_that_failed_is_said_again_after_a_moment() {
    let mut attendance = serving(&[1]);
    attendance.depart(id(1), at(1_000));
    attendance.arrive(id(2));
    let round = attendance.next_round(at(2_000)).expect("a round");
    attendance.failed(&away(), at(2_500));
    assert_eq!(attendance.next_round(at(3_499)), None);
    assert_eq!(attendance.wake_at(), Some(at(3_500)));
    assert_eq!(attendance.next_round(at(3_500)), Some(round));
}

#[test]
fn what_may_have_been_recorded_is_taken_back() {
    let mut attendance = started();
    attendance.arrive(id(1));
    attendance.next_round(at(0)).expect("a round");
    attendance.failed(&AttendError::OutcomeUnknown(Unavailable::new("away")), at(100));
    attendance.depart(id(1), at(200));
    assert_eq!(attendance.next_round(at(1_200)), Some(departures(&[(1, 50_200)])));
    attendance.failed(&away(), at(1_200));
    assert_eq!(attendance.arrive(id(1)), Arrival::Record, "it may have been recorded as gone");
}

#[test]
fn who_is_over_is_not_recorded_until_somebody_comes_again() {
    let mut attendance = started();
    attendance.arrive(id(1));
    attendance.next_round(at(0)).expect("a round");
    attendance.recorded(&[Attended::Over]);
    assert_eq!(attendance.next_round(at(9_000)), None);
    assert_eq!(attendance.arrive(id(1)), Arrival::Record, "it may be back");
    assert_eq!(attendance.next_round(at(9_000)), Some(arrivals(&[1])));
    let Attended::Living(session) = living(1) else { panic!("it lives") };
    attendance.recorded(&[Attended::BroughtBack(session, Revision(7))]);
    attendance.depart(id(1), at(9_001));
    assert_eq!(attendance.arrive(id(1)), Arrival::Known, "the second one is there yet");
}

#[test]
fn after_a_lost_lease_all_that_is_served_is_recorded_anew() {
    let mut attendance = serving(&[1, 2, 3]);
    attendance.depart(id(2), at(1_000));
    assert_eq!(attendance.beat(at(1_100)), Some((Moment(50_000), at(1_100))));
    attendance.beaten(Beaten { now: Moment(90_000), alone: false, held: false }, at(1_100));
    assert_eq!(attendance.arrive(id(3)), Arrival::Record);
    assert_eq!(attendance.next_round(at(1_100)), Some(arrivals(&[1, 3])), "what is gone went with the lease");
}

#[test]
fn a_round_that_is_refused_waits_for_the_next_beat() {
    let mut attendance = serving(&[1, 2]);
    attendance.arrive(id(3));
    attendance.next_round(at(100)).expect("a round");
    attendance.failed(&AttendError::LeaseLost, at(200));
    assert_eq!(attendance.next_round(at(9_000)), None);
    assert!(attendance.beat_due(at(200)));
    attendance.beat(at(200));
    attendance.beaten(Beaten { now: Moment(90_000), alone: false, held: false }, at(200));
    assert_eq!(attendance.next_round(at(200)), Some(arrivals(&[1, 2, 3])));
}

#[test]
fn a_node_reaps_only_after_a_lease_that_it_knows_to_hold() {
    let mut attendance = started();
    for now in [5_000, 10_000, 14_999] {
        assert!(!attendance.may_reap(at(now)));
        let (count, elapsed) = attendance.beat(at(now)).expect("it has beaten before");
        attendance.beaten(Beaten { now: count.after(elapsed), alone: true, held: true }, at(now));
    }
    assert!(attendance.may_reap(at(15_000)));
    attendance.lease_lost(at(15_001));
    assert!(!attendance.may_reap(at(15_001)));
}

#[test]
fn who_was_never_here_cannot_go() {
    let mut attendance = started();
    attendance.depart(id(1), at(100));
    assert_eq!(attendance.next_round(at(9_000)), None);
}
