use std::io;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, rt, web};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

/// What is read at once for the client. An idle socket holds none.
const CHUNK_BYTES: usize = 16 * 1024;

/// What of the other node's answer makes the handshake complete (RFC 6455 §4.2.2).
const GIVEN_BACK: [&str; 3] = ["sec-websocket-accept", "sec-websocket-protocol", "sec-websocket-extensions"];

/// A socket to another node, whose handshake is done.
pub(super) struct Opened {
    headers: Vec<(&'static str, Vec<u8>)>,
    stream: TcpStream,
    /// What has come behind the handshake already.
    first: Bytes,
}

/// Takes the connection of an answer 101.
pub(super) async fn open(response: hyper::Response<Incoming>) -> Result<Opened, hyper::Error> {
    let value = |name: &'static str| Some((name, response.headers().get(name)?.as_bytes().to_vec()));
    let headers = GIVEN_BACK.into_iter().filter_map(value).collect();
    let upgraded = hyper::upgrade::on(response).await?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("the connector makes plain connections");
    Ok(Opened { headers, stream: parts.io.into_inner(), first: parts.read_buf })
}

/// The answer for the client. From here on bytes go both ways, as fast as the slower side takes them, until either ends or
/// the node stops.
pub(super) fn serve(
    opened: Opened,
    from_client: web::Payload,
    stopping: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) -> HttpResponse {
    let (reader, writer) = opened.stream.into_split();
    // Dropped with the answer's body, which is with the client's connection or after the last byte for it.
    let (alive, gone) = oneshot::channel::<()>();
    rt::spawn(send(from_client, writer, gone));
    let mut response = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS);
    response.upgrade("websocket");
    for (name, value) in opened.headers {
        response.insert_header((name, value));
    }
    let first = Some(opened.first).filter(|first| !first.is_empty());
    let first = stream::iter(first.map(Ok));
    response.streaming(first.chain(receive(Receiving { reader, stopping, _alive: alive, _place: place })))
}

/// From the client to the other node. Its end is the end of what the other node reads.
async fn send(mut from_client: web::Payload, mut writer: OwnedWriteHalf, gone: oneshot::Receiver<()>) {
    let sending = async {
        while let Some(Ok(bytes)) = from_client.next().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // Whoever has gone too needs not be told.
        let _gone = writer.shutdown().await;
    };
    tokio::select! {
        () = sending => {}
        _ = gone => {}
    }
}

struct Receiving {
    reader: OwnedReadHalf,
    stopping: watch::Receiver<bool>,
    _alive: oneshot::Sender<()>,
    _place: OwnedSemaphorePermit,
}

/// From the other node to the client.
fn receive(receiving: Receiving) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(receiving, async |mut receiving| {
        let read = tokio::select! {
            read = read(&receiving.reader) => read,
            _ = receiving.stopping.wait_for(|stopping| *stopping) => None,
        };
        // An error of the other side is its end: there is nothing else to tell the client.
        Some((Ok(read?), receiving))
    })
}

/// What is there, once something is. `None` at the end, however it comes.
async fn read(reader: &OwnedReadHalf) -> Option<Bytes> {
    loop {
        reader.readable().await.ok()?;
        let mut bytes = BytesMut::with_capacity(CHUNK_BYTES);
        match reader.try_read_buf(&mut bytes) {
            Ok(0) => return None,
            Ok(_) => return Some(bytes.freeze()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}
