use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;
use crate::{
    pending::{CHUNK, FRAME_COST},
    queue::Taken,
};

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rung(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn take(outbox: &Outbox) -> Taken {
    outbox.queue().take(Waker::noop())
}

fn close_frame(code: CloseCode, reason: &str) -> Taken {
    Taken::Chunk(Frame::close(Some(code), reason).bytes().clone())
}

/// All that is to be had, in one piece, and whether the body ended.
fn drain(outbox: &Outbox) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    loop {
        match take(outbox) {
            Taken::Chunk(chunk) => all.extend_from_slice(&chunk),
            Taken::Nothing => return (all, false),
            Taken::End => return (all, true),
        }
    }
}

#[test]
fn all_that_is_pending_leaves_in_one_chunk_after_one_wake_up() {
    let (outbox, bell) = (Outbox::new(1 << 20), Arc::new(Bell::default()));
    let frame = Frame::text("to everybody");
    for round in 1..3 {
        assert_eq!(outbox.queue().take(&Waker::from(Arc::clone(&bell))), Taken::Nothing);
        for _ in 0..100 {
            outbox.send(&frame).unwrap();
        }
        assert_eq!(outbox.pending_bytes(), 100 * frame.len());
        assert_eq!(take(&outbox), Taken::Chunk(frame.bytes().repeat(100).into()));
        assert_eq!(outbox.pending_bytes(), 0);
        assert_eq!(bell.rung(), round);
    }
}

#[test]
fn a_single_frame_is_not_copied() {
    let (outbox, frame) = (Outbox::new(1 << 20), Frame::text("alone"));
    outbox.send(&frame).unwrap();
    let Taken::Chunk(chunk) = take(&outbox) else { panic!("a frame is pending") };
    assert_eq!(chunk.as_ptr(), frame.bytes().as_ptr());
}

#[test]
fn a_chunk_is_bounded_and_a_larger_frame_goes_alone_and_uncopied() {
    let (outbox, small, large) = (Outbox::new(1 << 20), Frame::text("x"), Frame::binary(&vec![0; 2 * CHUNK]));
    for frame in [&small, &small, &large, &small] {
        outbox.send(frame).unwrap();
    }
    assert_eq!(take(&outbox), Taken::Chunk(small.bytes().repeat(2).into()));
    let Taken::Chunk(chunk) = take(&outbox) else { panic!("a frame is pending") };
    assert_eq!(chunk.as_ptr(), large.bytes().as_ptr());
    assert_eq!(take(&outbox), Taken::Chunk(small.bytes().clone()));
}

#[test]
fn frames_that_are_sent_together_are_all_taken_or_none_and_are_copied_for_nobody() {
    let (outbox, frame) = (Outbox::new(4096), Frame::binary(&[7; 1200]));
    let together = Frames::join([&frame, &Frame::text("x"), &frame].into_iter());
    assert_eq!(outbox.send_all(&together), Ok(()));
    assert_eq!(outbox.send_all(&together), Err(SendError::Overflow));
    assert_eq!(take(&outbox), close_frame(CloseCode::TRY_AGAIN, "too slow"));

    let (outbox, x) = (Outbox::new(4096), Frame::text("x"));
    outbox.send_all(&together).unwrap();
    let Taken::Chunk(chunk) = take(&outbox) else { panic!("frames are pending") };
    assert_eq!(chunk, [frame.bytes(), x.bytes(), frame.bytes()].map(|bytes| bytes.to_vec()).concat());
    assert_eq!(chunk.as_ptr(), together.bytes().as_ptr());
}

#[test]
fn at_overflow_what_waits_gives_way_to_a_close_frame() {
    let (outbox, frame) = (Outbox::new(4096), Frame::binary(&[7; 1000]));
    for _ in 0..3 {
        assert_eq!(outbox.send(&frame), Ok(()));
    }
    assert_eq!(outbox.send(&frame), Err(SendError::Overflow));
    assert_eq!(outbox.send(&frame), Err(SendError::Closed));
    assert_eq!(take(&outbox), close_frame(CloseCode::TRY_AGAIN, "too slow"));
    assert_eq!(outbox.queue().ours().and_then(|closed| closed.code), Some(CloseCode::TRY_AGAIN));
}

