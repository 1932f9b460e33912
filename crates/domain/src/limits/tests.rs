use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::quota::Bucket;
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

fn nth_place(n: u128) -> Place {
    Place::of(IpAddr::V6((n << 64).into()))
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
fn who_turns_out_later_to_act_and_is_refused_takes_nothing_of_others() {
    let quotas = Quotas { per_holder: quota(1, 1), per_place: quota(1, 3), in_all: quota(1, 4) };
    let mut limiter = Limiter::new(&quotas);
    let visitor = Visitor { holder: Some(holder(1)), ..from("192.0.2.1") };
    for n in 0..10 {
        assert_eq!(limiter.take(from("192.0.2.1"), seconds(0)), Ok(()), "{n}");
        let taken = limiter.take_for(visitor, seconds(0));
        let refused = Err(Exceeded { scope: Scope::Holder, wait: seconds(1) });
        assert_eq!(taken, if n == 0 { Ok(()) } else { refused });
    }
    assert_eq!(at_once(&mut limiter, from("192.0.2.1"), seconds(0)), 2);
    assert_eq!(at_once(&mut limiter, from("192.0.2.2"), seconds(0)), 1);
}

#[test]
fn what_is_given_back_fills_no_bucket_beyond_its_burst() {
    let mut limiter =
        Limiter::new(&Quotas { per_place: quota(1, 3), in_all: quota(1, 3), ..Quotas::default() });
    limiter.take(from("192.0.2.1"), seconds(10)).expect("it is full");
    for _ in 0..10 {
        limiter.give_back(Some(place("192.0.2.1")));
        limiter.give_back(Some(place("192.0.2.2")));
    }
    assert_eq!(at_once(&mut limiter, from("192.0.2.1"), seconds(10)), 3);
    assert_eq!(
        limiter.take(from("192.0.2.2"), seconds(10)).expect_err("all have had theirs").scope,
        Scope::All
    );
}

#[test]
fn who_has_shown_nothing_is_never_the_same_holder_as_a_session() {
    assert_ne!(Holder::unproved(1), holder(1));
    assert_eq!(Holder::unproved(1), Holder::unproved(1));
}

#[test]
fn without_quotas_nobody_is_refused_and_nobody_remembered() {
    let mut limiter = Limiter::new(&Quotas::default());
    let visitor = Visitor { place: Some(place("192.0.2.1")), holder: Some(holder(1)) };
    assert_eq!(at_once(&mut limiter, visitor, seconds(0)), 100_000);
    assert_eq!(limiter.remembered(), 0);
}

/// 1,000,000 places, each of which comes once, and so fast that more of them are still waiting for their token than are remembered.
#[test]
fn however_many_addresses_come_memory_is_bounded() {
    let mut limiter = Limiter::new(&Quotas { per_place: quota(1, 10), ..Quotas::default() });
    let (mut most, mut refused) = (0, 0);
    for n in 0..1_000_000_u128 {
        let visitor = Visitor { place: Some(nth_place(n)), holder: None };
        let now = Duration::from_micros(u64::try_from(n).expect("small") * 10);
        refused += usize::from(limiter.take(visitor, now).is_err());
        most = most.max(limiter.remembered());
    }
    assert!(most <= Buckets::<Place>::MOST, "{most}");
    assert!(refused > 0, "who finds no room shares a bucket");
}

/// The same at the rate that a limit for all lets through: each of them has its token again long before room is short.
#[test]
fn a_spray_of_addresses_refuses_nobody_who_has_a_token() {
    let mut limiter = Limiter::new(&Quotas { per_place: quota(100, 1_000), ..Quotas::default() });
    for n in 0..200_000_u128 {
        let now = Duration::from_micros(u64::try_from(n).expect("small") * 100);
        let visitor = Visitor { place: Some(nth_place(n)), holder: None };
        assert_eq!(limiter.take(visitor, now), Ok(()), "{n}");
    }
    assert!(limiter.remembered() <= 2 * Buckets::<Place>::FEW, "{}", limiter.remembered());
}

/// Who is refused leaves no trace, so a bucket for all bounds what a spray of addresses leaves, too.
#[test]
fn who_is_refused_is_not_remembered() {
    let quotas = Quotas { per_place: quota(10, 10), in_all: quota(100, 100), ..Quotas::default() };
    let mut limiter = Limiter::new(&quotas);
    for n in 0..1_000_000 {
        let _ = limiter.take(Visitor { place: Some(nth_place(n)), holder: None }, seconds(0));
    }
    assert_eq!(limiter.remembered(), 100);
}

#[test]
fn who_has_a_full_bucket_again_is_forgotten_before_anybody_else() {
    let few = u128::try_from(Buckets::<Place>::FEW).expect("small");
    let mut limiter = Limiter::new(&Quotas { per_place: quota(1, 2), ..Quotas::default() });
    let mut take = |n, at| {
        let taken = limiter.take(Visitor { place: Some(nth_place(n)), holder: None }, at);
        (taken.is_ok(), limiter.remembered())
    };
    for n in 0..few {
        take(n, seconds(0));
    }
    assert_eq!(take(0, seconds(0)), (true, Buckets::<Place>::FEW), "it has none left until in two seconds");
    assert_eq!(take(few, Duration::from_millis(1_500)), (true, 2));
    assert_eq!(take(0, Duration::from_millis(1_500)), (true, 2));
    assert_eq!(take(0, Duration::from_millis(1_500)), (false, 2), "it was not forgotten");
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
fn a_connection_that_turns_out_to_be_many_peoples_counts_in_all_and_not_by_place() {
    let one = place("192.0.2.1");
    let mut seats = Seats::new(Room { per_place: Some(1), per_holder: None, in_all: Some(2) });
    assert_eq!(seats.take(Some(one)), Ok(()));
    assert_eq!(seats.take(Some(one)), Err(NoSeat(Scope::Place)));
    seats.let_go(one);
    assert_eq!(seats.take(Some(one)), Ok(()));
    assert_eq!(seats.take(Some(place("192.0.2.2"))), Err(NoSeat(Scope::All)));
    seats.leave(None);
    assert_eq!(seats.take(Some(place("192.0.2.2"))), Ok(()));
}

#[test]
fn who_has_no_connection_any_more_is_not_remembered() {
    let mut seats = Seats::new(Room::default());
    for n in 0..1_000 {
        let place = Some(nth_place(n));
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

    /// However few are remembered, nobody gets more than their quota; and where at most half as many as may be are not full at a
    /// time, it is as if all were remembered.
    #[test]
    fn who_is_forgotten_makes_no_difference(
        burst in 1..4_u32,
        most in 2..8_usize,
        steps in prop::collection::vec((0..20_u8, prop_oneof![0..50_u64, 0..1_500_u64]), 1..300),
    ) {
        let quota = quota(2, burst).expect("a quota");
        let mut buckets = Buckets::of_at_most(most, quota);
        let mut all: HashMap<u8, Bucket> = HashMap::new();
        let (mut now, mut is_crowded) = (Duration::ZERO, false);
        for (who, millis) in steps {
            now += Duration::from_millis(millis);
            let (looked, is) = (buckets.look(who, now), all.get(&who).copied().unwrap_or_default().spend(quota, now));
            if is_crowded {
                prop_assert!(looked.is_err() || is.is_ok(), "{} gets more than the quota", who);
            } else {
                prop_assert_eq!(looked.is_ok(), is.is_ok());
            }
            if let (Ok(bucket), Ok(own)) = (looked, is) {
                buckets.keep(who, bucket, now);
                all.insert(who, own);
            }
            is_crowded |= all.values().filter(|bucket| !bucket.is_full(now)).count() > most / 2;
            prop_assert!(buckets.remembered() <= most);
        }
    }
}
