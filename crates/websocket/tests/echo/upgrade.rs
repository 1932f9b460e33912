//! Requests that want the connection for themselves, and what an application may answer.

use actix_web::{HttpRequest, HttpResponse, web};
use lobby_websocket::{ClosedBy, Limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::{net::TcpStream, time::timeout};

use crate::server::{BOTH, PATIENCE, Server, Way, echo, handshake, head, masked, open, read_all};

/// More than any buffer on the way takes.
const LONG: usize = 10_000_000;

/// What the server of these tests answers besides.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/long", web::get().to(|| async { "x".repeat(LONG) }))
        .route("/short", web::get().to(|| async { "short" }))
        .route("/raw", web::get().to(raw));
}

/// Takes the connection for a protocol of its own: the peer gets back what it sends.
async fn raw(body: web::Payload) -> HttpResponse {
    HttpResponse::SwitchingProtocols().upgrade("raw").streaming(body)
}

/// Accepts, and thinks better of it.
pub(crate) fn refused(
    request: &HttpRequest,
    body: web::Payload,
    reports: &crate::server::Reports,
) -> HttpResponse {
    open(request, body, &Limits::default(), echo, reports).expect("a handshake");
    HttpResponse::Forbidden().body("no")
}

async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    timeout(PATIENCE, stream.read_exact(&mut bytes)).await.expect("it comes").unwrap();
    bytes
}

#[actix_web::test]
async fn an_answer_that_is_no_upgrade_arrives_whole_and_ends_the_connection() {
    let server = Server::start(Limits::default(), echo);
    let mut stream = server.connect().await;
    stream.write_all(handshake("/long").as_bytes()).await.unwrap();
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("connection: close"), "{head}");
    assert!(head.contains(&format!("content-length: {LONG}")), "{head}");
    assert_eq!(read_all(&mut stream).await.len(), LONG);
    server.stop().await;
}

#[actix_web::test]
async fn a_short_answer_comes_in_one_piece() {
    let server = Server::start(Limits::default(), echo);
    for _ in 0..100 {
        let mut stream = server.connect().await;
        stream.write_all(handshake("/short").as_bytes()).await.unwrap();
        let mut answer = [0; 1_000];
        let length = timeout(PATIENCE, stream.read(&mut answer)).await.expect("it comes").unwrap();
        assert!(answer[..length].ends_with(b"\r\n\r\nshort"), "{}", answer[..length].escape_ascii());
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_handshake_that_is_none_is_refused_with_a_reason() {
    let server = Server::start(Limits::default(), echo);
    let mut stream = server.connect().await;
    stream.write_all(handshake("/").replace("Version: 13", "Version: 12").as_bytes()).await.unwrap();
    let answer = String::from_utf8(read_all(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 ") && answer.contains("sec-websocket-version: 13"), "{answer}");
    server.stop().await;
}

#[actix_web::test]
async fn what_came_along_with_the_handshake_is_read() {
    for way in BOTH {
        let server = Server::start_by(way, Limits::default(), echo);
        let mut stream = server.connect().await;
        let sent = [handshake("/").into_bytes(), masked(0x81, b"early"), masked(0x81, b"and")[..3].to_vec()];
        stream.write_all(&sent.concat()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 101 "));
        assert_eq!(read(&mut stream, 7).await, b"\x81\x05early");
        stream.write_all(&masked(0x81, b"and")[3..]).await.unwrap();
        assert_eq!(read(&mut stream, 5).await, b"\x81\x03and");
        server.stop().await;
    }
}

#[actix_web::test]
async fn a_connection_may_ask_for_other_things_before_it_is_upgraded() {
    for way in BOTH {
        let server = Server::start_by(way, Limits::default(), echo);
        let mut stream = server.connect().await;
        let other = "GET /short HTTP/1.1\r\nHost: x\r\n\r\n".to_owned();
        for sent in [other.clone(), other + &handshake("/")] {
            stream.write_all(sent.as_bytes()).await.unwrap();
            assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
            assert_eq!(read(&mut stream, 5).await, b"short");
        }
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 101 "));
        stream.write_all(&masked(0x81, b"last")).await.unwrap();
        assert_eq!(read(&mut stream, 6).await, b"\x81\x04last");
        server.stop().await;
    }
}

#[actix_web::test]
async fn an_upgrade_to_another_protocol_has_bytes_both_ways_until_the_peer_ends_it() {
    for way in BOTH {
        let server = Server::start_by(way, Limits::default(), echo);
        let mut stream = server.connect().await;
        stream.write_all(handshake("/raw").as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 101 "));
        for word in ["to", "and", "fro"] {
            stream.write_all(word.as_bytes()).await.unwrap();
            assert_eq!(read(&mut stream, word.len()).await, word.as_bytes());
        }
        if let Way::Lane = way {
            stream.shutdown().await.unwrap();
            assert_eq!(read_all(&mut stream).await, b"");
        }
        server.stop().await;
    }
}

#[actix_web::test]
async fn who_accepts_and_answers_otherwise_has_lost_the_connection() {
    for way in BOTH {
        let mut server = Server::start_by(way, Limits::default(), echo);
        let mut stream = server.connect().await;
        stream.write_all(handshake("/refused").as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 403 "));
        assert_eq!(server.end().await.by, ClosedBy::Lost);
        server.stop().await;
    }
}
