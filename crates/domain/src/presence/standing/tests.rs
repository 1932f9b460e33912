use rstest::rstest;

use super::*;

const GRACE: i64 = 10_000;
const UNCONNECTED: i64 = 300_000;
const UNCLAIMED: i64 = 1_800_000;
const HOLD: i64 = 60_000;
const SLACK: i64 = 15_000;

fn opened(claimed: bool) -> Standing {
    Standing::opened(claimed, Moment(0), &Limits::default())
}

/// Had a connection until `gone`.
fn left(claimed: bool, gone: i64) -> Standing {
    let mut standing = opened(claimed);
    standing.arrived();
    standing.departed(Moment(gone), true, &Limits::default());
    standing
}

fn expired(claimed: bool, now: i64) -> Standing {
    let mut standing = opened(claimed);
    standing.expire(Moment(now), &Limits::default());
    standing
}

#[rstest]
#[case::claimed(opened(true), UNCONNECTED + SLACK)]
#[case::unclaimed(opened(false), UNCLAIMED + SLACK)]
#[case::claimed_that_left(left(true, 7), GRACE + 7)]
#[case::unclaimed_that_left(left(false, 7), UNCLAIMED + 7)]
fn each_kind_has_its_limit(#[case] standing: Standing, #[case] expires_at: i64) {
    assert_eq!(standing.expires_at, Some(Moment(expires_at)));
    assert!(!standing.is_over(Moment(expires_at - 1)));
    assert!(standing.is_over(Moment(expires_at)));
}

#[test]
fn a_served_session_is_never_over() {
    let mut standing = opened(true);
    standing.arrived();
    assert!(!standing.is_over(Moment(i64::MAX)));
    assert!(!standing.touch(Moment(1), &Limits::default()));
    standing.departed(Moment(5), false, &Limits::default());
    assert!(!standing.is_over(Moment(i64::MAX)), "another node serves it yet");
    standing.departed(Moment(3), true, &Limits::default());
    assert_eq!(
        standing.expires_at,
        Some(Moment(5 + GRACE)),
        "the last end counts, however late the others are said"
    );
}

#[rstest]
#[case::at_once(opened(true), 0, None)]
#[case::not_worth_it(opened(true), SLACK - 1, None)]
#[case::claimed(opened(true), SLACK, Some(UNCONNECTED + 2 * SLACK))]
#[case::unclaimed(opened(false), SLACK, Some(UNCLAIMED + 2 * SLACK))]
#[case::late_but_not_ended(opened(true), UNCONNECTED * 2, Some(UNCONNECTED * 3 + SLACK))]
#[case::claimed_that_left(left(true, 0), 5_000, None)]
#[case::unclaimed_that_left(left(false, 0), 5_000, Some(UNCLAIMED + 5_000 + SLACK))]
#[case::ended(expired(true, 0), SLACK, None)]
fn a_request_prolongs_what_lives_by_requests(
    #[case] before: Standing,
    #[case] now: i64,
    #[case] expires_at: Option<i64>,
) {
    let mut standing = before;
    assert_eq!(standing.touch(Moment(now), &Limits::default()), expires_at.is_some());
    let expected = expires_at.map_or(before.expires_at, |at| Some(Moment(at)));
    assert_eq!(standing, Standing { expires_at: expected, ..before });
}

#[test]
fn claiming_makes_a_session_live_by_the_limits_of_the_claimed() {
    for mut standing in [opened(false), left(false, 1)] {
        assert!(standing.claim(Moment(100_000), &Limits::default()));
        let expected = Standing::opened(true, Moment(100_000), &Limits::default());
        assert_eq!(standing, expected);
        assert!(!standing.claim(Moment(100_000), &Limits::default()), "again is fine");
    }
    let mut served = opened(false);
    served.arrived();
    assert!(served.claim(Moment(1), &Limits::default()));
    assert_eq!((served.claimed, served.attended, served.expires_at), (true, true, None));
    let mut ended = expired(false, 1);
    assert!(!ended.claim(Moment(2), &Limits::default()));
    assert_eq!(ended, expired(false, 1));
}

#[test]
fn only_a_claimed_session_that_ran_out_holds_its_name() {
    let held = expired(true, 1_000);
    assert_eq!(held.held_for(Moment(1_000)), Some(Duration::from_mins(1)));
    assert_eq!(held.held_for(Moment(1_000 + HOLD - 1)), Some(Duration::from_millis(1)));
    assert_eq!(held.held_for(Moment(1_000 + HOLD)), None);
    let mut logged_out = opened(true);
    logged_out.log_out();
    for none in [expired(false, 1_000), opened(true), logged_out] {
        assert_eq!(none.held_for(Moment(1_000)), None);
    }
}

#[test]
fn what_ran_out_comes_back_and_what_was_logged_out_does_not() {
    for claimed in [true, false] {
        let mut standing = expired(claimed, 1_000);
        assert!(standing.is_dormant() && !standing.is_alive());
        assert!(standing.bring_back(Moment(2_000), &Limits::default()));
        assert_eq!(standing, Standing::opened(claimed, Moment(2_000), &Limits::default()));
        assert!(!standing.bring_back(Moment(2_000), &Limits::default()), "it is there");
        standing.log_out();
        assert!(!standing.is_dormant());
        assert!(!standing.bring_back(Moment(2_000), &Limits::default()));
    }
}

#[test]
fn a_departure_that_comes_after_the_end_changes_nothing() {
    let mut standing = opened(true);
    standing.arrived();
    standing.log_out();
    standing.departed(Moment(5), true, &Limits::default());
    assert!(!standing.is_alive() && !standing.is_over(Moment(i64::MAX)));
    assert_eq!(standing.expires_at, None);
}

#[test]
fn the_slack_is_small_next_to_its_limit_and_at_most_a_lease() {
    let limits = Limits::default();
    assert_eq!(limits.slack(Duration::from_mins(5)), limits.lease);
    assert_eq!(limits.slack(Duration::from_secs(20)), Duration::from_secs(2));
}
