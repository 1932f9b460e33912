use std::pin::Pin;

use actix_web::FromRequest as _;
use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::dev::Payload;
use actix_web::test::TestRequest;
use actix_web::web;
use bytes::Bytes;
use futures_util::{FutureExt as _, future::poll_fn, poll, stream};

use super::*;
use crate::transport::limits;

/// Bytes that may wait on either side of the pipe; a [`frame`] takes a fifth.
const BOUND: usize = 1_000;

/// A WebSocket that has taken over, whose client sends nothing.
struct Upgraded {
    pipe: Pipe,
    pump: Pin<Box<dyn Future<Output = ()>>>,
    /// What the client would read.
    body: BoxBody,
}

impl Upgraded {
    async fn open() -> Self {
        let config = Config { outbox_bytes: BOUND, ..Config::default() };
        let request = TestRequest::get()
            .insert_header(("upgrade", "websocket"))
            .insert_header(("connection", "upgrade"))
            .insert_header(("sec-websocket-version", "13"))
            .insert_header(("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw=="))
            .to_http_request();
        let mut payload = Payload::Stream { payload: Box::pin(stream::pending()) as _ };
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        let (response, connection) = lobby_websocket::accept(&request, payload, &limits(&config)).unwrap();
        let (pipe, pump) = pipe(WebSocket::new(connection), &config);
        Self { pipe, pump: Box::pin(pump), body: response.into_body() }
    }

    /// Sends as long as there is room.
    async fn fill(&mut self) -> usize {
        for sent in 0.. {
            assert!(poll!(&mut self.pump).is_pending());
            if self.pipe.to_socket.room().now_or_never().is_none() {
                return sent;
            }
            self.pipe.to_socket.push(Outgoing::Frame(frame())).unwrap();
        }
        unreachable!("there is no end of numbers")
    }

    /// Reads one chunk.
    async fn read(&mut self) -> Bytes {
        poll_fn(|cx| Pin::new(&mut self.body).poll_next(cx)).await.unwrap().unwrap()
    }
}

fn frame() -> Frame {
    Frame::binary(&[7; BOUND / 5 - 2 * ITEM_COST])
}

#[actix_web::test]
async fn whoever_waits_for_room_in_the_pipe_waits_for_the_client() {
    let mut upgraded = Upgraded::open().await;
    for _ in 0..100 {
        assert!((1..=10).contains(&upgraded.fill().await), "both sides hold 10 frames");
        upgraded.read().await;
    }
    upgraded.pipe.to_socket.finish(Outgoing::Close(CloseCode::GOING_AWAY, "bye"));
    assert!(poll!(&mut upgraded.pump).is_pending());
    assert!(upgraded.read().await.ends_with(b"\x88\x05\x03\xE9bye"));
}

#[actix_web::test]
async fn the_end_of_a_session_does_not_wait_for_the_client() {
    let mut upgraded = Upgraded::open().await;
    upgraded.fill().await;
    upgraded.pipe.to_socket.finish(Outgoing::Close(CloseCode::GOING_AWAY, "bye"));
    assert!(poll!(&mut upgraded.pump).is_pending());
    assert!(matches!(upgraded.pipe.from_socket.next().now_or_never(), Some(Some(Incoming::Closed(_)))));
    assert!(upgraded.pipe.to_socket.room().now_or_never().is_some());
}
