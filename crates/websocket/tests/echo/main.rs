//! The connection in a real server, with raw and with independent clients.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step fails the test; clippy knows only functions marked as tests"
)]

mod server;
mod slow;
mod upgrade;

use std::{io, time::Duration};

use actix_web::rt;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use lobby_websocket::{CloseCode, Closed, ClosedBy, Frame, Heartbeat, Limits};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{CloseFrame, coding::CloseCode as TheirCode},
};

use server::{BOTH, PATIENCE, Server, close_frame, echo, masked, read_all, resident_kib, with};

#[actix_web::test]
async fn an_independent_client_gets_its_messages_back() {
    let mut server = Server::start(Limits::default(), echo);
    let mut client = server.client().await;
    let messages = [
        Message::text("grüß dich"),
        Message::binary(Bytes::from_static(b"\x00\xFF")),
        Message::text(""),
        Message::text("x".repeat(999_000)),
    ];
    for message in messages {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), message);
    }
    client.send(Message::Ping(Bytes::from_static(b"?"))).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"?")));
    client.close(Some(CloseFrame { code: TheirCode::Library(4001), reason: "done".into() })).await.unwrap();
    let echoed = client.next().await.unwrap().unwrap();
    assert_eq!(
        echoed,
        Message::Close(Some(CloseFrame { code: TheirCode::Library(4001), reason: "".into() }))
    );
    let closed = Closed { by: ClosedBy::Peer, code: CloseCode::new(4001), reason: "done".to_owned() };
    assert_eq!(server.end().await, closed);
    server.stop().await;
}

#[actix_web::test]
async fn fragments_are_joined_around_a_ping() {
    let server = Server::start(Limits::default(), echo);
    let mut stream = server.raw().await;
    let frames = [masked(0x01, b"frag"), masked(0x89, b"!"), masked(0x00, b""), masked(0x80, b"ments")];
    stream.write_all(&frames.concat()).await.unwrap();
    stream.write_all(&masked(0x88, &1000_u16.to_be_bytes())).await.unwrap();
    let expected = [b"\x8A\x01!\x81\x09fragments".to_vec(), close_frame(1000, "")].concat();
    assert_eq!(read_all(&mut stream).await, expected);
    server.stop().await;
}

#[actix_web::test]
async fn what_is_refused_is_answered_with_its_code_and_the_socket_closed() {
    let mut server = Server::start(Limits::default(), echo);
    for (sent, code, reason) in [
        (vec![0x81, 1, b'a'], 1002, "a client must mask its frames"),
        (masked(0x83, b""), 1002, "reserved opcode"),
        (masked(0x81, b"\xFF"), 1007, "invalid UTF-8"),
    ] {
        let mut stream = server.raw().await;
        stream.write_all(&sent).await.unwrap();
        assert_eq!(read_all(&mut stream).await, close_frame(code, reason));
        let closed = Closed { by: ClosedBy::Us, code: CloseCode::new(code), reason: reason.to_owned() };
        assert_eq!(server.end().await, closed);
    }
    server.stop().await;
}

#[actix_web::test]
async fn the_last_words_reach_a_peer_that_is_still_sending() {
    for way in BOTH {
        let server = Server::start_by(way, Limits::default(), echo);
        let mut stream = server.raw().await;
        stream.write_all(&masked(0x83, b"")).await.unwrap();
        for _ in 0..100 {
            stream.write_all(&[0; 10_000]).await.expect("the server reads on for a while");
        }
        assert_eq!(read_all(&mut stream).await, close_frame(1002, "reserved opcode"));
        server.stop().await;
    }
}

#[actix_web::test]
async fn a_declared_gibibyte_is_refused_and_takes_no_memory() {
    let server = Server::start(Limits::default(), echo);
    let mut stream = server.raw().await;
    let before = resident_kib();
    let header = [&[0x82, 0x80 | 127], &(1_u64 << 30).to_be_bytes()[..], &[1, 2, 3, 4]].concat();
    stream.write_all(&header).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let flood = rt::spawn(async move {
        let piece = vec![0; 1 << 20];
        for _ in 0..1024 {
            writing.write_all(&piece).await?;
        }
        io::Result::Ok(())
    });
    let mut close = vec![0; close_frame(1009, "message too big").len()];
    timeout(PATIENCE, reading.read_exact(&mut close)).await.expect("it is refused").unwrap();
    assert_eq!(close, close_frame(1009, "message too big"));
    // The rest is discarded for as long as the server lingers, then the socket goes.
    let flooded = timeout(PATIENCE, flood).await.expect("the flood ends").unwrap();
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more, {flooded:?}");
    server.stop().await;
}

