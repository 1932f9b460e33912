use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::rt::net::TcpStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A TCP connection with two who write to it: the server, and an outbox that goes past it.
pub(crate) struct Stream(Rc<RefCell<TcpStream>>);

/// The way past the server.
#[derive(Clone)]
pub(crate) struct Lane(Rc<RefCell<TcpStream>>);

impl Stream {
    /// Sets what has to be set on a connection that serves people: see [`Tuning`](crate::Tuning).
    pub(crate) fn new(stream: TcpStream, write_timeout: Duration) -> Self {
        set_options(&SockRef::from(&stream), write_timeout);
        Self(Rc::new(RefCell::new(stream)))
    }

    pub(crate) fn lane(&self) -> Lane {
        Lane(Rc::clone(&self.0))
    }

    /// A borrow never outlives a call here, so it is never taken twice.
    fn with<T>(&self, act: impl FnOnce(Pin<&mut TcpStream>) -> T) -> T {
        act(Pin::new(&mut self.0.borrow_mut()))
    }
}

impl Lane {
    /// Writes what the socket takes at once.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow().try_write(bytes)
    }

    /// Ready when the socket takes more, or is broken. One task waits at a time: the server does not, while the lane is used.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow().poll_write_ready(cx)
    }
}

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
        let stream = Stream::new(stream, Duration::from_secs(6));
        let socket = stream.0.borrow();
        assert!(socket.nodelay().expect("set"));
        #[cfg(target_os = "linux")]
        assert_eq!(SockRef::from(&*socket).tcp_user_timeout().expect("set"), Some(Duration::from_secs(6)));
    }
}
