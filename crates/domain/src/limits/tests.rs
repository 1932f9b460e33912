use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::session::SessionId;

fn place(address: &str) -> Place {
    Place::of(address.parse::<IpAddr>().expect("an address"))
}

fn holder(n: u128) -> Holder {
    SessionId(Uuid::from_u128(n << 64)).into()
}

fn from(address: &str) -> Visitor {
    Visitor { place: Some(place(address)), holder: None }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn quota(count: u32, burst: u32) -> Option<Quota> {
    Quota::new(count, seconds(1), burst)
}

/// How often somebody may do it at once.
fn at_once(limiter: &mut Limiter, visitor: Visitor, now: Duration) -> usize {
    (0..100_000).take_while(|_| limiter.take(visitor, now).is_ok()).count()
}

#[test]
fn an_ipv4_address_is_a_place_and_of_an_ipv6_address_its_first_half() {
    for (one, other, same) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ("::1", "127.0.0.1", false),
        ("::ffff:0:0:1", "::2", true),
    ] {
        assert_eq!(place(one) == place(other), same, "{one} and {other}");
    }
    assert_eq!(place("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    assert_eq!(place("2001:db8:0:1::5").to_string(), "2001:db8:0:1::/64");
}

#[test]
fn a_quota_of_nothing_or_of_more_than_a_day_is_none() {
    for (count, time, burst, is_good) in [
        (1, seconds(1), 1, true),
        (1, seconds(86_400), 1, true),
        (0, seconds(1), 1, false),
        (1, seconds(1), 0, false),
        (1, Duration::ZERO, 1, false),
        (2, Duration::from_nanos(1), 1, false),
        (1, seconds(86_400), 2, false),
        (1, Duration::MAX, u32::MAX, false),
    ] {
        assert_eq!(Quota::new(count, time, burst).is_some(), is_good, "{count} in {time:?}, {burst} at once");
    }
}

#[test]
fn a_burst_is_let_through_and_then_one_each_interval() {
    let mut limiter = Limiter::new(&Quotas { per_place: quota(2, 5), ..Quotas::default() });
    let visitor = from("192.0.2.1");
    assert_eq!(at_once(&mut limiter, visitor, seconds(10)), 5);
    let refused = limiter.take(visitor, seconds(10));
    assert_eq!(refused, Err(Exceeded { scope: Scope::Place, wait: Duration::from_millis(500) }));
    assert!(limiter.take(visitor, Duration::from_millis(10_499)).is_err());
    assert_eq!(at_once(&mut limiter, visitor, Duration::from_millis(10_500)), 1);
    assert_eq!(at_once(&mut limiter, visitor, seconds(13)), 5, "it fills up, and no further");
}

#[test]
fn whoever_waits_as_long_as_they_were_told_is_let_through() {
    let quotas = Quotas { per_place: quota(1, 1), per_holder: quota(3, 2), in_all: quota(7, 3) };
    let mut limiter = Limiter::new(&quotas);
    let visitor = Visitor { place: Some(place("192.0.2.1")), holder: Some(holder(1)) };
    let mut now = Duration::ZERO;
    for _ in 0..50 {
        at_once(&mut limiter, visitor, now);
        now += limiter.take(visitor, now).expect_err("it is empty").wait;
        assert_eq!(limiter.take(visitor, now), Ok(()), "at {now:?}");
    }
}

#[test]
fn a_flood_from_one_place_is_nobody_elses() {
    let quotas = Quotas { per_place: quota(1, 10), in_all: quota(10, 100), ..Quotas::default() };
    let mut limiter = Limiter::new(&quotas);
    assert_eq!(at_once(&mut limiter, from("192.0.2.1"), seconds(0)), 10);
    for _ in 0..100_000 {
        let refused = limiter.take(from("192.0.2.1"), seconds(0)).expect_err("it is empty");
        assert_eq!(refused.scope, Scope::Place);
    }
    for host in 2..=10 {
        assert_eq!(at_once(&mut limiter, from(&format!("192.0.2.{host}")), seconds(0)), 10, "{host}");
    }
    let refused = limiter.take(from("192.0.2.11"), seconds(0)).expect_err("all have had theirs together");
    assert_eq!(refused, Exceeded { scope: Scope::All, wait: Duration::from_millis(100) });
}

#[test]
fn all_addresses_of_one_ipv6_network_share_a_bucket() {
    let mut limiter = Limiter::new(&Quotas { per_place: quota(1, 3), ..Quotas::default() });
    let taken = (1..100).filter(|n| limiter.take(from(&format!("2001:db8::{n:x}")), seconds(0)).is_ok());
    assert_eq!(taken.count(), 3);
    assert_eq!(limiter.take(from("2001:db8:0:1::1"), seconds(0)), Ok(()));
}

#[test]
fn a_session_has_a_bucket_of_its_own_wherever_it_comes_from() {
    let mut limiter =
        Limiter::new(&Quotas { per_holder: quota(1, 3), per_place: quota(1, 100), ..Quotas::default() });
    let visitor = |host: u8, who: u128| Visitor {
        place: Some(place(&format!("192.0.2.{host}"))),
        holder: Some(holder(who)),
    };
    assert!((1..=3).all(|host| limiter.take(visitor(host, 1), seconds(0)).is_ok()));
    assert_eq!(limiter.take(visitor(4, 1), seconds(0)).expect_err("it is empty").scope, Scope::Holder);
    assert_eq!(limiter.take(visitor(4, 2), seconds(0)), Ok(()));
}

#[test]
fn who_turns_out_later_to_act_is_charged_alone() {
    let quotas = Quotas { per_holder: quota(1, 1), in_all: quota(1, 2), ..Quotas::default() };
    let mut limiter = Limiter::new(&quotas);
    assert_eq!(limiter.take_for(holder(1), seconds(0)), Ok(()));
    let refused = limiter.take_for(holder(1), seconds(0));
    assert_eq!(refused, Err(Exceeded { scope: Scope::Holder, wait: seconds(1) }));
    assert_eq!(at_once(&mut limiter, Visitor::default(), seconds(0)), 2);
}

#[test]
fn a_name_and_a_session_are_never_the_same_holder() {
    assert_ne!(Holder::of_name(1), holder(1));
    assert_eq!(Holder::of_name(1), Holder::of_name(1));
}

#[test]
fn without_quotas_nobody_is_refused_and_nobody_remembered() {
    let mut limiter = Limiter::new(&Quotas::default());
    let visitor = Visitor { place: Some(place("192.0.2.1")), holder: Some(holder(1)) };
    assert_eq!(at_once(&mut limiter, visitor, seconds(0)), 100_000);
    assert_eq!(limiter.remembered(), 0);
}

/// 1,000,000 places, each of which comes once.
#[test]
fn however_many_addresses_come_memory_is_bounded() {
    let mut limiter = Limiter::new(&Quotas { per_place: quota(1, 1_000), ..Quotas::default() });
    let mut most = 0;
    for n in 0..1_000_000_u128 {
        let address = IpAddr::V6((n << 64).into());
        let visitor = Visitor { place: Some(Place::of(address)), holder: None };
        assert_eq!(
            limiter.take(visitor, Duration::from_millis(u64::try_from(n).expect("small") / 100)),
            Ok(())
        );
        most = most.max(limiter.remembered());
    }
    assert!(most <= 2 * Buckets::<Place>::MOST, "{most}");
}

/// Who is refused leaves no trace, so a bucket for all bounds what a spray of addresses leaves, too.
#[test]
fn who_is_refused_is_not_remembered() {
    let quotas = Quotas { per_place: quota(10, 10), in_all: quota(100, 100), ..Quotas::default() };
    let mut limiter = Limiter::new(&quotas);
    for n in 0..1_000_000_u128 {
        let visitor = Visitor { place: Some(Place::of(IpAddr::V6((n << 64).into()))), holder: None };
        let _ = limiter.take(visitor, Duration::from_micros(u64::try_from(n).expect("small")));
        // What a second lets through, in each of two generations, and the burst.
        assert!(limiter.remembered() <= 300, "{} at {n}", limiter.remembered());
    }
}

#[test]
fn who_has_not_been_there_for_as_long_as_a_bucket_takes_to_fill_is_forgotten() {
    let mut limiter = Limiter::new(&Quotas { per_place: quota(1, 5), ..Quotas::default() });
    for (at, host, remembered) in [(0, 1, 1), (1, 2, 2), (5, 3, 3), (9, 3, 3), (10, 4, 2), (15, 5, 2)] {
        assert_eq!(limiter.take(from(&format!("192.0.2.{host}")), seconds(at)), Ok(()));
        assert_eq!(limiter.remembered(), remembered, "at {at}");
    }
}

#[test]
fn connections_are_counted_by_place_by_session_and_in_all() {
    let (one, other, third) = (Some(place("192.0.2.1")), Some(place("192.0.2.2")), Some(place("192.0.2.3")));
    let mut seats = Seats::new(Room { per_place: Some(2), per_holder: Some(1), in_all: Some(3) });
    assert_eq!([seats.take(one), seats.take(one)], [Ok(()), Ok(())]);
    assert_eq!(seats.take(one), Err(NoSeat(Scope::Place)));
    assert_eq!(seats.take(other), Ok(()));
    assert_eq!(seats.take(third), Err(NoSeat(Scope::All)));
    assert_eq!(seats.take(None), Err(NoSeat(Scope::All)));
    seats.leave(one);
    assert_eq!(seats.take(third), Ok(()));

    assert_eq!(seats.take_for(holder(1)), Ok(()));
    assert_eq!(seats.take_for(holder(1)), Err(NoSeat(Scope::Holder)));
    assert_eq!(seats.take_for(holder(2)), Ok(()));
    seats.leave_for(holder(1));
    assert_eq!(seats.take_for(holder(1)), Ok(()));
}

#[test]
fn who_has_no_connection_any_more_is_not_remembered() {
    let mut seats = Seats::new(Room::default());
    for n in 0..1_000 {
        let place = Some(Place::of(IpAddr::V6((n << 64).into())));
        seats.take(place).expect("there is room");
        seats.take_for(holder(n)).expect("there is room");
        seats.leave_for(holder(n));
        seats.leave(place);
    }
    assert_eq!(seats.remembered(), 0);
}

proptest! {
    /// Whatever comes when, nobody gets more within any time than the burst and what has come in meanwhile, and whoever has
    /// been away for long enough gets the whole burst: also those who were forgotten meanwhile.
    #[test]
    fn nobody_gets_more_than_their_quota(
        burst in 1..6_u32,
        steps in prop::collection::vec((0..4_u8, 0..1_500_u64), 1..200),
    ) {
        let mut limiter = Limiter::new(&Quotas { per_place: quota(2, burst), ..Quotas::default() });
        let (mut now, mut taken) = (Duration::ZERO, HashMap::<u8, Vec<Duration>>::new());
        for (host, millis) in steps {
            now += Duration::from_millis(millis);
            let times = taken.entry(host).or_default();
            let refused = limiter.take(from(&format!("192.0.2.{host}")), now).is_err();
            if !refused {
                times.push(now);
            }
            let filling = Duration::from_millis(500) * burst;
            let lately = times.iter().filter(|time| **time + filling > now).count();
            prop_assert!(!refused || lately > 0, "refused after {filling:?} without any");
            for (index, begin) in times.iter().enumerate() {
                let within = now.saturating_sub(*begin);
                let most = u128::from(burst) + within.as_millis() / 500;
                prop_assert!((times.len() - index) as u128 <= most);
            }
        }
    }
}
