//! What holds whatever a peer sends. Each property is one function, called with made-up bytes by the tests of this
//! crate, and with those that a fuzzer finds by its targets.

mod model;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::vec;

use actix_web::{FromRequest as _, HttpRequest, dev::Payload, error::PayloadError, test::TestRequest, web};
use bytes::Bytes;
use futures_core::Stream;

use crate::{
    Limits,
    guard::Refusal,
    reader::{BAD_FRAME, Event, Reader},
};

/// Small, so that inputs of a few hundred bytes come to every bound.
const LIMITS: fn() -> Limits = || Limits { max_message: 500, max_fragments: 4, ..Limits::default() };

/// Reads frames of a client, in pieces of as many bytes as the first byte says, and one more.
///
/// # Panics
///
/// When the pieces make a difference, when the guard lets through what the decoder refuses, or when a plain reading of
/// the RFC understands something else.
pub fn frames(input: &[u8]) {
    let Some((size, bytes)) = input.split_first() else { return };
    let events = read([bytes]);
    assert_eq!(read(bytes.chunks(usize::from(*size) + 1)), events, "pieces make a difference");
    assert!(!events.contains(&Event::Refused(BAD_FRAME)), "{events:?}");
    assert_eq!(events.into_iter().map(without_reason).collect::<Vec<_>>(), model::read(bytes, &LIMITS()));
}

/// The RFC knows close codes only.
fn without_reason(event: Event) -> Event {
    match event {
        Event::Refused(Refusal { code, .. }) => model::refused(code),
        event => event,
    }
}

/// All events of a peer that sent these pieces and then left.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let pieces: Vec<_> = pieces.into_iter().map(Bytes::copy_from_slice).collect();
    let body = body(Pieces(pieces.into_iter()));
    let (_response, mut reader) = Reader::accept(&request(), body, &LIMITS()).expect("a proper handshake");
    let mut events = Vec::new();
    while !matches!(events.last(), Some(Event::End | Event::Refused(_))) {
        match reader.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => events.push(event),
            Poll::Pending => panic!("it waits for a peer that has left"),
        }
    }
    events
}

/// A proper handshake, made once: that takes longer than most of what is tested with it.
pub(crate) fn request() -> HttpRequest {
    thread_local! {
        static REQUEST: HttpRequest = TestRequest::default()
            .insert_header(("upgrade", "websocket"))
            .insert_header(("connection", "upgrade"))
            .insert_header(("sec-websocket-version", "13"))
            .insert_header(("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw=="))
            .to_http_request();
    }
    REQUEST.with(HttpRequest::clone)
}

/// A request's body that is made of what the stream yields.
pub(crate) fn body(pieces: impl Stream<Item = Result<Bytes, PayloadError>> + 'static) -> web::Payload {
    let mut payload = Payload::Stream { payload: Box::pin(pieces) as _ };
    web::Payload::from_request(&request(), &mut payload).into_inner().expect("extracting it never fails")
}

struct Pieces(vec::IntoIter<Bytes>);

impl Stream for Pieces {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{close, frame, suspicious_bytes};

    /// Frames that come to the bounds of a message, in the right order or not, and close frames good and bad.
    fn messages() -> impl Strategy<Value = Vec<u8>> {
        let first = prop::sample::select(vec![0x01, 0x02, 0x00, 0x00, 0x80, 0x81, 0x89]);
        let part = (first, prop_oneof![".{0,60}", "[a-é]{200,300}"])
            .prop_map(|(first, text)| frame(first, text.as_bytes()));
        let whole = (0..7_usize, ".{0,9}").prop_map(|(count, text)| {
            let parts = [0x01].into_iter().chain(vec![0x00; count]).chain([0x80]);
            parts.flat_map(|first| frame(first, text.as_bytes())).collect()
        });
        let close = (990..1020_u16, prop::collection::vec(any::<u8>(), 0..4))
            .prop_map(|(code, reason)| close(code, &reason));
        prop::collection::vec(prop_oneof![8 => part, 1 => whole, 1 => close], 0..8)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn frames_are_read_as_the_rfc_says_in_any_pieces(
            size in any::<u8>(),
            bytes in prop_oneof![messages(), suspicious_bytes()],
        ) {
            super::frames(&[&[size], &bytes[..]].concat());
        }
    }
}