#[test]
fn empty_frames_overflow_too() {
    let (outbox, frame) = (Outbox::new(4096), Frame::text(""));
    let sent = (0..4096).take_while(|_| outbox.send(&frame).is_ok()).count();
    assert_eq!(sent, 4096 / (FRAME_COST + frame.len()));
}

#[test]
fn a_close_goes_behind_what_is_pending_and_counts_once() {
    let (outbox, frame) = (Outbox::new(4096), Frame::text("last words"));
    outbox.send(&frame).unwrap();
    outbox.close(CloseCode::GOING_AWAY, "bye");
    outbox.close(CloseCode::INTERNAL, "again");
    assert_eq!(outbox.send(&frame), Err(SendError::Closed));
    let close = Frame::close(Some(CloseCode::GOING_AWAY), "bye");
    assert_eq!(drain(&outbox), ([&frame.bytes()[..], &close.bytes()[..]].concat(), false));
    assert_eq!(outbox.queue().ours().map(|closed| closed.reason.as_str()), Some("bye"));
}

#[test]
fn closing_wakes_the_connection_and_sending_does_not() {
    let (outbox, bell) = (Outbox::new(4096), Arc::new(Bell::default()));
    outbox.queue().park_connection(&Waker::from(Arc::clone(&bell)));
    outbox.send(&Frame::text("x")).unwrap();
    assert_eq!(bell.rung(), 0);
    outbox.close(CloseCode::NORMAL, "");
    assert_eq!(bell.rung(), 1);
}

#[test]
fn the_end_comes_behind_what_is_pending() {
    let (outbox, frame) = (Outbox::new(4096), Frame::text("x"));
    outbox.send(&frame).unwrap();
    outbox.queue().end();
    assert_eq!(outbox.send(&frame), Err(SendError::Closed));
    assert_eq!(drain(&outbox), (frame.bytes().to_vec(), true));
}

#[test]
fn the_end_wakes_a_body_that_waits() {
    let (outbox, bell) = (Outbox::new(4096), Arc::new(Bell::default()));
    assert_eq!(outbox.queue().take(&Waker::from(Arc::clone(&bell))), Taken::Nothing);
    outbox.queue().end();
    assert_eq!((bell.rung(), take(&outbox)), (1, Taken::End));
}

#[test]
fn an_abort_drops_what_is_pending() {
    let outbox = Outbox::new(4096);
    outbox.send(&Frame::text("x")).unwrap();
    outbox.queue().abort();
    assert_eq!(drain(&outbox), (vec![], true));
    assert_eq!(outbox.pending_bytes(), 0);
}

#[test]
fn nothing_is_kept_for_a_socket_that_is_gone() {
    let (outbox, bell, task) = (Outbox::new(4096), Arc::new(Bell::default()), Arc::new(Bell::default()));
    assert_eq!(outbox.queue().take(&Waker::from(Arc::clone(&task))), Taken::Nothing);
    outbox.queue().park_connection(&Waker::from(Arc::clone(&bell)));
    outbox.send(&Frame::text("x")).unwrap();
    outbox.queue().gone();
    assert_eq!(bell.rung(), 1);
    assert_eq!(outbox.pending_bytes(), 0);
    assert_eq!(outbox.send(&Frame::text("y")), Err(SendError::Closed));
    assert_eq!(Arc::strong_count(&task), 1, "the handle keeps no task");
}

/// An outbox of so many frames of 968 bytes, which cost 1,000 each; it holds 10.
fn filled(count: usize) -> Outbox {
    let outbox = Outbox::new(10_000);
    for _ in 0..count {
        outbox.send(&thousand()).unwrap();
    }
    outbox
}

