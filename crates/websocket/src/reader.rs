use std::{
    cell::Cell,
    io::ErrorKind,
    mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::{Error, FromRequest as _, HttpRequest, HttpResponse, dev::Payload, error::PayloadError, web};
use actix_ws::{CloseReason, Item, Message, MessageStream, ProtocolError};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use futures_core::Stream;

use crate::{
    CloseCode, Limits,
    guard::{FrameGuard, Refusal},
};

const BAD_UTF8: Refusal = Refusal { code: CloseCode::INVALID_DATA, reason: "invalid UTF-8" };
/// The guard has refused all that it knows of, so this is only for what a later decoder may find.
pub(crate) const BAD_FRAME: Refusal = Refusal { code: CloseCode::PROTOCOL, reason: "invalid frame" };

/// What the peer sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Text(ByteString),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    Close(Option<CloseCode>, String),
    /// Nothing after this can be understood; not to be polled again.
    Refused(Refusal),
    /// No more bytes will come; not to be polled again.
    End,
}

/// Turns the request's body into events: guard, then actix-ws's decoder, then fragments into messages.
///
/// The decoder gets one frame at a time. Given all there is, it would decode all of it ahead, at many times its
/// size for tiny frames, and report a bad frame before the good ones that precede it.
pub(crate) struct Reader {
    payload: Payload,
    /// Bytes that the guard has not seen.
    unread: Bytes,
    guard: FrameGuard,
    feed: Feed,
    decoder: MessageStream,
    /// The decoder's buffer still refers to the last frame.
    retains: bool,
    /// The message whose last fragment has not come, and whether it is text.
    unfinished: Option<(Kind, BytesMut)>,
    heard: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Binary,
}

impl Reader {
    /// Does the handshake. The response's body is actix-ws's own; its end ends the decoder.
    pub(crate) fn accept(
        request: &HttpRequest,
        body: web::Payload,
        limits: &Limits,
    ) -> Result<(HttpResponse, Self), Error> {
        let feed = Feed::default();
        let mut source = Payload::Stream { payload: Box::pin(feed.clone()) as _ };
        let guarded = web::Payload::from_request(request, &mut source).into_inner()?;
        let (response, _, decoder) = actix_ws::handle(request, guarded)?;
        let reader = Self {
            payload: body.into_inner(),
            unread: Bytes::new(),
            guard: FrameGuard::new(limits),
            feed,
            // Never below the guard's bounds, so that the guard is who decides.
            decoder: decoder.max_frame_size(limits.max_message.max(125)),
            retains: false,
            unfinished: None,
            heard: false,
        };
        Ok((response, reader))
    }

    /// Whether a byte has come since the last call.
    pub(crate) fn take_heard(&mut self) -> bool {
        mem::take(&mut self.heard)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if self.unread.is_empty() {
                self.release(cx);
                match ready!(Pin::new(&mut self.payload).poll_next(cx)) {
                    Some(Ok(bytes)) => self.unread = bytes,
                    Some(Err(_)) | None => return Poll::Ready(Event::End),
                }
                self.heard = true;
            }
            match self.guard.admit(&self.unread) {
                Ok(length) => self.feed.give(self.unread.split_to(length)),
                Err(refusal) => return Poll::Ready(Event::Refused(refusal)),
            }
            if let Poll::Ready(decoded) = Pin::new(&mut self.decoder).poll_next(cx) {
                self.retains = true;
                if let Some(event) = self.event(decoded) {
                    return Poll::Ready(event);
                }
            }
        }
    }

    /// Lets go of the last frame before waiting: it may be as large as a message can be, and the wait long.
    fn release(&mut self, cx: &mut Context<'_>) {
        if mem::take(&mut self.retains) {
            self.feed.give(Bytes::new());
            let nothing = Pin::new(&mut self.decoder).poll_next(cx);
            debug_assert!(nothing.is_pending(), "no bytes make no message");
        }
    }

    /// `None` for what completes nothing.
    fn event(&mut self, decoded: Option<Result<Message, ProtocolError>>) -> Option<Event> {
        Some(match decoded {
            Some(Ok(Message::Text(text))) => Event::Text(text),
            Some(Ok(Message::Binary(data))) => Event::Binary(data),
            Some(Ok(Message::Continuation(item))) => return self.join(item),
            Some(Ok(Message::Ping(data))) => Event::Ping(data),
            Some(Ok(Message::Pong(_))) => Event::Pong,
            Some(Ok(Message::Close(reason))) => close(reason),
            Some(Ok(Message::Nop)) => return None,
            Some(Err(error)) => Event::Refused(refusal(&error)),
            None => Event::End,
        })
    }

    fn join(&mut self, item: Item) -> Option<Event> {
        match item {
            Item::FirstText(data) => self.unfinished = Some((Kind::Text, BytesMut::from(&data[..]))),
            Item::FirstBinary(data) => self.unfinished = Some((Kind::Binary, BytesMut::from(&data[..]))),
            Item::Continue(data) => self.unfinished.as_mut()?.1.extend_from_slice(&data),
            Item::Last(data) => {
                let (kind, mut message) = self.unfinished.take()?;
                message.extend_from_slice(&data);
                return Some(complete(kind, message.freeze()));
            }
        }
        None
    }
}

fn complete(kind: Kind, message: Bytes) -> Event {
    match kind {
        Kind::Text => ByteString::try_from(message).map_or(Event::Refused(BAD_UTF8), Event::Text),
        Kind::Binary => Event::Binary(message),
    }
}

fn close(reason: Option<CloseReason>) -> Event {
    let Some(CloseReason { code, description }) = reason else {
        return Event::Close(None, String::new());
    };
    Event::Close(CloseCode::new(code.into()), description.unwrap_or_default())
}

/// Of a text, only its UTF-8 can still be bad; of a close frame with a good code, only its reason's. The decoder
/// has no better names for these two.
fn refusal(error: &ProtocolError) -> Refusal {
    match error {
        ProtocolError::Io(error) if error.kind() == ErrorKind::InvalidData => BAD_UTF8,
        ProtocolError::BadOpCode => BAD_UTF8,
        _ => BAD_FRAME,
    }
}

/// Hands admitted bytes to the decoder, as the body it reads.
#[derive(Clone, Default)]
struct Feed {
    bytes: Rc<Cell<Option<Bytes>>>,
}

impl Feed {
    fn give(&self, bytes: Bytes) {
        self.bytes.set(Some(bytes));
    }
}

impl Stream for Feed {
    type Item = Result<Bytes, PayloadError>;

    /// Pending without a wake-up: who gives bytes polls the decoder itself.
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.bytes.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(bytes))))
    }
}

#[cfg(test)]
mod tests;
