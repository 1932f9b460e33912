//! Payloads of HTTP long-polling: packets joined by the record separator, binary ones as base64 behind a `b`.
//!
//! Source: Engine.IO protocol v4, "HTTP long-polling" and "Packet encoding". A text that itself holds the separator
//! cannot be told apart; JSON never does, since it escapes control characters.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use bytestring::ByteString;
use lobby_websocket::Frame;

const SEPARATOR: char = '\x1e';

/// Clients are known to leave the padding out; the reference takes both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The packets of a request's body, taken out one at a time, so that no list of them is ever built.
#[derive(Debug)]
pub(crate) struct Payload {
    rest: Option<ByteString>,
}

/// One packet of a payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Text(ByteString),
    Binary(Bytes),
    /// A binary packet that is no base64.
    Broken,
}

impl Payload {
    /// `None` if there are more than `max_packets`, which is found out before any of them is read.
    pub(crate) fn new(body: ByteString, max_packets: usize) -> Option<Self> {
        let separators = body.bytes().filter(|byte| u32::from(*byte) == u32::from(SEPARATOR)).count();
        (separators < max_packets).then_some(Self { rest: Some(body) })
    }
}

impl Iterator for Payload {
    type Item = Data;

    fn next(&mut self) -> Option<Data> {
        let rest = self.rest.take()?;
        let packet = match rest.split_once(SEPARATOR) {
            Some((packet, others)) => {
                self.rest = Some(rest.slice_ref(others));
                rest.slice_ref(packet)
            }
            None => rest,
        };
        Some(match packet.strip_prefix('b') {
            Some(base64) => BASE64.decode(base64).map_or(Data::Broken, |data| Data::Binary(data.into())),
            None => Data::Text(packet),
        })
    }
}

/// Bytes that a packet takes in a payload.
pub(crate) fn encoded_len(frame: &Frame) -> usize {
    let length = frame.payload().len();
    if frame.is_text() { length } else { 1 + length.div_ceil(3) * 4 }
}

/// Joins packets into one payload.
pub(crate) fn encode(frames: impl IntoIterator<Item = Frame>, capacity: usize) -> Bytes {
    let mut payload = Vec::with_capacity(capacity);
    for (index, frame) in frames.into_iter().enumerate() {
        if index > 0 {
            payload.push(SEPARATOR as u8);
        }
        if frame.is_text() {
            payload.extend_from_slice(frame.payload());
        } else {
            payload.push(b'b');
            payload.extend_from_slice(BASE64.encode(frame.payload()).as_bytes());
        }
    }
    payload.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(body: &'static str) -> Vec<Data> {
        Payload::new(ByteString::from_static(body), 100).unwrap().collect()
    }

    fn text(text: &str) -> Data {
        Data::Text(text.into())
    }

    #[test]
    fn packets_are_taken_apart_at_the_separator() {
        let bytes = || Data::Binary(Bytes::from_static(&[1, 2, 3, 4]));
        let table = [
            ("4hello", vec![text("4hello")]),
            ("4a\x1e4é\x1e2", vec![text("4a"), text("4é"), text("2")]),
            ("4hello\x1ebAQIDBA==", vec![text("4hello"), bytes()]),
            ("bAQIDBA", vec![bytes()]),
            ("b", vec![Data::Binary(Bytes::new())]),
            ("b!", vec![Data::Broken]),
            ("b4AQ=ID", vec![Data::Broken]),
            ("", vec![text("")]),
            ("\x1e", vec![text(""), text("")]),
        ];
        for (body, expected) in table {
            assert_eq!(split(body), expected, "{body:?}");
        }
    }

    #[test]
    fn a_payload_of_too_many_packets_is_refused_whole() {
        let body = ByteString::from_static("1\x1e2\x1e3");
        assert!(Payload::new(body.clone(), 2).is_none());
        assert_eq!(Payload::new(body, 3).unwrap().count(), 3);
    }

    proptest! {
        #[test]
        fn what_is_joined_comes_apart_again(
            packets in prop::collection::vec(
                prop_oneof![
                    "[0-6][a-zé\"{}]{0,20}".prop_map(|text| Data::Text(text.into())),
                    prop::collection::vec(any::<u8>(), 0..40).prop_map(|data| Data::Binary(data.into())),
                ],
                1..20,
            ),
        ) {
            let frames: Vec<Frame> = packets.iter().map(|packet| match packet {
                Data::Text(text) => Frame::text(text),
                Data::Binary(data) => Frame::binary(data),
                Data::Broken => unreachable!("none is made"),
            }).collect();
            let length = frames.iter().map(encoded_len).sum::<usize>() + frames.len() - 1;
            let body = ByteString::try_from(encode(frames, length)).unwrap();
            prop_assert_eq!(body.len(), length);
            prop_assert_eq!(Payload::new(body, 20).unwrap().collect::<Vec<_>>(), packets);
        }

        #[test]
        fn no_body_panics(body in "[b4=A\x1eé!]{0,40}") {
            let count = body.matches(SEPARATOR).count() + 1;
            prop_assert_eq!(Payload::new(body.into(), 50).unwrap().count(), count);
        }
    }
}
