//! What holds whatever a peer sends. Each property is one function, called with made-up bytes by the tests of this
//! crate, and with those that a fuzzer finds by its targets.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::vec;

use actix_web::{FromRequest as _, HttpRequest, dev::Payload, error::PayloadError, test::TestRequest, web};
use bytes::Bytes;
use futures_core::Stream;

use crate::{
    CloseCode, Limits,
    reader::{Event, Reader},
};

/// Small, so that inputs of a few hundred bytes come to every bound.
const LIMITS: fn() -> Limits = || Limits { max_message: 1000, max_fragments: 8, ..Limits::default() };

/// Reads frames of a client, in pieces of as many bytes as the first byte says, and one more.
///
/// # Panics
///
/// When the pieces make a difference, when a bound is passed, when the guard lets through what the decoder refuses, or
/// when what was understood is understood otherwise after it was written again.
pub fn frames(input: &[u8]) {
    let Some((size, bytes)) = input.split_first() else { return };
    let events = read([bytes]);
    assert_eq!(read(bytes.chunks(usize::from(*size) + 1)), events, "pieces make a difference");

    let (last, events) = events.split_last().expect("there is an end");
    assert!(matches!(last, Event::Refused(_) | Event::End), "{last:?}");
    events.iter().for_each(check_bounds);
    let again = events.iter().map(written).collect::<Vec<_>>().concat();
    let again = read([&again[..]]);
    assert_eq!(again.split_last(), Some((&Event::End, events)), "written again it is not the same");
}

fn check_bounds(event: &Event) {
    let (length, most) = match event {
        Event::Text(text) => (text.len(), LIMITS().max_message),
        Event::Binary(data) => (data.len(), LIMITS().max_message),
        Event::Ping(data) => (data.len(), 125),
        Event::Close(_, reason) => (reason.len(), 123),
        Event::Pong => (0, 0),
        Event::Refused(_) | Event::End => panic!("{event:?} was not the last"),
    };
    assert!(length <= most, "{event:?}");
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

/// The event as one frame, under a mask that changes nothing.
fn written(event: &Event) -> Vec<u8> {
    let code = |code: &Option<CloseCode>| code.map_or(Vec::new(), |code| code.get().to_be_bytes().to_vec());
    let (first, payload) = match event {
        Event::Text(text) => (0x81, text.as_bytes().to_vec()),
        Event::Binary(data) => (0x82, data.to_vec()),
        Event::Close(why, reason) => (0x88, [&code(why), reason.as_bytes()].concat()),
        Event::Ping(data) => (0x89, data.to_vec()),
        Event::Pong => (0x8A, Vec::new()),
        Event::Refused(_) | Event::End => panic!("{event:?} is no frame"),
    };
    let length = u16::try_from(payload.len()).expect("no message is longer than its bound");
    let header = match length {
        0..126 => vec![first, 0x80 | length.to_be_bytes()[1]],
        126.. => [[first, 0x80 + 126], length.to_be_bytes()].concat(),
    };
    [header, vec![0; 4], payload].concat()
}

/// A proper handshake.
pub(crate) fn request() -> HttpRequest {
    TestRequest::default()
        .insert_header(("upgrade", "websocket"))
        .insert_header(("connection", "upgrade"))
        .insert_header(("sec-websocket-version", "13"))
        .insert_header(("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw=="))
        .to_http_request()
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

    use crate::testing;

    proptest! {
        #[test]
        fn frames_are_read_alike_in_any_pieces(size in any::<u8>(), bytes in testing::suspicious_bytes()) {
            super::frames(&[&[size], &bytes[..]].concat());
        }

        #[test]
        fn noise_is_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            super::frames(&bytes);
        }
    }
}
