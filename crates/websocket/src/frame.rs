use bytes::Bytes;

use crate::close::{CloseCode, cut};

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Longest payload of a control frame in bytes (RFC 6455, 5.5).
const MAX_CONTROL: usize = 125;
/// Longest header of an unmasked frame: two bytes and a length of eight.
const MAX_HEADER: usize = 10;

/// A whole message, framed as a server sends it (one frame, final, unmasked: RFC 6455, section 5.2).
///
/// Frame once, send to many: a clone only counts a reference, and the bytes are those that go on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    /// Where the payload begins.
    header: usize,
}

impl Frame {
    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::build(TEXT, &[text.as_bytes()])
    }

    /// A text message out of parts, which are copied once, into the frame.
    #[must_use]
    pub fn text_from(parts: &[&str]) -> Self {
        Self::build(TEXT, parts)
    }

    /// A binary message.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        Self::build(BINARY, &[data])
    }

    /// A ping; what exceeds the 125 bytes of a control frame is left out.
    #[must_use]
    pub fn ping(data: &[u8]) -> Self {
        Self::build(PING, &[&data[..data.len().min(MAX_CONTROL)]])
    }

    /// A pong; what exceeds the 125 bytes of a control frame is left out.
    #[must_use]
    pub fn pong(data: &[u8]) -> Self {
        Self::build(PONG, &[&data[..data.len().min(MAX_CONTROL)]])
    }

    /// Not public, since a close frame changes what may follow: [`Outbox::close`](crate::Outbox::close) sends it.
    pub(crate) fn close(code: Option<CloseCode>, reason: &str) -> Self {
        match code {
            Some(code) => Self::build(CLOSE, &[&code.get().to_be_bytes(), cut(reason).as_bytes()]),
            None => Self::build::<&[u8]>(CLOSE, &[]),
        }
    }

    /// The message without its header.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.header..]
    }

    /// Whether this is a text message.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.bytes[0] == FIN | TEXT
    }

    /// Bytes on the wire, header and payload.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a frame has a header, so it is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes for the wire.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    fn build<P: AsRef<[u8]>>(opcode: u8, parts: &[P]) -> Self {
        let length = parts.iter().map(|part| part.as_ref().len()).sum();
        let mut bytes = Vec::with_capacity(MAX_HEADER + length);
        put_header(&mut bytes, opcode, length);
        let header = bytes.len();
        for part in parts {
            bytes.extend_from_slice(part.as_ref());
        }
        Self { bytes: bytes.into(), header }
    }
}

/// Messages that are sent together, in one piece for all who get them: joined once instead of for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    bytes: Bytes,
}

impl Frames {
    /// Joins frames, in this order.
    pub fn join<'a>(frames: impl Iterator<Item = &'a Frame> + Clone) -> Self {
        let mut bytes = Vec::with_capacity(frames.clone().map(Frame::len).sum());
        for frame in frames {
            bytes.extend_from_slice(&frame.bytes);
        }
        Self { bytes: bytes.into() }
    }

    /// The bytes for the wire.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

fn put_header(bytes: &mut Vec<u8>, opcode: u8, length: usize) {
    bytes.push(FIN | opcode);
    if let Some(short) = u8::try_from(length).ok().filter(|short| *short < 126) {
        bytes.push(short);
    } else if let Ok(medium) = u16::try_from(length) {
        bytes.push(126);
        bytes.extend_from_slice(&medium.to_be_bytes());
    } else {
        bytes.push(127);
        bytes.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_length_takes_as_few_bytes_as_can_be() {
        for (length, header) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 0xFF, 0xFF]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::binary(&vec![7; length]);
            assert_eq!(frame.bytes()[..header.len()], header);
            assert_eq!(frame.len(), header.len() + length);
            assert_eq!(frame.payload(), vec![7; length]);
        }
    }

    #[test]
    fn every_kind_has_its_opcode() {
        assert_eq!(Frame::text("a").bytes()[..], [0x81, 1, b'a']);
        assert!(Frame::text("a").is_text() && !Frame::binary(b"a").is_text());
        assert_eq!(Frame::ping(b"").bytes()[..], [0x89, 0]);
        assert_eq!(Frame::pong(b"x").bytes()[..], [0x8A, 1, b'x']);
        assert_eq!(Frame::close(Some(CloseCode::NORMAL), "ok").bytes()[..], [0x88, 4, 3, 232, b'o', b'k']);
        assert_eq!(Frame::close(None, "").bytes()[..], [0x88, 0]);
    }

    #[test]
    fn control_frames_stay_within_their_bound() {
        assert_eq!(Frame::ping(&[0; 200]).payload().len(), 125);
        assert_eq!(Frame::pong(&[0; 126]).payload().len(), 125);
        assert_eq!(Frame::close(Some(CloseCode::NORMAL), &"ü".repeat(100)).payload().len(), 2 + 122);
    }

    #[test]
    fn a_clone_shares_the_bytes() {
        let frame = Frame::text("shared");
        assert_eq!(frame.bytes().as_ptr(), frame.clone().bytes().as_ptr());
    }

    #[test]
    fn frames_travel_between_threads() {
        fn travels<T: Send + Sync>(_: &T) {}
        travels(&Frame::text(""));
    }

    proptest! {
        #[test]
        fn parts_make_the_same_frame_as_their_whole(parts in prop::collection::vec(".{0,60}", 0..6)) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            prop_assert_eq!(Frame::text_from(&parts), Frame::text(&parts.concat()));
        }
    }
}
