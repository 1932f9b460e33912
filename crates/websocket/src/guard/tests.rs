use proptest::prelude::*;

use super::*;
use crate::testing::{
    self, CONTINUATION as MORE, FIN_BINARY, FIN_CONTINUATION, FIN_PING, FIN_TEXT, FIRST_TEXT,
};

const LIMITS: fn() -> Limits = || Limits { max_message: 1000, max_fragments: 4, ..Limits::default() };

/// Bytes of whole frames that passed, and why it ended.
fn verdict<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (usize, Option<Refusal>) {
    let mut guard = FrameGuard::new(&LIMITS());
    let (mut seen, mut whole) = (0, 0);
    for mut piece in pieces {
        while !piece.is_empty() {
            match guard.admit(piece) {
                Ok(taken) => {
                    assert!(taken > 0, "it always moves on");
                    piece = &piece[taken..];
                    seen += taken;
                }
                Err(refusal) => return (whole, Some(refusal)),
            }
            if guard.header.have == 0 {
                whole = seen;
            }
        }
    }
    (whole, None)
}

fn refused(frames: &[Vec<u8>]) -> Option<(u16, &'static str)> {
    let refusal = verdict([frames.concat().as_slice()]).1?;
    Some((refusal.code.get(), refusal.reason))
}

fn unmasked() -> Vec<u8> {
    vec![FIN_TEXT, 1, b'a']
}

#[test]
fn what_breaks_the_protocol_is_refused_with_1002() {
    let ping = |length| testing::header(FIN_PING, length);
    for (frames, reason) in [
        (vec![unmasked()], "a client must mask its frames"),
        (vec![testing::frame(0xC1, b"rsv1")], "reserved bits are set"),
        (vec![testing::frame(0xA1, b"rsv2")], "reserved bits are set"),
        (vec![testing::frame(0x91, b"rsv3")], "reserved bits are set"),
        (vec![vec![0x83]], "reserved opcode"),
        (vec![vec![0x87]], "reserved opcode"),
        (vec![vec![0x8B]], "reserved opcode"),
        (vec![vec![0x8F]], "reserved opcode"),
        (vec![vec![0x09]], "a control frame in fragments"),
        (vec![vec![0x08]], "a control frame in fragments"),
        (vec![ping(126)], "a control frame over 125 bytes"),
        (vec![ping(70_000)], "a control frame over 125 bytes"),
        (vec![testing::frame(FIN_CONTINUATION, b"x")], "nothing to continue"),
        (vec![testing::frame(MORE, b"x")], "nothing to continue"),
        (
            vec![testing::frame(FIRST_TEXT, b"x"), testing::frame(FIN_TEXT, b"y")],
            "a message within a message",
        ),
        (
            vec![testing::frame(FIRST_TEXT, b"x"), testing::frame(FIN_BINARY, b"y")],
            "a message within a message",
        ),
        (vec![testing::header(FIN_TEXT, u64::MAX)], "a length of 64 bits"),
        (vec![testing::frame(0x88, b"x")], "half a close code"),
    ] {
        assert_eq!(refused(&frames), Some((1002, reason)), "{frames:?}");
    }
}

#[test]
fn a_length_in_more_bytes_than_it_needs_is_refused() {
    let mask = [0; 4];
    let medium = |length: u16| [&[FIN_BINARY, 0x80 + 126][..], &length.to_be_bytes(), &mask].concat();
    let long = |length: u64| [&[FIN_BINARY, 0x80 + 127][..], &length.to_be_bytes(), &mask].concat();
    for header in [medium(0), medium(1), medium(125), long(0), long(126), long(65_535)] {
        assert_eq!(refused(&[header]), Some((1002, "a length in more bytes than it needs")));
    }
    assert_eq!(refused(&[medium(126)]), None);
    assert_eq!(refused(&[long(65_536)]), Some((1009, "message too big")));
}

#[test]
fn what_exceeds_a_limit_is_refused_with_1009_before_its_payload() {
    let gigabyte = testing::header(FIN_BINARY, 1 << 30);
    let part = || testing::frame(FIRST_TEXT, &[b'a'; 600]);
    for (frames, reason) in [
        (vec![gigabyte], "message too big"),
        (vec![testing::header(FIN_TEXT, 1001)], "message too big"),
        (vec![testing::header(FIN_TEXT, i64::MAX as u64)], "message too big"),
        (vec![part(), testing::header(FIN_CONTINUATION, 401)], "message too big"),
        (vec![part(), testing::header(MORE, u64::from(u32::MAX))], "message too big"),
    ] {
        assert_eq!(refused(&frames), Some((1009, reason)), "{frames:?}");
    }
}

#[test]
fn a_message_of_too_many_fragments_is_refused_even_if_they_are_empty() {
    let mut frames = vec![testing::frame(FIRST_TEXT, b"")];
    frames.extend(vec![testing::frame(MORE, b""); 3]);
    assert_eq!(refused(&frames), None);
    frames.push(testing::frame(FIN_CONTINUATION, b""));
    assert_eq!(refused(&frames), Some((1009, "too many fragments")));
}

#[test]
fn what_is_within_the_limits_passes() {
    let full = testing::frame(FIN_TEXT, &[b'a'; 1000]);
    let fragments = [
        testing::frame(FIRST_TEXT, &[b'a'; 500]),
        testing::frame(FIN_PING, &[0; 125]),
        testing::frame(MORE, b""),
        testing::frame(MORE, &[b'a'; 300]),
        testing::frame(FIN_CONTINUATION, &[b'a'; 200]),
    ];
    let stream = [full.clone(), fragments.concat(), full, testing::close(1000, b"bye")].concat();
    assert_eq!(verdict([stream.as_slice()]), (stream.len(), None));
}

#[test]
fn close_codes_are_those_of_the_registry() {
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
        assert_eq!(refused(&[testing::close(code, b"")]), None, "{code}");
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535] {
        assert_eq!(refused(&[testing::close(code, b"why")]), Some((1002, "invalid close code")), "{code}");
    }
    assert_eq!(refused(&[testing::frame(0x88, b"")]), None);
}

#[test]
fn the_bytes_of_one_frame_are_admitted_at_a_time() {
    let (first, second) = (testing::frame(FIN_TEXT, b"one"), testing::frame(FIN_TEXT, b"two"));
    let mut guard = FrameGuard::new(&LIMITS());
    assert_eq!(guard.admit(&[first.clone(), second].concat()), Ok(first.len()));
}

#[test]
fn the_refused_byte_is_the_first_that_is_wrong() {
    let mut guard = FrameGuard::new(&LIMITS());
    let header = testing::header(FIN_BINARY, 1 << 30);
    let (before, last) = (&header[..9], &header[9..10]);
    assert_eq!(guard.admit(before), Ok(before.len()));
    assert_eq!(guard.admit(last), Err(MESSAGE_TOO_BIG));
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_verdict(bytes in testing::suspicious_bytes(), cuts in testing::cuts()) {
        let pieces = testing::pieces(&bytes, &cuts);
        let whole = verdict([bytes.as_slice()]);
        prop_assert_eq!(verdict(pieces.iter().map(Vec::as_slice)), whole);
        prop_assert_eq!(verdict(bytes.chunks(1)), whole);
    }
}
