//! Where the server is, and how it is spoken to.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// How long it may take to find out whether anybody is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What is spoken over the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// Socket.IO v5 over Engine.IO v4 over WebSocket, at /socket.io/
    Socketio,
    /// The lobby's JSON text frames, at /ws
    Ws,
    /// A WebSocket that sends every text to everybody, as `lobby-load floor` does
    Raw,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Socketio => "socketio",
            Self::Ws => "ws",
            Self::Raw => "raw",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Socketio => "/socket.io/?EIO=4&transport=websocket",
            Self::Ws => "/ws",
            Self::Raw => "/",
        }
    }
}

/// A server that somebody listens at.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    /// As it goes into `Host`.
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
    /// What the paths below begin with, without a slash at its end.
    prefix: String,
    pub(crate) protocol: Protocol,
    /// Whether everybody logs in first, as the lobby has it.
    pub(crate) logs_in: bool,
}

impl Target {
    /// Looks the host up, and whether anybody listens there.
    pub(crate) fn find(url: &str, protocol: Protocol, logs_in: bool) -> Result<Self, Error> {
        let (host, prefix) =
            split(url).map_err(|why| Error::Url { url: url.to_owned(), why: why.to_owned() })?;
        let unreachable = |source| Error::Unreachable { url: url.to_owned(), source };
        let address = reach(&with_port(host)).map_err(unreachable)?;
        let prefix = prefix.trim_end_matches('/').to_owned();
        Ok(Self { url: url.to_owned(), host: host.to_owned(), address, prefix, protocol, logs_in })
    }

    /// The request that asks for a WebSocket.
    pub(crate) fn handshake(&self, key: &str) -> String {
        let Self { host, prefix, .. } = self;
        let path = self.protocol.path();
        format!(
            "GET {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
    }

    /// A request with a JSON body, on a connection that stays.
    pub(crate) fn post(&self, out: &mut impl Write, path: &str, body: &str) -> std::io::Result<()> {
        let Self { host, prefix, .. } = self;
        let request = format!(
            "POST {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        out.write_all(request.as_bytes())
    }
}

/// The host with its port, and the path.
fn split(url: &str) -> Result<(&str, &str), &'static str> {
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => {
            return Err("TLS is not spoken here; name the lobby itself, behind what speaks TLS");
        }
        _ => return Err("it begins with http://, as in http://127.0.0.1:5000"),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if path.contains(['?', '#']) {
        return Err("a query or fragment has no place in it");
    }
    if host.is_empty() || host.contains(['@', ' ']) {
        return Err("there is no host in it");
    }
    Ok((host, path))
}

fn with_port(host: &str) -> String {
    let name_ends = host.rfind(']').unwrap_or(0);
    if host[name_ends..].contains(':') { host.to_owned() } else { format!("{host}:80") }
}

/// The first of the host's addresses that takes a connection.
fn reach(host: &str) -> std::io::Result<SocketAddr> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWER_WITHIN) {
            Ok(_) => return Ok(address),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_host_and_perhaps_a_path() {
        for (url, host, path) in [
            ("http://127.0.0.1:5000", "127.0.0.1:5000", ""),
            ("http://[::1]:5000/", "[::1]:5000", "/"),
            ("http://lobby.example/chat", "lobby.example", "/chat"),
        ] {
            assert_eq!(split(url), Ok((host, path)));
        }
        for url in ["", "127.0.0.1:5000", "http://", "http://a@b", "https://a", "ftp://a", "http://a?b"] {
            assert!(split(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_port_that_is_not_named_is_that_of_http() {
        for (host, whole) in [("a", "a:80"), ("a:1", "a:1"), ("[::1]", "[::1]:80"), ("[::1]:1", "[::1]:1")] {
            assert_eq!(with_port(host), whole);
        }
    }
}
