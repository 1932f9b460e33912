//! The server under test, and clients for it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, rt, web};
use lobby_websocket::{Closed, Connection, Frame, Incoming, Limits, Outbox, Serving, accept};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::upgrade;

/// Nothing here takes as long; whatever does has hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a server is told to do with each of its connections.
pub(crate) type Serve = fn(Connection, Reports);
/// Where it says what becomes of them.
pub(crate) type Reports = mpsc::UnboundedSender<Report>;

#[derive(Debug, PartialEq)]
pub(crate) enum Report {
    /// The outbox has overflowed.
    Overflow,
    /// There is no room in the outbox.
    Full,
    /// The outbox takes nothing any more.
    Refused,
    /// The connection has ended.
    Ended(Closed),
}

pub(crate) struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    reports: mpsc::UnboundedReceiver<Report>,
}

/// Whether frames go straight to the socket, or by the server's way as on a stream that has no lane.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Lane,
    Server,
}

const SERVING: Serving = Serving {
    tls: None,
    gate: None,
    workers: Some(1),
    write_timeout: Duration::from_secs(2),
    head_timeout: Duration::from_secs(5),
    keep_alive: Duration::from_secs(5),
    shutdown_timeout: Duration::from_secs(30),
};

pub(crate) const BOTH: [Way; 2] = [Way::Lane, Way::Server];

impl Server {
    pub(crate) fn start(limits: Limits, serve: Serve) -> Self {
        Self::start_by(Way::Lane, limits, serve)
    }

    /// On a free port of the loopback, one worker.
    pub(crate) fn start_by(way: Way, limits: Limits, serve: Serve) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let app = move || {
            let (limits, to_handler) = (limits.clone(), sender.clone());
            let handler = move |request: HttpRequest, body: web::Payload| {
                let answer = open(&request, body, &limits, serve, &to_handler);
                async { answer }
            };
            let sender = sender.clone();
            let refused = move |request: HttpRequest, body: web::Payload| {
                let answer = upgrade::refused(&request, body, &sender);
                async { answer }
            };
            App::new()
                .route("/", web::get().to(handler))
                .route("/refused", web::get().to(refused))
                .configure(upgrade::routes)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = match way {
            Way::Lane => lobby_websocket::serve(listener, &SERVING, app),
            Way::Server => HttpServer::new(app)
                .workers(1)
                .h1_allow_half_closed(false)
                .disable_signals()
                .listen(listener)
                .map(HttpServer::run),
        };
        let server = server.unwrap();
        let handle = server.handle();
        rt::spawn(server);
        Self { address, handle, reports }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A socket after the handshake, done by hand.
    pub(crate) async fn raw(&self) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(handshake("/").as_bytes()).await.unwrap();
        let head = head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        stream
    }

    pub(crate) async fn client(&self) -> WebSocketStream<TcpStream> {
        client_async("ws://localhost/", self.connect().await).await.unwrap().0
    }

    pub(crate) async fn report(&mut self) -> Report {
        timeout(PATIENCE, self.reports.recv()).await.expect("the server reports").unwrap()
    }

    /// How the next connection to end has ended.
    pub(crate) async fn end(&mut self) -> Closed {
        loop {
            if let Report::Ended(closed) = self.report().await {
                return closed;
            }
        }
    }

    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

/// A request for a WebSocket.
pub(crate) fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n"
    )
}

/// The head of an answer, and not a byte more.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer").unwrap());
    }
    String::from_utf8(head).unwrap()
}

pub(crate) fn open(
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

pub(crate) fn echo(mut connection: Connection, reports: Reports) {
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
pub(crate) fn with(mut connection: Connection, reports: Reports, start: impl FnOnce(Rc<Outbox>)) {
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

pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 1, 2, 3, 4];
    frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// All that the server sends until it closes the socket.
pub(crate) async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the server closes the socket").unwrap();
    all
}

pub(crate) fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let length = u8::try_from(2 + reason.len()).unwrap();
    [&[0x88, length], &code.to_be_bytes()[..], reason.as_bytes()].concat()
}

pub(crate) fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
