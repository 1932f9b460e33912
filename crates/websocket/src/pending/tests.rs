use std::io;

use proptest::prelude::*;

use super::*;
use crate::Frame;

/// A socket that takes a certain number of bytes each time, and none when that is none.
fn socket(
    wire: &mut Vec<u8>,
    mut takes: impl Iterator<Item = usize>,
) -> impl FnMut(&[u8]) -> io::Result<usize> {
    move |bytes| {
        let most = takes.next().filter(|most| *most > 0).ok_or(ErrorKind::WouldBlock)?;
        let bytes = &bytes[..most.min(bytes.len())];
        wire.extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

/// Writes to it.
fn write(pending: &mut Pending, wire: &mut Vec<u8>, takes: impl IntoIterator<Item = usize>) -> Written {
    pending.write(&mut Joined::default(), socket(wire, takes.into_iter()))
}

fn pending(texts: &[&str]) -> Pending {
    let mut pending = Pending::default();
    for text in texts {
        pending.push(Frame::text(text).bytes());
    }
    pending
}

fn frames(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| Frame::text(text).bytes().to_vec()).collect()
}

#[test]
fn what_the_socket_did_not_take_is_written_when_it_takes_more() {
    let (mut pending, mut wire) = (pending(&["one", "two", "three"]), Vec::new());
    assert_eq!(write(&mut pending, &mut wire, [7, 0]), Written::Part);
    assert_eq!(pending.bytes(), frames(&["one", "two", "three"]).len() - 7);
    assert_eq!(write(&mut pending, &mut wire, [1, 1, 100]), Written::All);
    assert_eq!((wire, pending.cost()), (frames(&["one", "two", "three"]), 0));
}

#[test]
fn the_rest_of_a_frame_is_never_dropped_and_all_behind_it_is() {
    let (mut pending, mut wire) = (pending(&["one", "two", "three"]), Vec::new());
    write(&mut pending, &mut wire, [6, 0]);
    pending.clear();
    pending.push(Frame::text("last").bytes());
    assert_eq!(write(&mut pending, &mut wire, [100]), Written::All);
    assert_eq!(wire, frames(&["one", "two", "last"]));
}

#[test]
fn a_frame_of_which_nothing_was_written_is_dropped() {
    let (mut pending, mut wire) = (pending(&["one", "two"]), Vec::new());
    write(&mut pending, &mut wire, [5, 0]);
    pending.clear();
    assert_eq!((wire, pending.cost()), (frames(&["one"]), 0));
}

#[test]
fn a_signal_interrupts_nothing_and_an_error_ends_it() {
    let mut answers = [Err(ErrorKind::Interrupted), Ok(3), Err(ErrorKind::ConnectionReset)].into_iter();
    let written = pending(&["one"])
        .write(&mut Joined::default(), |_| answers.next().expect("no more writes").map_err(Into::into));
    assert_eq!((written, answers.next()), (Written::Broken, None));
}

#[test]
fn what_several_wait_for_is_joined_once() {
    let (frames, other) = (["one", "two"].map(Frame::text), Frame::text("two"));
    let (mut joined, mut pieces) = (Joined::default(), Vec::new());
    let mut write = |frames: &[Frame]| {
        let mut pending = Pending::default();
        for frame in frames {
            pending.push(frame.bytes());
        }
        pending.write(&mut joined, |bytes| {
            pieces.push(bytes.to_vec());
            Ok(bytes.len())
        });
        joined.frames.first().map(|frame| frame.as_ptr())
    };
    let first = write(&frames);
    assert_eq!(write(&frames), first);
    write(&[frames[0].clone(), other.clone()]);
    write(&[frames[0].clone(), other.clone(), frames[1].clone()]);
    let texts: Vec<_> =
        [&["one", "two"][..], &["one", "two"], &["one", "two"], &["one", "two", "two"]].into();
    assert_eq!(pieces, texts.into_iter().map(super::tests::frames).collect::<Vec<_>>());
}

#[test]
fn more_than_a_chunk_goes_in_several_writes() {
    let text = "x".repeat(CHUNK / 3);
    let (mut pending, mut writes) = (pending(&[text.as_str(); 5]), 0);
    let written = pending.write(&mut Joined::default(), |bytes| {
        writes += 1;
        Ok(bytes.len())
    });
    assert_eq!((written, writes), (Written::All, 3));
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    /// What the socket takes of each write.
    Write(Vec<usize>),
    Chunk,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..300).prop_map(Step::Push),
        4 => prop::collection::vec(0_usize..400, 0..4).prop_map(Step::Write),
        1 => Just(Step::Chunk),
        1 => Just(Step::Clear),
    ]
}

/// The numbers of the frames on the wire; each holds its own number, over and over.
fn numbers(mut wire: &[u8]) -> Vec<u8> {
    let mut numbers = Vec::new();
    while let [0x82, length, rest @ ..] = wire {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            short => (usize::from(*short), rest),
        };
        assert!(rest[..length].iter().all(|byte| *byte == rest[0]), "one frame within another");
        numbers.push(rest[0]);
        wire = &rest[length..];
    }
    assert_eq!(wire, b"", "a frame begins where one ends");
    numbers
}

proptest! {
    #[test]
    fn the_wire_carries_whole_frames_in_order(steps in prop::collection::vec(step(), 0..80)) {
        let (mut pending, mut wire, mut sent) = (Pending::default(), Vec::new(), 0_u8);
        let mut joined = Joined::default();
        for step in steps {
            match step {
                Step::Push(length) => {
                    sent += 1;
                    pending.push(Frame::binary(&vec![sent; length + 1]).bytes());
                }
                Step::Write(takes) => drop(pending.write(&mut joined, socket(&mut wire, takes.into_iter()))),
                Step::Chunk => wire.extend(pending.take_chunk().unwrap_or_default()),
                Step::Clear => pending.clear(),
            }
        }
        write(&mut pending, &mut wire, std::iter::repeat(usize::MAX));
        prop_assert_eq!(pending.cost(), 0);
        prop_assert!(numbers(&wire).is_sorted_by(|one, next| one < next));
    }
}
