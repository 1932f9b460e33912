//! What is heard of the log is put into its order.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use lobby_domain::timeline::{Timeline, WINDOW};

/// As large as what the hub keeps of an event.
type Entry = [u64; 7];

/// What is heard in one order or another: as many entries as may wait for one that is missing.
const ENTRIES: i64 = WINDOW as i64;

/// How far apart is heard what several nodes write at the same time.
const NEAR: usize = 8;

pub(crate) fn measure(criterion: &mut Criterion) {
    let in_order: Vec<i64> = (1..=ENTRIES).collect();
    let backwards_by =
        |size| -> Vec<i64> { in_order.chunks(size).flat_map(|group| group.iter().rev().copied()).collect() };
    one_by_one(criterion, "in order", &in_order);
    one_by_one(criterion, "pairs swapped", &backwards_by(2));
    one_by_one(criterion, "eights backwards", &backwards_by(NEAR));
    one_by_one(criterion, "all backwards", &backwards_by(in_order.len()));
    at_once(criterion, &in_order);
}

fn one_by_one(criterion: &mut Criterion, name: &str, numbers: &[i64]) {
    let mut group = criterion.benchmark_group("timeline");
    group.throughput(Throughput::Elements(ENTRIES.unsigned_abs()));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut timeline = Timeline::new(0);
            for number in black_box(numbers) {
                black_box(timeline.hear([(*number, Entry::default())], Duration::ZERO));
            }
            assert_eq!(timeline.last(), ENTRIES, "all are let out");
        });
    });
    group.finish();
}

/// As the writer tells of a transaction.
fn at_once(criterion: &mut Criterion, numbers: &[i64]) {
    let mut group = criterion.benchmark_group("timeline");
    group.throughput(Throughput::Elements(ENTRIES.unsigned_abs()));
    group.bench_function("in order, at once", |bencher| {
        bencher.iter(|| {
            let hints = black_box(numbers).iter().map(|number| (*number, Entry::default()));
            Timeline::new(0).hear(hints, Duration::ZERO)
        });
    });
    group.finish();
}
