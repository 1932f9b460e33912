use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_http::error::PayloadError;
use actix_web::rt::net::TcpStream;
use bytes::Bytes;
use rustix::{
    io::Errno,
    net::{SendFlags, send},
};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use self::secured::Secured;
use crate::{Held, Tls};

mod secured;

/// As much is read at once as a busy socket has for us. One buffer for all of a thread, so that a connection that says nothing has none.
const READ: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// A connection, for all who read from it and write to it; on one thread.
#[derive(Clone)]
pub(crate) struct Stream(Rc<Open>);

struct Open {
    socket: RefCell<Socket>,
    /// Behind the socket, so that it is dropped when that is closed.
    held: Option<Held>,
}

/// What there is to read from and to write to.
enum Socket {
    Plain(TcpStream),
    /// Apart, for it is large, and the others are many.
    Secured(Box<Secured>),
}

impl Stream {
    /// A connection that serves people, after the handshake of TLS where there is one.
    pub(crate) async fn open(
        stream: TcpStream,
        write_timeout: Duration,
        tls: Option<&Tls>,
        held: Option<Held>,
    ) -> io::Result<Self> {
        set_options(&SockRef::from(&stream), write_timeout);
        let socket = match tls {
            None => Socket::Plain(stream),
            Some(tls) => {
                let accepting = TlsAcceptor::from(tls.config.clone()).accept(stream);
                Socket::Secured(Box::new(Secured::new(timeout(tls.handshake_timeout, accepting).await??)))
            }
        };
        Ok(Self(Rc::new(Open { socket: RefCell::new(socket), held })))
    }

    /// What the connection holds until it is closed.
    pub(crate) fn held(&self) -> Option<Held> {
        self.0.held.clone()
    }

    /// What the peer sends from now on, after what has been read already.
    pub(crate) fn incoming(&self, read: Bytes) -> Incoming {
        Incoming { read, stream: Rc::downgrade(&self.0) }
    }

    /// Writes what the socket takes at once. It is asked itself, past the runtime's record of whether it takes more, which lies
    /// elsewhere in memory, and past what the C library does around a call; but where it takes no more, the runtime has to hear of it, or it would not tell when it does again.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.socket.borrow_mut() {
            Socket::Plain(stream) => match send(&*stream, bytes, SendFlags::empty()) {
                Err(Errno::WOULDBLOCK) => stream.try_write(bytes),
                written => Ok(written?),
            },
            Socket::Secured(stream) => stream.write(bytes),
        }
    }

    /// Whether nobody is at it, which is so whenever somebody can ask.
    pub(crate) fn is_free(&self) -> bool {
        self.0.socket.try_borrow().is_ok()
    }

    /// Writes what was taken and is still on its way to the socket. `WouldBlock`: not all of it.
    pub(crate) fn flush_at_once(&self) -> io::Result<()> {
        match &mut *self.0.socket.borrow_mut() {
            Socket::Plain(_) => Ok(()),
            Socket::Secured(stream) => stream.flush(),
        }
    }

    /// Bytes that were taken and may still be on their way to the socket.
    pub(crate) fn unwritten(&self) -> usize {
        match &*self.0.socket.borrow() {
            Socket::Plain(_) => 0,
            Socket::Secured(stream) => stream.unwritten(),
        }
    }

    /// Ready when the socket takes more, or is broken. One task waits at a time.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &*self.0.socket.borrow() {
            Socket::Plain(stream) => stream.poll_write_ready(cx),
            Socket::Secured(stream) => stream.socket().poll_write_ready(cx),
        }
    }

    /// A borrow never outlives a call here, so it is never taken twice.
    fn with<T>(&self, act: impl FnOnce(Pin<&mut dyn ReadWrite>) -> T) -> T {
        match &mut *self.0.socket.borrow_mut() {
            Socket::Plain(stream) => act(Pin::new(stream)),
            Socket::Secured(stream) => act(Pin::new(stream.stream())),
        }
    }
}

/// Either of them, for a call: what a call to the system costs makes nothing of how it is found.
trait ReadWrite: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> ReadWrite for S {}

/// They fail only on a socket that is gone already, which needs none.
fn set_options(socket: &SockRef<'_>, write_timeout: Duration) {
    let _ = socket.set_tcp_nodelay(true);
    set_user_timeout(socket, write_timeout);
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
fn set_user_timeout(socket: &SockRef<'_>, timeout: Duration) {
    let _ = socket.set_tcp_user_timeout(Some(timeout));
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "fuchsia")))]
fn set_user_timeout(_: &SockRef<'_>, _: Duration) {}

/// What a peer sends, as the body of its request. It does not keep the connection open: when nobody else does, it ends.
pub(crate) struct Incoming {
    read: Bytes,
    stream: Weak<Open>,
}

impl futures_core::Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.read.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.read))));
        }
        let Some(stream) = self.stream.upgrade().map(Stream) else { return Poll::Ready(None) };
        Poll::Ready(match ready!(stream.poll_bytes(cx)) {
            Ok(bytes) => Some(bytes).filter(|bytes| !bytes.is_empty()).map(Ok),
            Err(error) => Some(Err(PayloadError::Io(error))),
        })
    }
}

impl Stream {
    /// The next bytes; none at the end.
    fn poll_bytes(&self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(self.with(|stream| stream.poll_read(cx, &mut buffer)))?;
            Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
        })
    }

    /// Reads and drops what the peer still sends, until it sends no more.
    pub(crate) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match ready!(self.poll_bytes(cx)) {
                Ok(bytes) if !bytes.is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_options_reach_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("accepts");
        let stream = Stream::open(stream, Duration::from_secs(6), None, None).await.expect("no handshake");
        let socket = stream.0.socket.borrow();
        let Socket::Plain(socket) = &*socket else { panic!("nothing is encrypted") };
        assert!(socket.nodelay().expect("set"));
        #[cfg(target_os = "linux")]
        assert_eq!(SockRef::from(socket).tcp_user_timeout().expect("set"), Some(Duration::from_secs(6)));
    }
}
