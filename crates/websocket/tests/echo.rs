//! The connection in a real server, with raw and with independent clients.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step fails the test; clippy knows only functions marked as tests"
)]

use std::{fs, io, net::SocketAddr, rc::Rc, time::Duration};

use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, rt, web};
use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use lobby_websocket::{
    CloseCode, Closed, ClosedBy, Connection, Frame, Heartbeat, Incoming, Limits, Outbox, accept, tune,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        protocol::frame::{CloseFrame, coding::CloseCode as TheirCode},
    },
};

/// Nothing here takes as long; whatever does has hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server is told to do with each of its connections.
type Serve = fn(Connection, Reports);
/// Where it says what becomes of them.
type Reports = mpsc::UnboundedSender<Report>;

#[derive(Debug, PartialEq)]
enum Report {
    /// The outbox has overflowed.
    Overflow,
    /// There is no room in the outbox.
    Full,
    /// The outbox takes nothing any more.
    Refused,
    /// The connection has ended.
    Ended(Closed),
    /// The server has let go of the socket.
    Gone,
}

/// Lives as long as actix holds the socket.
struct Socket(Reports);

impl Drop for Socket {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.0.send(Report::Gone);
    }
}

struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    reports: mpsc::UnboundedReceiver<Report>,
}

/// Whether frames go straight to the socket, or by the server's way as on a stream that has no lane.
#[derive(Clone, Copy)]
enum Way {
    Lane,
    Server,
}

const BOTH: [Way; 2] = [Way::Lane, Way::Server];

impl Server {
    fn start(limits: Limits, serve: Serve) -> Self {
        Self::start_by(Way::Lane, limits, serve)
    }

    /// On a free port of the loopback, one worker.
    fn start_by(way: Way, limits: Limits, serve: Serve) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let sockets = sender.clone();
        let server = HttpServer::new(move || {
            let (limits, sender) = (limits.clone(), sender.clone());
            App::new().route(
                "/",
                web::get().to(move |request: HttpRequest, body: web::Payload| {
                    let answer = open(&request, body, &limits, serve, &sender);
                    async { answer }
                }),
            )
        })
        .workers(1)
        .h1_allow_half_closed(false)
        .on_connect(move |stream, data| {
            if let Way::Lane = way {
                tune(stream, data, Duration::from_secs(2));
            }
            data.insert(Socket(sockets.clone()));
        })
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        rt::spawn(server);
        Self { address, handle, reports }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A socket after the handshake, done by hand.
    async fn raw(&self) -> TcpStream {
        let mut stream = self.connect().await;
        let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        stream
    }

    async fn client(&self) -> WebSocketStream<TcpStream> {
        client_async("ws://localhost/", self.connect().await).await.unwrap().0
    }

    async fn report(&mut self) -> Report {
        timeout(PATIENCE, self.reports.recv()).await.expect("the server reports").unwrap()
    }

    /// How the next connection to end has ended.
    async fn end(&mut self) -> Closed {
        loop {
            if let Report::Ended(closed) = self.report().await {
                return closed;
            }
        }
    }

    async fn stop(self) {
        self.handle.stop(false).await;
    }
}

fn open(
    request: &HttpRequest,
    body: web::Payload,
    limits: &Limits,
    serve: Serve,
    reports: &Reports,
) -> Result<HttpResponse, Error> {
    let (response, connection) = accept(request, body, limits)?;
    serve(connection, reports.clone());
    Ok(response)
}

fn echo(mut connection: Connection, reports: Reports) {
    rt::spawn(async move {
        let outbox = connection.outbox();
        let closed = loop {
            match connection.next().await {
                Incoming::Text(text) => drop(outbox.send(&Frame::text(&text))),
                Incoming::Binary(data) => drop(outbox.send(&Frame::binary(&data))),
                Incoming::Closed(closed) => break closed,
            }
        };
        reports.send(Report::Ended(closed)).unwrap();
    });
}

/// Serves until the end, after `start` has been at the outbox.
fn with(mut connection: Connection, reports: Reports, start: impl FnOnce(Rc<Outbox>)) {
    start(Rc::new(connection.outbox()));
    rt::spawn(async move {
        loop {
            if let Incoming::Closed(closed) = connection.next().await {
                reports.send(Report::Ended(closed)).unwrap();
                break;
            }
        }
    });
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 1, 2, 3, 4];
    frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// All that the server sends until it closes the socket.
async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the server closes the socket").unwrap();
    all
}

fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let length = u8::try_from(2 + reason.len()).unwrap();
    [&[0x88, length], &code.to_be_bytes()[..], reason.as_bytes()].concat()
}

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

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
    let _unread = server.raw().await;
    assert_eq!(server.report().await, Report::Overflow);
    let Report::Ended(closed) = server.report().await else { panic!("the connection ends first") };
    assert_eq!((closed.by, closed.code), (ClosedBy::Us, Some(CloseCode::TRY_AGAIN)));
    assert_eq!(server.report().await, Report::Gone);
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
