//! What a client sends becomes a request of the domain.

use std::hint::black_box;

use actix_socketio::micro::event;
use bytestring::ByteString;
use criterion::Criterion;
use lobby_domain::auth::Caller;
use lobby_domain::message::Content;
use lobby_domain::session::Session;
use lobby_domain::testing::name;
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::{User, UserId};
use lobby_infra::realtime::micro::{plain_post, post};
use serde_json::json;

use crate::sample::{CLIENT_ID, LENGTHS, SESSION, text};

pub(crate) fn measure(criterion: &mut Criterion) {
    let caller = caller();
    for length in LENGTHS {
        let content = text(length);
        let data = json!({ "content": content, "client_id": CLIENT_ID }).to_string();
        content_alone(criterion, &content);
        plain(criterion, length, &data, &caller);
        packet_alone(criterion, length, &data);
        socketio(criterion, length, &data, &caller);
    }
}

/// What the domain's rules take of it.
fn content_alone(criterion: &mut Criterion, content: &str) {
    criterion.bench_function(&format!("parse/content/{}", content.len()), |bencher| {
        bencher.iter(|| Content::parse(black_box(content)).expect("it may be said"));
    });
}

fn plain(criterion: &mut Criterion, length: usize, data: &str, caller: &Caller) {
    let frame = format!(r#"{{"event":"send_message","data":{data},"ack":17}}"#);
    criterion.bench_function(&format!("parse/plain/{length}"), |bencher| {
        bencher.iter(|| plain_post(black_box(frame.as_bytes()), caller).expect("it may be said"));
    });
}

/// What Socket.IO takes of it, before the lobby looks at it.
fn packet_alone(criterion: &mut Criterion, length: usize, data: &str) {
    let packet = packet(data);
    criterion.bench_function(&format!("parse/packet/{length}"), |bencher| {
        bencher.iter(|| event(black_box(&packet)).expect("an event"));
    });
}

fn socketio(criterion: &mut Criterion, length: usize, data: &str, caller: &Caller) {
    let packet = packet(data);
    criterion.bench_function(&format!("parse/socketio/{length}"), |bencher| {
        bencher.iter(|| {
            let event = event(black_box(&packet)).expect("an event");
            post(event.arg(0).ok(), caller).expect("it may be said")
        });
    });
}

/// With the number of an acknowledgement.
fn packet(data: &str) -> ByteString {
    format!(r#"4217["send_message",{data}]"#).into()
}

fn caller() -> Caller {
    Caller::Token(Session {
        id: SESSION,
        user: User { id: UserId(1), created_at: Timestamp::from_millis(0) },
        pseudonym: name("JohnDoe"),
        connected_at: Timestamp::from_millis(1),
        claimed: true,
    })
}