fn thousand() -> Frame {
    let frame = Frame::binary(&[7; 1000 - FRAME_COST - 4]);
    assert_eq!(frame.len() + FRAME_COST, 1000);
    frame
}

#[test]
fn there_is_room_up_to_half_of_the_limit() {
    for (count, room) in [(0, true), (5, true), (6, false), (10, false)] {
        assert_eq!(filled(count).room().now_or_never().is_some(), room, "{count}");
    }
}

/// A frame that costs 100 bytes.
fn hundred() -> Frame {
    let frame = Frame::binary(&[7; 100 - FRAME_COST - 2]);
    assert_eq!(frame.len() + FRAME_COST, 100);
    frame
}

#[test]
fn what_may_be_left_out_is_taken_up_to_an_eighth_of_the_limit() {
    let outbox = filled(1);
    let taken = (0..100).filter(|_| outbox.send_volatile(&hundred())).count();
    assert_eq!(taken, 2, "1,250 bytes are an eighth");
    assert!(outbox.has_to_spare(50 - FRAME_COST) && !outbox.has_to_spare(51 - FRAME_COST));
    take(&outbox);
    assert!(outbox.send_volatile(&hundred()), "the peer has caught up");
}

#[test]
fn what_may_be_left_out_closes_nobody_and_takes_no_room_from_the_rest() {
    let outbox = filled(9);
    for _ in 0..1000 {
        assert!(!outbox.send_volatile(&hundred()));
    }
    assert!(!filled(0).send_volatile(&Frame::binary(&vec![0; 20_000])), "larger than the whole outbox");
    assert_eq!(outbox.send(&thousand()), Ok(()), "the last that fits");
    assert!(!outbox.send_volatile(&hundred()));
    assert_eq!(outbox.queue().ours(), None);
    assert_eq!(drain(&outbox).0.len(), 10 * thousand().len());
}

#[test]
fn nothing_that_may_be_left_out_follows_a_close_or_an_end() {
    let ways_out: [fn(&Outbox); 4] = [
        |outbox| outbox.close(CloseCode::NORMAL, ""),
        |outbox| outbox.queue().end(),
        |outbox| outbox.queue().abort(),
        |outbox| outbox.queue().gone(),
    ];
    for leave in ways_out {
        let outbox = filled(0);
        leave(&outbox);
        assert!(!outbox.send_volatile(&hundred()));
    }
}

#[test]
fn holding_many_small_frames_takes_room_too() {
    let outbox = Outbox::new(10_000);
    while outbox.room().now_or_never().is_some() {
        outbox.send(&Frame::text("")).unwrap();
    }
    assert!(outbox.pending_bytes() < 1000);
}

#[test]
fn all_who_wait_for_room_go_on_when_the_socket_has_taken_enough() {
    let (outbox, bells) = (filled(0), [(); 2].map(|()| Arc::new(Bell::default())));
    let large = Frame::binary(&vec![0; 5_000]);
    for frame in [&large, &thousand()] {
        outbox.send(frame).unwrap();
    }
    let clone = outbox.clone();
    let mut waiting = [Box::pin(outbox.room()), Box::pin(clone.room())];
    for (room, bell) in waiting.iter_mut().zip(&bells) {
        assert!(poll(room, bell).is_pending());
    }
    outbox.send(&thousand()).unwrap();
    assert_eq!(bells.each_ref().map(|bell| bell.rung()), [0, 0]);
    assert!(matches!(take(&outbox), Taken::Chunk(_)));
    for (room, bell) in waiting.iter_mut().zip(&bells) {
        assert_eq!((bell.rung(), poll(room, bell)), (1, Poll::Ready(())));
    }
    assert!(outbox.queue().room.is_none());
}

