//! Readers that are slow, stop, or are gone.

use std::time::Duration;

use actix_web::rt;
use futures_util::{FutureExt as _, StreamExt as _};
use lobby_websocket::{CloseCode, Closed, ClosedBy, Connection, Frame, Limits};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::server::{BOTH, PATIENCE, Report, Reports, Server, close_frame, masked, read_all, with};

/// Sends without end, a frame whenever the socket's task had its turn.
fn pour(connection: Connection, reports: Reports) {
    with(connection, reports.clone(), |outbox| {
        rt::spawn(async move {
            let frame = Frame::binary(&[7; 10_000]);
            while outbox.send(&frame).is_ok() {
                rt::task::yield_now().await;
            }
            reports.send(Report::Overflow).unwrap();
        });
    });
}

#[actix_web::test]
async fn a_sender_that_waits_for_room_sends_any_amount_to_a_reader_that_is_slow() {
    for way in BOTH {
        let limits = Limits { outbox_bytes: 100_000, ..Limits::default() };
        let mut server = Server::start_by(way, limits, |connection, reports| {
            with(connection, reports, |outbox| {
                rt::spawn(async move {
                    for _ in 0..1_000 {
                        outbox.room().await;
                        outbox.send(&Frame::binary(&vec![7; 20_000])).unwrap();
                    }
                    outbox.close(CloseCode::NORMAL, "all");
                });
            });
        });
        let mut client = server.client().await;
        for _ in 0..1_000 {
            assert_eq!(client.next().await.unwrap().unwrap().len(), 20_000);
            rt::task::yield_now().await;
        }
        assert!(client.next().await.unwrap().unwrap().is_close());
        assert!(client.next().await.is_none());
        assert_eq!(server.end().await.reason, "all");
        server.stop().await;
    }
}

#[actix_web::test]
async fn a_sender_that_waits_for_room_goes_on_when_the_reader_is_gone() {
    for way in BOTH {
        let limits = Limits { outbox_bytes: 100_000, ..Limits::default() };
        let mut server = Server::start_by(way, limits, |connection, reports| {
            with(connection, reports.clone(), |outbox| {
                rt::spawn(async move {
                    let frame = Frame::binary(&vec![7; 20_000]);
                    while outbox.send(&frame).is_ok() {
                        if outbox.room().now_or_never().is_none() {
                            reports.send(Report::Full).unwrap();
                            outbox.room().await;
                        }
                    }
                    reports.send(Report::Refused).unwrap();
                });
            });
        });
        let stream = server.raw().await;
        assert_eq!(server.report().await, Report::Full);
        drop(stream);
        while server.report().await != Report::Refused {}
        server.stop().await;
    }
}

#[actix_web::test]
async fn a_reader_that_stops_finds_a_close_1013_when_it_resumes() {
    for way in BOTH {
        let mut server = Server::start_by(way, Limits { outbox_bytes: 100_000, ..Limits::default() }, pour);
        let mut stream = server.raw().await;
        assert_eq!(server.report().await, Report::Overflow);
        let (close, mut received) = (close_frame(1013, "too slow"), Vec::new());
        while !received.ends_with(&close) {
            assert_ne!(
                timeout(PATIENCE, stream.read_buf(&mut received)).await.expect("more to come").unwrap(),
                0
            );
        }
        assert_eq!((received.len() - close.len()) % 10_004, 0, "whole frames precede it");
        stream.write_all(&masked(0x88, &1013_u16.to_be_bytes())).await.unwrap();
        assert_eq!(read_all(&mut stream).await, b"");
        let closed =
            Closed { by: ClosedBy::Us, code: Some(CloseCode::TRY_AGAIN), reason: "too slow".to_owned() };
        assert_eq!(server.end().await, closed);
        server.stop().await;
    }
}

#[actix_web::test]
async fn a_reader_that_never_resumes_is_cut() {
    let limits =
        Limits { outbox_bytes: 100_000, close_timeout: Duration::from_millis(100), ..Limits::default() };
    let mut server = Server::start(limits, pour);
    let mut unread = server.raw().await;
    assert_eq!(server.report().await, Report::Overflow);
    let Report::Ended(closed) = server.report().await else { panic!("the connection ends first") };
    assert_eq!((closed.by, closed.code), (ClosedBy::Us, Some(CloseCode::TRY_AGAIN)));
    read_all(&mut unread).await;
    server.stop().await;
}
