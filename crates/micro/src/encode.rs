//! A message becomes a frame for all connections of a kind.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use lobby_domain::message::Message;
use lobby_infra::realtime::micro::Announced;
use lobby_infra::wire::{MessageView, rfc3339};
use serde_json::value::to_raw_value;

use crate::sample::{LENGTHS, LOG, message};

/// Messages that are kept until they have been measured: so few that they stay in the cache, as one does that was just posted.
const FEW: BatchSize = BatchSize::NumIterations(64);

pub(crate) fn measure(criterion: &mut Criterion) {
    for length in LENGTHS {
        let message = message(1_000_000, length);
        json(criterion, &message, length);
        wire_format(criterion, "plain", &message, |announced| {
            black_box(announced.plain());
        });
        wire_format(criterion, "socketio", &message, |announced| {
            black_box(announced.socketio());
        });
        wire_format(criterion, "recoverable", &message, |announced| {
            black_box(announced.recoverable());
        });
        wire_format(criterion, "all", &message, |announced| {
            black_box((announced.plain(), announced.socketio(), announced.recoverable()));
        });
    }
    let timestamp = message(1, 1).timestamp;
    criterion.bench_function("encode/timestamp", |bencher| bencher.iter(|| rfc3339(black_box(timestamp))));
}

/// What every format takes, without its frame.
fn json(criterion: &mut Criterion, message: &Message, length: usize) {
    criterion.bench_function(&format!("encode/json/{length}"), |bencher| {
        let view = || MessageView::from(black_box(message));
        bencher.iter_batched(|| (), |()| to_raw_value(&view()).expect("texts and numbers"), FEW);
    });
}

/// Each time the message is a new one, of which nothing is encoded yet.
fn wire_format(criterion: &mut Criterion, name: &str, message: &Message, encode: fn(&Announced)) {
    let id = format!("encode/{name}/{}", message.content.as_str().len());
    criterion.bench_function(&id, |bencher| {
        let announce = || Announced::new(message.clone(), LOG);
        bencher.iter_batched_ref(announce, |announced| encode(announced), FEW);
    });
}
