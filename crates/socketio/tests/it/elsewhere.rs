//! Two servers for the same clients: what lands on the wrong one is passed on, by the simplest relay that does.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actix_socketio::{Config, Elsewhere, NodeName, Passed, PassedBody, PassedOn};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use crate::client::Client;
use crate::http::{Poller, answer};
use crate::server::Server;

/// Knows the port of the other server.
#[derive(Default)]
struct Relay(Mutex<Option<u16>>);

impl Elsewhere for Relay {
    fn pass_on<'a>(&'a self, passed: Passed<'a>) -> PassedOn<'a> {
        let port = self.0.lock().unwrap().unwrap();
        Box::pin(async move {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let mut stream = TcpStream::connect(address).await.ok()?;
            stream.write_all(&head(passed.request)).await.ok()?;
            match passed.body {
                PassedBody::Whole(body) => {
                    stream.write_all(&body).await.ok()?;
                    let answer = answer(stream).await;
                    let status = answer.status.try_into().unwrap();
                    Some(HttpResponse::build(status).body(answer.body))
                }
                PassedBody::Upgrade(body) => Some(tunnel(stream, body).await),
            }
        })
    }
}

fn head(request: &HttpRequest) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        write!(head, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    format!("{head}\r\n").into_bytes()
}

async fn tunnel(mut stream: TcpStream, body: Payload) -> HttpResponse {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let mut response = HttpResponse::SwitchingProtocols();
    response.upgrade("websocket");
    for line in String::from_utf8(head).unwrap().lines() {
        if let Some(key) = line.strip_prefix("sec-websocket-accept: ") {
            response.insert_header(("sec-websocket-accept", key));
        }
    }
    let (reader, writer) = stream.into_split();
    rt::spawn(send_on(body, writer));
    response.streaming(stream::unfold(reader, async |mut reader| {
        let mut bytes = vec![0; 1_024];
        let read = reader.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
        bytes.truncate(read);
        Some((Ok::<_, actix_web::Error>(Bytes::from(bytes)), reader))
    }))
}

async fn send_on(mut body: Payload, mut writer: OwnedWriteHalf) {
    while let Some(Ok(bytes)) = body.next().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// The server that has the sessions, and the one that their requests land on.
fn two() -> (Server, Server) {
    let node = |name: &str| Some(NodeName::parse(name).unwrap());
    let owner = Server::start(Config { node: node("owner"), ..Config::default() });
    let relay = Relay(Mutex::new(Some(owner.port)));
    let config = Config { node: node("other"), elsewhere: Some(Arc::new(relay)), ..Config::default() };
    (owner, Server::start(config))
}

#[actix_web::test]
async fn a_session_is_polled_posted_to_and_upgraded_by_way_of_another_server() {
    let (owner, other) = two();
    let mut poller = Poller::join(&owner).await;
    poller.port = other.port;
    assert_eq!(poller.post(r#"42["message",1]"#).await.body, "ok");
    assert_eq!(poller.packets().await, [r#"42["message-back",1]"#]);

    let mut socket = Client::connect(other.port, &format!("&sid={}", poller.sid)).await;
    socket.send("2probe").await;
    assert_eq!(socket.next().await, "3probe");
    socket.send("5").await;
    let long = format!(r#"42["message","{}"]"#, "x".repeat(300_000));
    socket.send(&long).await;
    assert_eq!(socket.next().await, long.replacen("message", "message-back", 1));
    assert_eq!((owner.io.sessions(), other.io.sessions()), (1, 0));

    socket.close().await;
    assert_eq!(owner.notes.next().await, "disconnected /: transport close");
    owner.emptied().await;
    assert!(other.notes.is_empty());
    owner.stop().await;
    other.stop().await;
}

#[actix_web::test]
async fn a_session_that_the_owner_closes_ends_for_a_client_elsewhere() {
    let (owner, other) = two();
    let poller = Poller::join(&owner).await;
    let mut socket = Client::connect(other.port, &format!("&sid={}", poller.sid)).await;
    socket.send("2probe").await;
    assert_eq!(socket.next().await, "3probe");
    socket.send("5").await;
    socket.send(r#"42["close"]"#).await;
    assert_eq!(socket.closed().await.0, 1000);
    socket.ended().await;
    owner.emptied().await;
    owner.stop().await;
    other.stop().await;
}
