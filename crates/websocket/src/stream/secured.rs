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

/// Writes what is taken at once. What was encrypted before goes first: as long as the socket does not take that, nothing more is encrypted,
/// so that what waits in here has a bound.
pub(super) fn write(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> io::Result<usize> {
    flush(stream)?;
    at_once(|cx| Pin::new(&mut *stream).poll_write(cx, bytes))
}

/// Writes what is encrypted already. `WouldBlock`: not all of it.
pub(super) fn flush(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    at_once(|cx| Pin::new(&mut *stream).poll_flush(cx))
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
