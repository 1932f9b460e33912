//! Serves a request that wants the connection for itself, past actix's dispatcher.

use std::{
    cell::{Cell, OnceCell},
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use actix_codec::{Encoder as _, Framed, FramedParts};
use actix_http::{
    ConnectionType, HttpMessage as _, Payload, Request, Response, StatusCode,
    body::{BodySize, BoxBody, MessageBody},
    h1::{Codec, Message},
};
use actix_service::Service;
use actix_web::Error;
use bytes::Bytes;
use tokio::{io::AsyncWriteExt as _, time::timeout};

use crate::{Outbox, stream::Stream, timed::Timed};

/// How long a peer has, after the last that it is sent, to read that and to close: a socket that is closed over what the peer still
/// sends is reset, and the last words get lost.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// How much of an answer is written at once.
const AT_ONCE: usize = 64 * 1024;

/// A connection that [`accept`](crate::accept) may take: it is among what belongs to the request.
pub(crate) struct Offer {
    stream: Stream,
    taken: Rc<OnceCell<Outbox>>,
}

impl Offer {
    /// Takes the connection: from when the head of the answer is out, the outbox writes to it, of which so many bytes may wait.
    pub(crate) fn take(self, limit: usize) -> Outbox {
        let Self { stream, taken } = self;
        taken.get_or_init(|| Outbox::with_lane(limit, stream)).clone()
    }
}

/// The offer as the server keeps it. Dropped, the socket is gone for the outbox too.
struct Offered(Rc<OnceCell<Outbox>>);

impl Drop for Offered {
    fn drop(&mut self) {
        if let Some(outbox) = self.0.get() {
            outbox.queue().gone();
        }
    }
}

impl Offered {
    /// Waits until nothing more is said.
    async fn ending(&self) {
        if let Some(outbox) = self.0.get() {
            poll_fn(|cx| outbox.queue().poll_ending(cx)).await;
        }
    }

    /// Waits until all that was said is written, or is not to be written any more.
    async fn flushed(&self) {
        if let Some(outbox) = self.0.get() {
            poll_fn(|cx| outbox.queue().poll_flushed(cx)).await;
        }
    }
}

/// A connection whose request was answered. It is the outbox's that took it.
pub(crate) struct Upgraded {
    stream: Stream,
    offered: Offered,
}

impl Upgraded {
    /// Until the outbox has nothing more to say, and the connection is closed: for the last of what was said the peer has `patience`.
    pub(crate) async fn end(self, patience: Duration) {
        self.offered.ending().await;
        Box::pin(close(self.stream, &self.offered, patience)).await;
    }
}

/// Where a connection is left that is no longer the dispatcher's business.
pub(crate) type Handover = Rc<Cell<Option<Upgraded>>>;

/// Has the request answered, and leaves the connection to whoever waits for it.
pub(crate) async fn serve<S, B>(
    app: Rc<S>,
    request: Request,
    framed: Framed<Timed, Codec>,
) -> Result<(), Error>
where
    S: Service<Request>,
    S::Error: Into<Error>,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
{
    let handover = framed.io_ref().handover.clone();
    // A peer that is gone has been told all that it can be told.
    if let Ok(upgraded) = answer(app, request, framed).await {
        handover.set(Some(upgraded));
    }
    Ok(())
}

async fn answer<S, B>(
    app: Rc<S>,
    mut request: Request,
    framed: Framed<Timed, Codec>,
) -> Result<Upgraded, Gone>
where
    S: Service<Request>,
    S::Error: Into<Error>,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
{
    let mut parts = framed.into_parts();
    let stream = parts.io.stream.clone();
    // Copied, for what was read seldom fills the buffer that it was read to.
    let incoming = stream.incoming(Bytes::copy_from_slice(&std::mem::take(&mut parts.read_buf)));
    *request.payload() = Payload::Stream { payload: Box::pin(incoming) };
    let offered = Offered(Rc::default());
    request.extensions_mut().insert(Offer { stream: stream.clone(), taken: Rc::clone(&offered.0) });

    let response = match app.call(request).await {
        Ok(response) => response.into().map_into_boxed_body(),
        Err(error) => error.into().error_response().into(),
    };
    match offered.0.get() {
        Some(outbox) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            write_head(parts, response, outbox).await?;
            outbox.queue().open_lane();
        }
        // A middleware has made another answer of it.
        Some(outbox) => {
            outbox.queue().gone();
            write_whole(parts, response).await?;
        }
        None => write_whole(parts, response).await?,
    }
    Ok(Upgraded { stream, offered })
}

/// Nobody is there to be answered.
struct Gone;

/// With the head goes what the outbox has already, if it is little.
async fn write_head(
    parts: FramedParts<Timed, Codec>,
    response: Response<BoxBody>,
    outbox: &Outbox,
) -> Result<(), Gone> {
    let FramedParts { mut io, mut codec, write_buf: mut bytes, .. } = parts;
    codec.encode(Message::Item((response.drop_body(), BodySize::Stream)), &mut bytes).map_err(|_| Gone)?;
    bytes.extend(outbox.queue().take_with_the_head());
    write(&mut io, &bytes).await
}

/// Until the socket has all of it.
async fn write(stream: &mut Timed, bytes: &[u8]) -> Result<(), Gone> {
    stream.write_all(bytes).await.map_err(|_| Gone)?;
    stream.flush().await.map_err(|_| Gone)
}

/// An answer as any other; only that the connection ends with it.
async fn write_whole(parts: FramedParts<Timed, Codec>, mut response: Response<BoxBody>) -> Result<(), Gone> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let FramedParts { mut io, mut codec, write_buf: mut bytes, .. } = parts;
    let (head, mut body) = response.into_parts();
    let mut next = Message::Item((head, body.size()));
    loop {
        let is_last = matches!(next, Message::Chunk(None));
        codec.encode(next, &mut bytes).map_err(|_| Gone)?;
        // What is ready goes out with the head: of a refusal many clients read no more than what comes at once.
        let ready = if is_last || bytes.len() >= AT_ONCE {
            Poll::Pending
        } else {
            poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_next(cx))).await
        };
        let chunk = match ready {
            Poll::Ready(chunk) => chunk,
            Poll::Pending => {
                write(&mut io, &bytes).await?;
                if is_last {
                    return Ok(());
                }
                bytes.clear();
                poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await
            }
        };
        next = Message::Chunk(chunk.transpose().map_err(|_| Gone)?);
    }
}

/// However slowly the peer reads, it ends: who has not taken all by then does not get it.
async fn close(mut stream: Stream, offered: &Offered, patience: Duration) {
    let last_words = async {
        offered.flushed().await;
        stream.shutdown().await
    };
    if matches!(timeout(patience, last_words).await, Ok(Ok(()))) {
        // Whoever has not closed by then is not waited for.
        let _ = timeout(LINGER, poll_fn(|cx| stream.poll_drained(cx))).await;
    }
}

#[cfg(test)]
mod tests;