#[test]
fn whoever_waits_for_room_that_another_has_taken_waits_on() {
    let (outbox, bell) = (filled(10), Arc::new(Bell::default()));
    let mut room = Box::pin(outbox.room());
    for round in 1..3 {
        assert!(poll(&mut room, &bell).is_pending());
        take(&outbox);
        assert_eq!(bell.rung(), round);
        for _ in 0..10 {
            outbox.send(&thousand()).unwrap();
        }
    }
    take(&outbox);
    assert!(poll(&mut room, &bell).is_ready());
}

#[test]
fn no_room_is_waited_for_where_nothing_can_be_sent_any_more() {
    let ways_out: [fn(&Outbox); 5] = [
        |outbox| outbox.close(CloseCode::NORMAL, ""),
        |outbox| outbox.queue().end(),
        |outbox| outbox.queue().abort(),
        |outbox| outbox.queue().gone(),
        |outbox| while outbox.send(&thousand()).is_ok() {},
    ];
    for leave in ways_out {
        let (outbox, bell) = (filled(10), Arc::new(Bell::default()));
        let mut room = Box::pin(outbox.room());
        assert!(poll(&mut room, &bell).is_pending());
        leave(&outbox);
        assert_eq!((bell.rung(), poll(&mut room, &bell)), (1, Poll::Ready(())));
        assert!(outbox.room().now_or_never().is_some());
    }
}

#[test]
fn whoever_has_stopped_waiting_for_room_is_forgotten() {
    let (outbox, task) = (filled(10), Arc::new(Bell::default()));
    for _ in 0..3 {
        assert!(poll(&mut Box::pin(outbox.room()), &task).is_pending());
    }
    assert_eq!(Arc::strong_count(&task), 1, "the outbox keeps no task");
    let (stays, bell) = (outbox.clone(), Arc::new(Bell::default()));
    let mut stays = Box::pin(stays.room());
    assert!(poll(&mut stays, &bell).is_pending());
    assert!(poll(&mut Box::pin(outbox.room()), &task).is_pending());
    take(&outbox);
    assert_eq!((task.rung(), bell.rung()), (0, 1));
}

fn poll(room: &mut (impl Future<Output = ()> + Unpin), bell: &Arc<Bell>) -> Poll<()> {
    room.poll_unpin(&mut Context::from_waker(&Waker::from(Arc::clone(bell))))
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Take,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![20 => (0..5000_usize).prop_map(Step::Send), 4 => Just(Step::Take), 1 => Just(Step::Close)]
}

proptest! {
    /// Whatever happens, the wire carries the accepted frames in order up to an overflow, then one close frame.
    #[test]
    fn the_wire_carries_whole_frames_in_order(steps in prop::collection::vec(step(), 0..80)) {
        let outbox = Outbox::new(20_000);
        let (mut waiting, mut closed) = (Vec::new(), false);
        for step in steps {
            match step {
                Step::Send(length) => {
                    let frame = Frame::binary(&vec![1; length]);
                    match outbox.send(&frame) {
                        Ok(()) => waiting.extend_from_slice(frame.bytes()),
                        Err(SendError::Closed) => prop_assert!(closed),
                        Err(SendError::Overflow) => {
                            prop_assert!(!closed);
                            waiting = Frame::close(Some(CloseCode::TRY_AGAIN), "too slow").bytes().to_vec();
                            closed = true;
                        }
                    }
                }
                Step::Take => {
                    if let Taken::Chunk(chunk) = take(&outbox) {
                        prop_assert_eq!(&waiting[..chunk.len()], &chunk[..]);
                        waiting.drain(..chunk.len());
                    }
                }
                Step::Close => {
                    if !closed {
                        waiting.extend_from_slice(Frame::close(Some(CloseCode::NORMAL), "").bytes());
                    }
                    outbox.close(CloseCode::NORMAL, "");
                    closed = true;
                }
            }
            prop_assert_eq!(outbox.pending_bytes(), waiting.len());
            prop_assert!(waiting.len() <= 20_000 + 127);
        }
        prop_assert_eq!(drain(&outbox).0, waiting);
    }
}
