use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, body::BoxBody, web};
use bytes::Bytes;
use bytestring::ByteString;
use tokio::time::Instant;

use crate::{
    CloseCode, Closed, ClosedBy, Frame, Limits, Outbox,
    alarm::Alarm,
    body::OutboxBody,
    guard::Refusal,
    reader::{Event, Reader},
    silence::{Beat, Silence},
    upgrade::Offer,
};

/// Answers a WebSocket handshake. The response must be returned from the handler, the connection be driven by a
/// task of its own (`actix_web::rt::spawn`), by calling [`Connection::next`] until it is closed.
///
/// An error is the answer to a request that is no proper handshake (RFC 6455, section 4.2.1).
///
/// On a server started by [`serve`](crate::serve) frames go straight to the socket. On any other everything works too, slower; what is
/// then its business: `HttpServer::h1_allow_half_closed(false)`, so that a peer which only closes its sending side is gone at
/// once; `tcp_nodelay(true)`; an end for peers that never read; and `client_disconnect_timeout`, which is how long it lets the peer
/// close TCP first after the last frame, and so how long a peer that waits for the server to do so (a browser does) waits.
pub fn accept(
    request: &HttpRequest,
    body: web::Payload,
    limits: &Limits,
) -> Result<(HttpResponse, Connection), Error> {
    let (response, reader) = Reader::accept(request, body, limits)?;
    let (outbox, body) = if let Some(offer) = request.extensions_mut().remove::<Offer>() {
        (offer.take(limits.outbox_bytes), BoxBody::new(()))
    } else {
        let outbox = Outbox::new(limits.outbox_bytes);
        (outbox.clone(), BoxBody::new(OutboxBody::new(outbox)))
    };
    let response = response.set_body(body);
    let connection = Connection {
        reader,
        outbox,
        silence: limits.heartbeat.map(|heartbeat| Silence::new(heartbeat, Instant::now())),
        close_timeout: limits.close_timeout,
        close_deadline: None,
        alarm: Alarm::default(),
        closed: None,
    };
    Ok((response, connection))
}

/// The only owner of a socket. Dropped, it takes no more frames, flushes what is pending, and ends.
pub struct Connection {
    reader: Reader,
    outbox: Outbox,
    silence: Option<Silence>,
    close_timeout: Duration,
    close_deadline: Option<Instant>,
    alarm: Alarm,
    closed: Option<Closed>,
}

/// What a connection brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message, whole.
    Text(ByteString),
    /// A binary message, whole.
    Binary(Bytes),
    /// The end, once and for all.
    Closed(Closed),
}

impl Connection {
    /// A handle to send by; as many as are needed.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// The next message, or the end; after the end, the end again. Cancel safe.
    ///
    /// Meanwhile it answers pings, keeps the heartbeat, and does its part of closing, so it must be called for
    /// these to happen. After [`Outbox::close`] whatever else the peer sends is discarded, and the end comes with the
    /// peer's close frame or after [`Limits::close_timeout`].
    pub async fn next(&mut self) -> Incoming {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        if let Some(closed) = &self.closed {
            return Poll::Ready(Incoming::Closed(closed.clone()));
        }
        self.outbox.queue().park_connection(cx.waker());
        while let Poll::Ready(event) = self.reader.poll(cx) {
            if let Some(incoming) = self.on_event(event) {
                return Poll::Ready(incoming);
            }
        }
        if self.outbox.queue().is_gone() {
            return Poll::Ready(self.lose("the connection broke"));
        }
        self.poll_timers(cx)
    }

    fn on_event(&mut self, event: Event) -> Option<Incoming> {
        let listening = self.outbox.queue().ours().is_none();
        match event {
            Event::Text(text) if listening => Some(Incoming::Text(text)),
            Event::Binary(data) if listening => Some(Incoming::Binary(data)),
            Event::Ping(data) => {
                // Refused, it has begun to close already or begins now, which the timers see.
                let _ = self.outbox.send(&Frame::pong(&data));
                None
            }
            Event::Text(_) | Event::Binary(_) | Event::Pong => None,
            Event::Close(code, reason) => Some(self.echo(code, reason)),
            Event::Refused(refusal) => Some(self.refuse(refusal)),
            Event::End => Some(self.lose("the connection broke")),
        }
    }

    fn echo(&mut self, code: Option<CloseCode>, reason: String) -> Incoming {
        self.outbox.queue().echo_close(code);
        self.finish(Closed { by: ClosedBy::Peer, code, reason })
    }

    /// The peer's answer is not awaited: what it sends can no longer be told apart (RFC 6455, section 7.1.7).
    fn refuse(&mut self, Refusal { code, reason }: Refusal) -> Incoming {
        self.outbox.close(code, reason);
        self.finish(Closed { by: ClosedBy::Us, code: Some(code), reason: reason.to_owned() })
    }

    fn lose(&mut self, reason: &str) -> Incoming {
        self.outbox.queue().abort();
        self.finish(Closed { by: ClosedBy::Lost, code: None, reason: reason.to_owned() })
    }

    /// If we had begun to close, that is how it ended, whatever came of it.
    fn finish(&mut self, otherwise: Closed) -> Incoming {
        let mut queue = self.outbox.queue();
        queue.end();
        let closed = queue.ours().cloned().unwrap_or(otherwise);
        self.closed = Some(closed.clone());
        Incoming::Closed(closed)
    }

    fn poll_timers(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        if self.reader.take_heard()
            && let Some(silence) = &mut self.silence
        {
            silence.heard(Instant::now());
        }
        loop {
            match self.check_time() {
                Some(Due::At(time)) => ready!(self.alarm.poll(time, cx)),
                Some(Due::Now(incoming)) => return Poll::Ready(incoming),
                None => return Poll::Pending,
            }
        }
    }

    /// What time brings next; `None` without heartbeat while the connection is open.
    fn check_time(&mut self) -> Option<Due> {
        if self.outbox.queue().ours().is_some() {
            return Some(self.check_close());
        }
        let now = Instant::now();
        match self.silence.as_mut()?.beat(now) {
            Beat::Wait(until) => Some(Due::At(until)),
            Beat::Dead => Some(Due::Now(self.lose("nothing was heard for too long"))),
            Beat::Ping => {
                // Refused, it begins to close, which the next look at the time sees.
                let _ = self.outbox.send(&Frame::ping(b""));
                Some(Due::At(now))
            }
        }
    }

    fn check_close(&mut self) -> Due {
        let now = Instant::now();
        let deadline = *self.close_deadline.get_or_insert_with(|| now + self.close_timeout);
        if now < deadline {
            return Due::At(deadline);
        }
        Due::Now(self.lose("no answer to the close frame"))
    }
}

/// When there is something to do.
enum Due {
    Now(Incoming),
    At(Instant),
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.outbox.queue().end();
    }
}

#[cfg(test)]
mod tests;
