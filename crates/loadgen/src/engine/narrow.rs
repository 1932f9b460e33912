//! Connections that take little as long as nobody reads them.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

/// Bytes that this side keeps unread; systems double it for what they need themselves.
const RECEIVED: usize = 16 << 10;

/// The payload of a segment on Ethernet. The loopback's are 64 KiB, and the other side's system keeps a few of them for each
/// connection: megabytes that no client on a network would be given.
const SEGMENT: u32 = 1448;

/// Begins to connect. Both have to be said before that.
pub(super) fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVED)?;
    socket.set_tcp_mss(SEGMENT)?;
    match socket.connect(&to.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
