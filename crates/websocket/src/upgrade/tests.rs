//! How a connection ends.

use actix_web::rt;
use futures_util::FutureExt as _;
use tokio::{
    io::AsyncReadExt as _,
    time::{self, Instant},
};

use super::*;
use crate::{
    Frame,
    testing::lanes::{BOTH, Kind, Peer, lane},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection of which the socket takes no more, all of what it was given or only some of it, and how many bytes it was.
async fn full(kind: Kind) -> (Offered, Stream, Peer, usize) {
    let (outbox, stream, peer) = lane(kind, 1 << 24).await;
    let (frame, mut sent) = (Frame::binary(&[7; 10_000]), 0);
    while outbox.pending_bytes() == 0 {
        outbox.send_now(&frame).unwrap();
        sent += frame.len();
    }
    outbox.queue().end();
    (Offered(Rc::new(OnceCell::from(outbox))), stream, peer, sent)
}

#[actix_web::test]
async fn all_that_was_said_is_read_before_the_end() {
    for kind in BOTH {
        let (offered, stream, mut peer, sent) = full(kind).await;
        // Of two who wait for the socket only one is woken.
        assert!(offered.flushed().now_or_never().is_none(), "{kind:?}: somebody waits for the socket");
        let closing = rt::spawn(async move { close(stream, &offered, PATIENCE).await });
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.unwrap();
        assert_eq!(read.len(), sent, "{kind:?}");
        drop(peer);
        timeout(PATIENCE / 2, closing).await.unwrap().unwrap();
    }
}

#[actix_web::test]
async fn who_does_not_read_the_last_words_is_not_waited_for() {
    for kind in BOTH {
        let (offered, stream, _peer, _) = full(kind).await;
        time::pause();
        let began = Instant::now();
        close(stream, &offered, PATIENCE).await;
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs(), "{kind:?}");
        time::resume();
    }
}

#[actix_web::test]
async fn a_connection_that_is_lost_waits_for_nobody_to_read_what_was_said() {
    let (offered, stream, _peer, _) = full(Kind::Plain).await;
    offered.0.get().unwrap().queue().abort();
    time::pause();
    let began = Instant::now();
    close(stream, &offered, PATIENCE).await;
    assert!(began.elapsed() <= LINGER + Duration::from_millis(1));
}
