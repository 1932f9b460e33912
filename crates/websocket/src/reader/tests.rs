use std::{future::poll_fn, task::Waker};

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;
use crate::testing::{
    self, CONTINUATION, FIN_BINARY, FIN_CONTINUATION, FIN_PING, FIN_TEXT, FIRST_TEXT, close, cuts, frame,
    pieces,
};

fn reader(limits: &Limits) -> (testing::Sender, Reader, HttpResponse) {
    let (sender, body) = testing::body();
    let (response, reader) = Reader::accept(&testing::request(), body, limits).unwrap();
    (sender, reader, response)
}

/// All events of a peer that sent these pieces and then left.
fn events<'a>(limits: &Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let (sender, mut reader, _response) = reader(limits);
    for piece in pieces {
        sender.send(piece.to_vec());
    }
    drop(sender);
    let mut events = Vec::new();
    while !matches!(events.last(), Some(Event::End | Event::Refused(_))) {
        events.push(poll_fn(|cx| reader.poll(cx)).now_or_never().expect("the peer has left"));
    }
    events
}

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

#[test]
fn good_frames_precede_the_bad_one_they_arrived_with() {
    for (bad, refusal) in [
        (vec![0x8B, 0x80], "reserved opcode"),
        (vec![FIN_TEXT, 0], "a client must mask its frames"),
        (frame(FIN_TEXT, b"\xFF"), "invalid UTF-8"),
        (close(1005, b""), "invalid close code"),
        (close(1000, b"\xFF"), "invalid UTF-8"),
    ] {
        let bytes =
            [frame(FIN_TEXT, b"one"), frame(FIN_BINARY, b"two"), bad, frame(FIN_TEXT, b"no")].concat();
        let events = events(&Limits::default(), [&bytes[..]]);
        let [one, two, Event::Refused(last)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((one, two), (&text("one"), &Event::Binary("two".into())));
        assert_eq!(last.reason, refusal);
    }
}

#[test]
fn bad_utf8_is_1007_and_an_invalid_close_code_1002() {
    for (bytes, code) in [
        (frame(FIN_TEXT, b"\xC0\x80"), CloseCode::INVALID_DATA),
        ([frame(FIRST_TEXT, b"\xE2\x82"), frame(FIN_CONTINUATION, b"A")].concat(), CloseCode::INVALID_DATA),
        (close(1000, b"\xFF"), CloseCode::INVALID_DATA),
        (close(1006, b"\xFF"), CloseCode::PROTOCOL),
    ] {
        let events = events(&Limits::default(), [&bytes[..]]);
        assert!(matches!(&events[..], [Event::Refused(refusal)] if refusal.code == code), "{events:?}");
    }
}

/// The decoder has its own opinion of a length as soon as it has come, so the guard must not wait for the mask.
#[test]
fn a_length_is_refused_for_the_same_reason_wherever_its_header_is_split() {
    for (length, reason) in [(1 << 30, "message too big"), (u64::MAX, "a length of 64 bits")] {
        let header = testing::header(FIN_BINARY, length);
        for at in 0..header.len() {
            let (left, right) = header.split_at(at);
            let events = events(&Limits::default(), [left, right]);
            assert!(
                matches!(&events[..], [Event::Refused(refusal)] if refusal.reason == reason),
                "{at}: {events:?}"
            );
        }
    }
}

#[test]
fn a_character_may_be_split_between_fragments() {
    let bytes = [
        frame(FIRST_TEXT, b"1 \xE2"),
        frame(FIN_PING, b"!"),
        frame(CONTINUATION, b"\x82"),
        frame(FIN_CONTINUATION, b"\xAC"),
    ];
    assert_eq!(
        events(&Limits::default(), [&bytes.concat()[..]]),
        [Event::Ping("!".into()), text("1 €"), Event::End]
    );
}

#[test]
fn an_empty_close_has_no_code() {
    assert_eq!(events(&Limits::default(), [&frame(0x88, b"")[..]])[0], Event::Close(None, String::new()));
    assert_eq!(
        events(&Limits::default(), [&close(4001, "später".as_bytes())[..]])[0],
        Event::Close(Some(CloseCode::private(4001)), "später".to_owned())
    );
}

#[test]
fn part_of_a_frame_is_a_sign_of_life() {
    let (sender, mut reader, _response) = reader(&Limits::default());
    sender.send(frame(FIN_TEXT, b"slow")[..3].to_vec());
    assert!(reader.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(reader.take_heard());
    assert!(!reader.take_heard());
}

/// What the decoder keeps of the last message is not seen from outside, except by whether the message can be taken
/// over without a copy.
#[test]
fn an_idle_connection_does_not_keep_its_last_message() {
    let (sender, mut reader, _response) = reader(&Limits::default());
    sender.send(frame(FIN_BINARY, &vec![7; 100_000]));
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Event::Binary(message)) = reader.poll(&mut cx) else { panic!("a message has come") };
    assert!(reader.poll(&mut cx).is_pending());
    assert!(message.is_unique());
}

#[test]
fn sixteen_mebibytes_in_fragments_of_64_bytes_arrive() {
    const SIZE: usize = 16 << 20;
    let limits = Limits { max_message: SIZE, max_fragments: SIZE / 64, ..Limits::default() };
    let mut bytes = frame(0x02, &[7; 64]);
    for _ in 2..SIZE / 64 {
        bytes.extend(frame(CONTINUATION, &[7; 64]));
    }
    bytes.extend(frame(FIN_CONTINUATION, &[7; 64]));
    let events = events(&limits, bytes.chunks(32_768));
    let [Event::Binary(message), Event::End] = &events[..] else { panic!("{} events", events.len()) };
    assert_eq!(message.len(), SIZE);
}

/// A message with its frames, pings between them.
fn message() -> impl Strategy<Value = (Event, Vec<u8>)> {
    (".{0,300}", any::<bool>(), cuts(), any::<bool>()).prop_map(|(text, is_text, cuts, pings)| {
        let parts = pieces(text.as_bytes(), &cuts);
        let mut bytes = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let opcode = if at > 0 {
                0
            } else if is_text {
                1
            } else {
                2
            };
            let last = if at + 1 == parts.len() { 0x80 } else { 0 };
            bytes.extend(frame(opcode | last, part));
            if pings && last == 0 {
                bytes.extend(frame(0x8A, b"unasked"));
            }
        }
        (if is_text { Event::Text(text.into()) } else { Event::Binary(text.into()) }, bytes)
    })
}

proptest! {
    #[test]
    fn messages_arrive_whole_however_they_are_split(
        messages in prop::collection::vec(message(), 0..6),
        cuts in cuts(),
    ) {
        let (mut expected, frames): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        expected.push(Event::End);
        let pieces = pieces(&frames.concat(), &cuts);
        let mut seen = events(&Limits::default(), pieces.iter().map(Vec::as_slice));
        seen.retain(|event| *event != Event::Pong);
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn the_guard_refuses_all_that_the_decoder_would(bytes in testing::suspicious_bytes()) {
        let limits = Limits { max_message: 1000, ..Limits::default() };
        let events = events(&limits, [&bytes[..]]);
        prop_assert!(!events.contains(&Event::Refused(BAD_FRAME)), "{:?}", events);
    }
}
