use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use bytes::BytesMut;
use futures_util::{StreamExt, stream};
use lobby_websocket::Held;
use tokio::time::timeout;

use super::mark::{BadMark, MARK, Marks, Passed, Vouched, digest};
use crate::doorman::Socket;
use crate::refusal::{Code, Refusal};

/// How long the body of what was passed on may take: the node that passes it on has all of it.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// The most bytes of it: what any setting allows a client to send at once.
const MOST_BYTES: usize = 100_000_000;

/// A request that a node has passed on to this one. It is not passed on again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relayed;

/// Whether another node has passed this request on.
#[must_use]
pub fn is_relayed(request: &HttpRequest) -> bool {
    request.extensions().get::<Relayed>().is_some()
}

/// Takes what other nodes pass on for what their clients have sent, and refuses what only looks like it.
///
/// Behind it no request has a mark any more: a good one has become `Relayed`, and any other is refused.
pub async fn guard(
    marks: web::Data<Marks>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.headers().contains_key(MARK) {
        let vouched = vouched(&marks, &request).map_err(refused)?;
        if let Some(socket) =
            request.request().conn_data::<Held>().and_then(|held| held.downcast_ref::<Socket>())
        {
            socket.is_a_nodes();
        }
        take_body(&mut request, &vouched).await?;
        let head = request.head_mut();
        head.headers_mut().remove(MARK);
        head.peer_addr = vouched.client;
        request.extensions_mut().insert(Relayed);
    }
    next.call(request).await
}

fn vouched(marks: &Marks, request: &ServiceRequest) -> Result<Vouched, BadMark> {
    let mut all = request.headers().get_all(MARK);
    let (Some(mark), None) = (all.next(), all.next()) else { return Err(BadMark::Forged) };
    let mark = mark.to_str().map_err(|_| BadMark::Forged)?;
    let target = request.uri().path_and_query().map_or_else(|| request.path(), |target| target.as_str());
    marks.check(mark, Passed { method: request.method().as_str(), target })
}

/// A WebSocket handshake has no body; what comes behind it is not vouched for.
async fn take_body(request: &mut ServiceRequest, vouched: &Vouched) -> Result<(), Error> {
    let body = if request.method().is_safe() { Bytes::new() } else { read(request.take_payload()).await? };
    if digest(&body) != vouched.body {
        return Err(refused(BadMark::Forged).into());
    }
    if !request.method().is_safe() {
        let body = stream::once(async { Ok::<_, PayloadError>(body) });
        request.set_payload(Payload::Stream { payload: Box::pin(body) });
    }
    Ok(())
}

async fn read(mut payload: Payload) -> Result<Bytes, Error> {
    let whole = async {
        let mut bytes = BytesMut::new();
        while let Some(piece) = payload.next().await {
            let piece = piece?;
            if bytes.len() + piece.len() > MOST_BYTES {
                return Err(PayloadError::Overflow);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    };
    let read = timeout(BODY_WITHIN, whole).await.map_err(|_| PayloadError::Incomplete(None))?;
    Ok(read?)
}

fn refused(bad: BadMark) -> Refusal {
    tracing::debug!(%bad, "what looks passed on by a node is refused");
    let detail = format!("only nodes of this lobby pass requests on to each other: {bad}");
    Refusal::new(Code::NotRelayed, detail)
}

#[cfg(test)]
mod tests;
