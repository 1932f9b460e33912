use std::{any::Any, time::Duration};

use actix_web::rt::net::TcpStream;
use socket2::SockRef;

/// Cuts a peer that takes nothing of what was written for `write_timeout`, whether it is dead or merely never reads.
///
/// For `HttpServer::on_connect`. actix has no write timeout, so without it such a peer holds its socket for as
/// long as it likes. It sets `TCP_USER_TIMEOUT` (RFC 5482) where the system has it, on plain TCP; on any other
/// stream, such as TLS, it does nothing.
pub fn tune(stream: &dyn Any, write_timeout: Duration) {
    if let Some(stream) = stream.downcast_ref::<TcpStream>() {
        set_user_timeout(&SockRef::from(stream), write_timeout);
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
        tune(&stream, Duration::from_secs(6));
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().expect("set"), Some(Duration::from_secs(6)));
    }

    #[test]
    fn another_kind_of_stream_is_left_alone() {
        tune(&"not a socket", Duration::from_secs(6));
    }
}
