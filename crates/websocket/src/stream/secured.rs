//! TLS on a connection, for who writes without waiting.

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use actix_web::rt::net::TcpStream;
use tokio::{io::AsyncWrite as _, task::coop::unconstrained};
use tokio_rustls::server::TlsStream;

/// A connection, and how much of what it was given last may still wait in it, encrypted.
pub(super) struct Secured {
    stream: TlsStream<TcpStream>,
    unwritten: usize,
}

impl Secured {
    /// After the handshake.
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self { stream, unwritten: 0 }
    }

    /// Writes what is taken at once. What was encrypted before goes first: as long as the socket does not take that, nothing more is
    /// encrypted, so that no more waits in here than rustls takes at once, which is 64 KiB.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        self.unwritten = at_once(|cx| Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        Ok(self.unwritten)
    }

    /// Writes what is encrypted already. `WouldBlock`: not all of it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        at_once(|cx| Pin::new(&mut self.stream).poll_flush(cx))?;
        self.unwritten = 0;
        Ok(())
    }

    /// Bytes, as they were before they were encrypted, of which the socket has not taken all.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten
    }

    pub(super) fn socket(&self) -> &TcpStream {
        self.stream.get_ref().0
    }

    /// For who waits.
    pub(super) fn stream(&mut self) -> &mut TlsStream<TcpStream> {
        &mut self.stream
    }
}

/// Nobody is woken by this: who wants to go on waits for the socket to take more. Nor is it counted against the task, which may write to
/// thousands in turn: the runtime would say of all but the first hundred that they take no more.
fn at_once<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    let polled = pin!(unconstrained(poll_fn(poll)));
    match polled.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}
