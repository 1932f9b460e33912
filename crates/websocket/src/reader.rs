use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_codec::Decoder as _;
use actix_http::ws::{Codec, Frame};
use actix_web::{Error, FromRequest as _, HttpRequest, HttpResponse, dev::Payload, web};
use actix_ws::{CloseReason, Item, ProtocolError};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use futures_core::Stream as _;

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

/// Turns the request's body into events: guard, then the decoder that actix-ws has too, then fragments into messages.
///
/// The decoder gets one frame at a time, so that all good frames precede the bad one which they came with.
pub(crate) struct Reader {
    payload: Payload,
    /// Bytes that the guard has not seen.
    unread: Bytes,
    guard: FrameGuard,
    /// What has come of the frame that is being read.
    frame: BytesMut,
    decoder: Codec,
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
    /// Does the handshake. actix-ws' own reader and writer come with it, and are not wanted.
    pub(crate) fn accept(
        request: &HttpRequest,
        body: web::Payload,
        limits: &Limits,
    ) -> Result<(HttpResponse, Self), Error> {
        let nothing = web::Payload::from_request(request, &mut Payload::None).into_inner()?;
        let (response, _, _) = actix_ws::handle(request, nothing)?;
        let reader = Self {
            payload: body.into_inner(),
            unread: Bytes::new(),
            guard: FrameGuard::new(limits),
            frame: BytesMut::new(),
            // Never below the guard's bounds, so that the guard is who decides.
            decoder: Codec::new().max_size(limits.max_message.max(125)),
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
                self.release();
                match ready!(Pin::new(&mut self.payload).poll_next(cx)) {
                    Some(Ok(bytes)) => self.unread = bytes,
                    Some(Err(_)) | None => return Poll::Ready(Event::End),
                }
                self.heard = true;
            }
            match self.guard.admit(&self.unread) {
                Ok(length) => self.take_in(length),
                Err(refusal) => return Poll::Ready(Event::Refused(refusal)),
            }
            if let Some(event) = self.decode() {
                return Poll::Ready(event);
            }
        }
    }

    /// Lets go of the last frame before waiting: it may be as large as a message can be, and the wait long.
    fn release(&mut self) {
        if self.frame.is_empty() {
            self.frame = BytesMut::new();
        }
    }

    fn take_in(&mut self, length: usize) {
        let bytes = self.unread.split_to(length);
        if self.frame.is_empty() {
            self.frame = bytes.into();
        } else {
            self.frame.extend_from_slice(&bytes);
        }
    }

    /// `None` for what completes nothing.
    fn decode(&mut self) -> Option<Event> {
        Some(match self.decoder.decode(&mut self.frame).transpose()? {
            Ok(Frame::Text(data)) => complete(Kind::Text, data),
            Ok(Frame::Binary(data)) => complete(Kind::Binary, data),
            Ok(Frame::Continuation(item)) => return self.join(item),
            Ok(Frame::Ping(data)) => Event::Ping(data),
            Ok(Frame::Pong(_)) => Event::Pong,
            Ok(Frame::Close(reason)) => close(reason),
            Err(error) => Event::Refused(refusal(&error)),
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

/// Of a close frame with a good code, only its reason's UTF-8 can still be bad, for which the decoder has no better name.
fn refusal(error: &ProtocolError) -> Refusal {
    match error {
        ProtocolError::BadOpCode => BAD_UTF8,
        _ => BAD_FRAME,
    }
}

#[cfg(test)]
mod tests;