#[actix_web::test]
async fn our_close_is_answered_by_an_independent_client() {
    for way in BOTH {
        let mut server = Server::start_by(way, Limits::default(), |connection, reports| {
            with(connection, reports, |outbox| {
                outbox.send(&Frame::text("first")).unwrap();
                outbox.close(CloseCode::GOING_AWAY, "restart");
            });
        });
        let mut client = server.client().await;
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("first"));
        let close = client.next().await.unwrap().unwrap();
        assert_eq!(
            close,
            Message::Close(Some(CloseFrame { code: TheirCode::Away, reason: "restart".into() }))
        );
        assert!(client.next().await.is_none(), "the client's stream ends cleanly");
        let closed =
            Closed { by: ClosedBy::Us, code: Some(CloseCode::GOING_AWAY), reason: "restart".to_owned() };
        assert_eq!(server.end().await, closed);
        server.stop().await;
    }
}

#[actix_web::test]
async fn a_client_that_does_not_answer_our_close_is_cut_off() {
    let limits = Limits { close_timeout: Duration::from_millis(100), ..Limits::default() };
    let mut server = Server::start(limits, |connection, reports| {
        with(connection, reports, |outbox| outbox.close(CloseCode::NORMAL, ""));
    });
    let mut stream = server.raw().await;
    assert_eq!(read_all(&mut stream).await, close_frame(1000, ""));
    assert_eq!(server.end().await.by, ClosedBy::Us);
    server.stop().await;
}

#[actix_web::test]
async fn a_silent_client_is_pinged_and_cut() {
    let heartbeat = Heartbeat { interval: Duration::from_millis(100), timeout: Duration::from_millis(100) };
    let mut server = Server::start(Limits { heartbeat: Some(heartbeat), ..Limits::default() }, echo);
    let mut stream = server.raw().await;
    assert_eq!(read_all(&mut stream).await, [0x89, 0]);
    assert_eq!(server.end().await.by, ClosedBy::Lost);
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_breaks_away_is_lost() {
    let mut server = Server::start(Limits::default(), echo);
    drop(server.raw().await);
    assert_eq!(server.end().await.by, ClosedBy::Lost);
    server.stop().await;
}

#[actix_web::test]
async fn a_dropped_connection_flushes_what_is_pending() {
    for way in BOTH {
        let server = Server::start_by(way, Limits::default(), |connection, _| {
            for _ in 0..100 {
                connection.outbox().send(&Frame::text("flushed")).unwrap();
            }
        });
        let mut stream = server.raw().await;
        assert_eq!(read_all(&mut stream).await, b"\x81\x07flushed".repeat(100));
        server.stop().await;
    }
}

#[actix_web::test]
async fn an_outbox_that_is_kept_keeps_no_socket_open() {
    for way in BOTH {
        let server = Server::start_by(way, Limits::default(), |connection, reports| {
            let kept = connection.outbox();
            rt::spawn(async move {
                std::future::pending::<()>().await;
                drop(kept);
            });
            echo(connection, reports);
        });
        let mut stream = server.raw().await;
        stream.write_all(&masked(0x88, &1000_u16.to_be_bytes())).await.unwrap();
        assert_eq!(read_all(&mut stream).await, close_frame(1000, ""));
        server.stop().await;
    }
}

#[actix_web::test]
async fn one_burst_to_many_reaches_each_of_them_whole() {
    let server = Server::start(Limits::default(), |connection, reports| {
        with(connection, reports, |outbox| {
            rt::spawn(async move {
                let sent = (0..1_000).map(|number| outbox.send(&Frame::text(&format!("{number:04}"))));
                sent.collect::<Result<(), _>>().unwrap();
                outbox.close(CloseCode::NORMAL, "");
            });
        });
    });
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(server.client().await);
    }
    for client in &mut clients {
        for number in 0..1_000 {
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text(format!("{number:04}")));
        }
    }
    server.stop().await;
}
