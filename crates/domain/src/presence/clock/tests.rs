use super::*;

const LEASE: Duration = Duration::from_secs(15);

const fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn held(now: i64) -> Beaten {
    Beaten { now: Moment(now), alone: false, held: true }
}

/// Its first beat was at 1 s and said that it was 50 s.
fn started() -> PresenceClock {
    let mut clock = PresenceClock::new(LEASE);
    assert_eq!(clock.say(at(1_000)), None);
    clock.beaten(Beaten { held: false, ..held(50_000) }, at(1_000));
    clock
}

/// A beat that takes no time and moves the count on as it says.
fn beat(clock: &mut PresenceClock, now: u64) {
    let (count, elapsed) = clock.say(at(now)).expect("it has beaten before");
    let counted = if elapsed <= LEASE { count.after(elapsed) } else { count };
    clock.beaten(Beaten { alone: elapsed <= LEASE, ..held(counted.0) }, at(now));
}

#[test]
fn beats_are_due_three_times_a_lease_and_soon_after_a_failure() {
    let mut clock = PresenceClock::new(LEASE);
    assert_eq!(clock.beat_at(), Some(Duration::ZERO));
    clock.say(at(1_000));
    assert_eq!(clock.beat_at(), None, "one at a time");
    clock.beat_failed(at(1_200));
    assert_eq!(clock.beat_at(), Some(at(2_200)));
    clock.say(at(2_200));
    clock.beaten(held(0), at(2_900));
    assert_eq!(clock.beat_at(), Some(at(7_200)));
    clock.lease_lost(at(3_000));
    assert_eq!(clock.beat_at(), Some(at(3_000)));
}

#[test]
fn a_node_says_how_long_its_clock_has_run_since_the_last_answer() {
    let mut clock = started();
    assert_eq!(clock.say(at(4_000)), Some((Moment(50_000), at(3_000))));
    clock.beat_failed(at(4_100));
    assert_eq!(clock.say(at(6_000)), Some((Moment(50_000), at(5_000))));
}

#[test]
fn the_estimate_goes_on_for_a_lease_and_then_stands() {
    assert_eq!(PresenceClock::new(LEASE).estimate(at(1)), None);
    let clock = started();
    assert_eq!(clock.estimate(at(1_000)), Some(Moment(50_000)));
    assert_eq!(clock.estimate(at(4_000)), Some(Moment(53_000)));
    assert_eq!(clock.estimate(at(16_000)), Some(Moment(65_000)));
    assert_eq!(clock.estimate(at(1_000_000)), Some(Moment(65_000)));
}

#[test]
fn slow_answers_do_not_slow_the_count_of_a_node_that_leads() {
    let mut clock = started();
    for n in 1..=100_u64 {
        let (count, elapsed) = clock.say(at(1_000 + n * 5_000)).expect("it has beaten before");
        clock.beaten(held(count.after(elapsed).0), at(1_000 + n * 5_000 + 4_000));
    }
    assert_eq!(clock.estimate(at(501_000)), Some(Moment(550_000)));
}

#[test]
fn slow_answers_do_not_drive_the_count_of_nodes_that_follow() {
    let mut clock = started();
    clock.say(at(5_000));
    clock.beaten(held(60_000), at(8_000));
    assert_eq!(clock.estimate(at(8_000)), Some(Moment(60_000)));
    assert_eq!(clock.say(at(9_000)), Some((Moment(60_000), at(1_000))));
}

#[test]
fn a_node_may_reap_after_a_lease_of_unbroken_beats() {
    let mut clock = started();
    for now in [6_000, 11_000, 15_999] {
        beat(&mut clock, now);
        assert!(!clock.may_reap(at(now)));
    }
    assert!(clock.may_reap(at(16_000)));
    assert!(clock.may_reap(at(15_999 + 7_500)));
    assert!(!clock.may_reap(at(15_999 + 7_501)), "who knows what happened since");
}

/// May reap, and last beat at 20 s.
fn reaping() -> PresenceClock {
    let mut clock = started();
    for now in [6_000, 11_000, 16_000, 20_000] {
        beat(&mut clock, now);
    }
    assert!(clock.may_reap(at(20_000)));
    clock
}

#[test]
fn one_beat_that_failed_breaks_nothing_and_a_longer_gap_does() {
    let mut clock = reaping();
    beat(&mut clock, 27_500);
    assert!(clock.may_reap(at(27_500)));
    for late in [35_001, 9_999_999] {
        let mut clock = clock.clone();
        beat(&mut clock, late);
        assert!(!clock.may_reap(at(late)));
        for more in [5_000, 10_000] {
            beat(&mut clock, late + more);
            assert!(!clock.may_reap(at(late + more)));
        }
        beat(&mut clock, late + 15_000);
        assert!(clock.may_reap(at(late + 15_000)));
    }
}

#[test]
fn who_lost_the_lease_has_to_wait_for_a_whole_one() {
    let lose: [fn(&mut PresenceClock); 2] = [
        |clock| {
            clock.say(at(21_000));
            clock.beaten(Beaten { held: false, ..held(90_000) }, at(21_000));
        },
        |clock| {
            clock.lease_lost(at(21_000));
            assert!(!clock.may_reap(at(21_000)));
            beat(clock, 21_000);
        },
    ];
    for lose in lose {
        let mut clock = reaping();
        lose(&mut clock);
        for now in [26_000, 31_000] {
            beat(&mut clock, now);
            assert!(!clock.may_reap(at(now)));
        }
        beat(&mut clock, 36_000);
        assert!(clock.may_reap(at(36_000)));
    }
}

#[test]
fn a_node_that_does_not_lead_allows_for_the_age_of_the_count() {
    let mut clock = started();
    assert_eq!(clock.latest(at(2_000)), Some(Moment(56_000)), "others may have beaten up to 5 s before");
    for now in [6_000, 11_000, 16_000, 21_000] {
        beat(&mut clock, now);
    }
    assert_eq!(clock.latest(at(21_000)), Some(Moment(75_000)), "it has just led for a whole lease");
    beat(&mut clock, 21_001);
    assert_eq!(clock.latest(at(22_000)), Some(Moment(71_000)), "nobody is ahead");
    clock.say(at(23_000));
    clock.beaten(held(80_000), at(23_000));
    assert_eq!(clock.latest(at(24_000)), Some(Moment(86_000)), "somebody is");
    assert_eq!(clock.latest(at(99_000)), Some(Moment(95_000)), "no later than the lease's end");
}

/// The count that several nodes move on, and how long it takes to answer.
struct Count(Moment, Duration);

impl Count {
    fn beat(&mut self, clock: &mut PresenceClock, now: Duration) {
        let said = clock.say(now);
        let alone = said.is_some_and(|(count, _)| count == self.0);
        self.0 = said.map_or(self.0, |(count, elapsed)| self.0.max(count.after(elapsed)));
        clock.beaten(Beaten { alone, ..held(self.0.0) }, now + self.1);
    }
}

#[test]
fn who_was_behind_and_leads_by_turns_knows_that_it_is_behind() {
    let (mut ahead, mut behind) = (PresenceClock::new(LEASE), PresenceClock::new(LEASE));
    let mut count = Count(Moment(0), at(300));
    for beat in 0..20 {
        let now = at(beat * 5_000);
        count.beat(&mut ahead, now);
        count.beat(&mut behind, now + at(1_000));
        let later = now + at(2_000);
        assert!(behind.latest(later) >= ahead.estimate(later), "at {later:?}");
    }
    assert!(behind.estimate(at(100_000)) < ahead.estimate(at(100_000)), "else nothing was tried");
}
