use std::{any::Any, time::Duration};

use actix_web::{dev::Extensions, rt::net::TcpStream};
use socket2::SockRef;

use crate::lane::Lane;

/// Makes a connection ready for [`accept`](crate::accept). For `HttpServer::on_connect`; without it everything works, slower
/// and less well guarded, and so it does on any stream but plain TCP, such as TLS, which it leaves alone.
///
/// - A peer that takes nothing of what was written for `write_timeout` is cut, whether it is dead or merely never reads. actix
///   has no write timeout, so without it such a peer holds its socket for as long as it likes. It sets `TCP_USER_TIMEOUT`
///   (RFC 5482) where the system has it.
/// - Frames go straight to the socket, for which a second file descriptor of it is kept in `data`: the server has one task, one
///   buffer and one wake-up for each connection, which costs more than the write itself.
pub fn tune(stream: &dyn Any, data: &mut Extensions, write_timeout: Duration) {
    if let Some(stream) = stream.downcast_ref::<TcpStream>() {
        set_user_timeout(&SockRef::from(stream), write_timeout);
        if let Some(lane) = Lane::to(stream) {
            data.insert(lane);
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
fn set_user_timeout(socket: &SockRef<'_>, timeout: Duration) {
    // It fails only on a socket that is gone already, which needs no timeout.
    let _ = socket.set_tcp_user_timeout(Some(timeout));
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "fuchsia")))]
fn set_user_timeout(_: &SockRef<'_>, _: Duration) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_timeout_reaches_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("accepts");
        tune(&stream, &mut Extensions::new(), Duration::from_secs(6));
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().expect("set"), Some(Duration::from_secs(6)));
    }

    #[test]
    fn another_kind_of_stream_is_left_alone() {
        tune(&"not a socket", &mut Extensions::new(), Duration::from_secs(6));
    }
}
