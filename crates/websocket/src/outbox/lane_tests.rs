//! What goes straight to the socket.

use actix_web::rt;

use super::*;
use crate::testing::lanes::{BOTH, Kind, lane, read};

#[actix_web::test]
async fn what_is_alone_is_written_at_once_and_what_is_not_goes_behind_the_rest() {
    for kind in BOTH {
        let (outbox, _, mut peer) = lane(kind, 1 << 20).await;
        let [first, second, third] = ["first", "second", "third"].map(Frame::text);
        outbox.send_now(&first).unwrap();
        assert_eq!(outbox.pending_bytes(), 0);
        // It is there although this task has not let any other run.
        assert_eq!(read(&mut peer, first.len()).await, first.bytes().to_vec());
        outbox.send(&second).unwrap();
        outbox.send_now(&third).unwrap();
        assert_eq!(outbox.pending_bytes(), second.len() + third.len());
        let rest = [second, third].map(|frame| frame.bytes().to_vec()).concat();
        assert_eq!(read(&mut peer, rest.len()).await, rest);
        assert_eq!(outbox.pending_bytes(), 0);
    }
}

#[actix_web::test]
async fn it_is_idle_when_nothing_waits_and_something_may_be_sent() {
    for kind in BOTH {
        let (outbox, _, mut peer) = lane(kind, 1 << 20).await;
        let frame = Frame::text("frame");
        assert!(outbox.is_idle());
        outbox.send(&frame).unwrap();
        assert!(!outbox.is_idle());
        read(&mut peer, frame.len()).await;
        assert!(outbox.is_idle());
        outbox.close(CloseCode::GOING_AWAY, "");
        read(&mut peer, Frame::close(Some(CloseCode::GOING_AWAY), "").len()).await;
        assert!(!outbox.is_idle());
    }
    assert!(!Outbox::new(1 << 20).is_idle(), "the response's body takes it when its turn comes");
}

#[actix_web::test]
async fn what_the_socket_does_not_take_at_once_waits_and_is_whole_and_in_order() {
    for kind in BOTH {
        let (outbox, _, mut peer) = lane(kind, 1 << 24).await;
        let mut all = Vec::new();
        for number in 0..=u8::MAX {
            let frame = Frame::binary(&[number].repeat(40_000));
            all.extend_from_slice(frame.bytes());
            outbox.send_now(&frame).unwrap();
        }
        assert!(outbox.pending_bytes() > 0, "no socket takes 10 MB from a peer that reads nothing");
        assert_eq!(read(&mut peer, all.len()).await, all);
        rt::task::yield_now().await;
        outbox.send_now(&Frame::text("and on")).unwrap();
        read(&mut peer, Frame::text("and on").len()).await;
    }
}

/// What is encrypted and not written is in nobody's hands but ours.
#[actix_web::test]
async fn what_is_encrypted_and_not_yet_written_counts_as_what_waits() {
    let frame = Frame::binary(&[7; 10_000]);
    let (outbox, lane, mut peer) = lane(Kind::Secured, 40_000).await;
    let mut sent = 0;
    while lane.unwritten() == 0 {
        outbox.send_now(&frame).unwrap();
        sent += 1;
    }
    assert_eq!(outbox.pending_bytes(), frame.len(), "nothing waits but what is encrypted");
    assert!(!outbox.has_to_spare(1), "an eighth of the limit is taken");
    let more = [(); 3].map(|()| outbox.send(&frame));
    assert_eq!(
        more,
        [Ok(()), Ok(()), Err(SendError::Overflow)],
        "the limit holds three with what each costs"
    );
    read(&mut peer, sent * frame.len()).await;
}

#[actix_web::test]
async fn what_takes_more_than_the_limit_is_not_written_and_nothing_follows_an_end() {
    for kind in BOTH {
        let (outbox, _, mut peer) = lane(kind, 1_000).await;
        assert_eq!(outbox.send_now(&Frame::binary(&[0; 1_000])), Err(SendError::Overflow));
        assert_eq!(outbox.send_now(&Frame::text("late")), Err(SendError::Closed));
        let goodbye = Frame::close(Some(CloseCode::TRY_AGAIN), "too slow");
        assert_eq!(read(&mut peer, goodbye.len()).await, goodbye.bytes().to_vec());
    }
}

#[actix_web::test]
async fn a_peer_that_is_gone_is_found_out_by_writing() {
    for kind in BOTH {
        let (outbox, _, peer) = lane(kind, 1 << 20).await;
        drop(peer);
        outbox.send_now(&Frame::text("to nobody")).unwrap();
        assert!(outbox.queue().is_gone());
        assert_eq!(outbox.send_now(&Frame::text("to nobody")), Err(SendError::Closed));
    }
}
