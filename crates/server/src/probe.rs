//! `lobby ready`: asks the lobby that runs on this machine with the same settings, for supervisors that run a command.

mod unchecked;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::settings::Settings;

/// How long all of it may take: whoever asks asks again.
const PATIENCE: Duration = Duration::from_secs(3);

/// More than the first line of any answer.
const LONGEST: u64 = 1 << 10;

/// Why requests had better go elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Nobody answers.
    #[error("no lobby answers at {url}, where the settings say that it is: {source}")]
    Silent {
        /// With `server.host` and `server.port`, and by `https` where `tls.certificate` is set.
        url: String,
        /// What has happened instead.
        source: io::Error,
    },
    /// Somebody does, and does not say that all is well.
    #[error("the lobby at {url} is not ready: it answers '{answer}'")]
    Refused {
        /// Where it is.
        url: String,
        /// The first line of what it says.
        answer: String,
    },
}

/// Says whether `GET /health/ready` is answered with 200.
pub fn ask(settings: &Settings) -> Result<(), NotReady> {
    let (host, port) = (settings.server.host.as_str(), settings.server.port);
    let encrypted = settings.tls.files().is_some();
    let scheme = if encrypted { "https" } else { "http" };
    let silent = |url| |source| NotReady::Silent { url, source };
    let address = reached_at(host, port).map_err(silent(format!("{scheme}://{host}:{port}")))?;
    let url = format!("{scheme}://{address}");
    let answer = first_line(address, encrypted).map_err(silent(url.clone()))?;
    let is_ready = answer.split(' ').nth(1) == Some("200");
    if is_ready { Ok(()) } else { Err(NotReady::Refused { url, answer }) }
}

/// Who listens on all addresses is reached on the loopback interface.
fn reached_at(host: &str, port: u16) -> io::Result<SocketAddr> {
    let address = (host, port).to_socket_addrs()?.next();
    let mut address =
        address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

/// All of it in one go: whoever answers byte by byte does not answer.
fn first_line(address: SocketAddr, encrypted: bool) -> io::Result<String> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { timeout(PATIENCE, connected(address, encrypted)).await? })
}

async fn connected(address: SocketAddr, encrypted: bool) -> io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    if !encrypted {
        return asked(address, stream).await;
    }
    let config = Arc::new(unchecked::config().map_err(io::Error::other)?);
    let stream = TlsConnector::from(config).connect(address.ip().into(), stream).await?;
    asked(address, stream).await
}

async fn asked(address: SocketAddr, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut line = Vec::new();
    // What follows the line is nobody's concern, nor is how the connection ends.
    BufReader::new(stream.take(LONGEST)).read_until(b'\n', &mut line).await?;
    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
    if line.starts_with("HTTP/") {
        Ok(line)
    } else {
        Err(io::Error::other("whoever is there speaks something else"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_the_loopback_interface() {
        for (host, address) in
            [("0.0.0.0", "127.0.0.1:5"), ("::", "[::1]:5"), ("127.0.0.2", "127.0.0.2:5"), ("::1", "[::1]:5")]
        {
            assert_eq!(reached_at(host, 5).unwrap().to_string(), address);
        }
    }
}
