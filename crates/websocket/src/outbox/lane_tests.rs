//! What goes straight to the socket.

use std::time::Duration;

use actix_web::rt;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use super::*;

/// An outbox whose lane is open, and the peer.
async fn lane(limit: usize) -> (Outbox, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (peer, ours) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let stream = Stream::open(ours.unwrap().0, Duration::from_secs(20), None, None).await.unwrap();
    let outbox = Outbox::with_lane(limit, stream);
    outbox.queue().open_lane();
    (outbox, peer.unwrap())
}

async fn read(peer: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    peer.read_exact(&mut read).await.unwrap();
    read
}

#[actix_web::test]
async fn what_is_alone_is_written_at_once_and_what_is_not_goes_behind_the_rest() {
    let (outbox, mut peer) = lane(1 << 20).await;
    let [first, second, third] = ["first", "second", "third"].map(Frame::text);
    outbox.send_now(&first).unwrap();
    assert_eq!(outbox.pending_bytes(), 0);
    outbox.send(&second).unwrap();
    outbox.send_now(&third).unwrap();
    assert_eq!(outbox.pending_bytes(), second.len() + third.len());
    let all = [first, second, third].map(|frame| frame.bytes().to_vec()).concat();
    assert_eq!(read(&mut peer, all.len()).await, all);
    assert_eq!(outbox.pending_bytes(), 0);
}

#[actix_web::test]
async fn it_is_idle_when_nothing_waits_and_something_may_be_sent() {
    let (outbox, mut peer) = lane(1 << 20).await;
    let frame = Frame::text("frame");
    assert!(outbox.is_idle());
    outbox.send(&frame).unwrap();
    assert!(!outbox.is_idle());
    read(&mut peer, frame.len()).await;
    assert!(outbox.is_idle());
    outbox.close(CloseCode::GOING_AWAY, "");
    read(&mut peer, Frame::close(Some(CloseCode::GOING_AWAY), "").len()).await;
    assert!(!outbox.is_idle());
    assert!(!Outbox::new(1 << 20).is_idle(), "the response's body takes it when its turn comes");
}

#[actix_web::test]
async fn what_the_socket_does_not_take_at_once_waits_and_is_whole_and_in_order() {
    let (outbox, mut peer) = lane(1 << 24).await;
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

#[actix_web::test]
async fn what_takes_more_than_the_limit_is_not_written_and_nothing_follows_an_end() {
    let (outbox, mut peer) = lane(1_000).await;
    assert_eq!(outbox.send_now(&Frame::binary(&[0; 1_000])), Err(SendError::Overflow));
    assert_eq!(outbox.send_now(&Frame::text("late")), Err(SendError::Closed));
    let goodbye = Frame::close(Some(CloseCode::TRY_AGAIN), "too slow");
    assert_eq!(read(&mut peer, goodbye.len()).await, goodbye.bytes().to_vec());
}

#[actix_web::test]
async fn a_peer_that_is_gone_is_found_out_by_writing() {
    let (outbox, peer) = lane(1 << 20).await;
    peer.set_zero_linger().unwrap();
    drop(peer);
    outbox.send_now(&Frame::text("to nobody")).unwrap();
    assert!(outbox.queue().is_gone());
    assert_eq!(outbox.send_now(&Frame::text("to nobody")), Err(SendError::Closed));
}
