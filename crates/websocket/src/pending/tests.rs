use std::io;

use proptest::prelude::*;

use super::*;

/// A socket that takes a certain number of bytes each time, and none when that is none.
fn socket(
    wire: &mut Vec<u8>,
    mut takes: impl Iterator<Item = usize>,
) -> impl FnMut(&[IoSlice<'_>]) -> io::Result<usize> {
    move |slices| {
        let most = takes.next().filter(|most| *most > 0).ok_or(ErrorKind::WouldBlock)?;
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(most).collect();
        wire.extend_from_slice(&all);
        Ok(all.len())
    }
}

fn pending(texts: &[&str]) -> Pending {
    let mut pending = Pending::default();
    for text in texts {
        pending.push(&Frame::text(text));
    }
    pending
}

fn frames(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| Frame::text(text).bytes().to_vec()).collect()
}

#[test]
fn what_the_socket_did_not_take_is_written_when_it_takes_more() {
    let (mut pending, mut wire) = (pending(&["one", "two", "three"]), Vec::new());
    assert_eq!(pending.write(socket(&mut wire, [7, 0].into_iter())), Written::Part);
    assert_eq!(pending.bytes(), frames(&["one", "two", "three"]).len() - 7);
    assert_eq!(pending.write(socket(&mut wire, [1, 1, 100].into_iter())), Written::All);
    assert_eq!((wire, pending.cost()), (frames(&["one", "two", "three"]), 0));
}

#[test]
fn the_rest_of_a_frame_is_never_dropped_and_all_behind_it_is() {
    let (mut pending, mut wire) = (pending(&["one", "two", "three"]), Vec::new());
    pending.write(socket(&mut wire, [6, 0].into_iter()));
    pending.clear();
    pending.push(&Frame::text("last"));
    assert_eq!(pending.write(socket(&mut wire, [100].into_iter())), Written::All);
    assert_eq!(wire, frames(&["one", "two", "last"]));
}

#[test]
fn a_frame_of_which_nothing_was_written_is_dropped() {
    let (mut pending, mut wire) = (pending(&["one", "two"]), Vec::new());
    pending.write(socket(&mut wire, [5, 0].into_iter()));
    pending.clear();
    assert_eq!((wire, pending.cost()), (frames(&["one"]), 0));
}

#[test]
fn a_signal_interrupts_nothing_and_an_error_ends_it() {
    let mut answers = [Err(ErrorKind::Interrupted), Ok(3), Err(ErrorKind::ConnectionReset)].into_iter();
    let written = pending(&["one"]).write(|_| answers.next().expect("no more writes").map_err(Into::into));
    assert_eq!((written, answers.next()), (Written::Broken, None));
}

#[test]
fn more_frames_than_one_write_takes_go_in_several() {
    let texts = ["x"; 2 * SLICES + 1];
    let (mut pending, mut writes) = (pending(&texts), 0);
    let written = pending.write(|slices| {
        writes += 1;
        Ok(slices.iter().map(|slice| slice.len()).sum())
    });
    assert_eq!((written, writes), (Written::All, 3));
}

#[test]
fn a_burst_leaves_no_memory_behind() {
    for by_chunks in [true, false] {
        let mut pending = pending(&vec!["x"; 10_000]);
        while by_chunks && pending.take_chunk().is_some() {}
        pending.write(socket(&mut Vec::new(), std::iter::repeat(usize::MAX)));
        assert!(pending.frames.capacity() <= 2 * KEPT_PLACES);
    }
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
        for step in steps {
            match step {
                Step::Push(length) => {
                    sent += 1;
                    pending.push(&Frame::binary(&vec![sent; length + 1]));
                }
                Step::Write(takes) => drop(pending.write(socket(&mut wire, takes.into_iter()))),
                Step::Chunk => wire.extend(pending.take_chunk().unwrap_or_default()),
                Step::Clear => pending.clear(),
            }
        }
        pending.write(socket(&mut wire, std::iter::repeat(usize::MAX)));
        prop_assert_eq!(pending.cost(), 0);
        prop_assert!(numbers(&wire).is_sorted_by(|one, next| one < next));
    }
}
