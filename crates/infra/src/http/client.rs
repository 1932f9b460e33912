//! From where a request comes: the address of the other end, or the one that a proxy says, if it is one of those that may.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use ipnet::{IpNet, Ipv4Net};

use crate::cluster::is_relayed;
use crate::seldom::Seldom;

/// The most hops that are looked at: nobody has more proxies, but anybody may send more.
const MOST_HOPS: usize = 32;

/// How often the operator is told of a proxy that is not trusted. Any client can look like one, so once ever would be used up before a
/// proxy is set up, and each time would fill the log.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// The header in which proxies say for whom they ask. Only one is looked at: clients can send the other, which
/// a proxy that knows nothing of it passes on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: client, proxy, proxy`
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy` (RFC 7239)
    Forwarded,
}

/// Which proxies are believed. Clones share it.
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    header: ForwardedHeader,
    /// When the operator is told that a proxy is not among them.
    strangers: Arc<Seldom>,
}

impl TrustedProxies {
    /// Those in these networks.
    #[must_use]
    pub fn new(networks: &[IpNet], header: ForwardedHeader) -> Self {
        Self {
            networks: networks.iter().map(canonical).collect(),
            header,
            strangers: Arc::new(Seldom::new(TOLD_EVERY)),
        }
    }

    /// From where a request really comes that `peer` has sent: the last hop that is no proxy of ours. What hops before it have
    /// said is not believed; where one of ours says what is no address, nobody knows, and it is the peer.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let hops = match self.header {
            ForwardedHeader::XForwardedFor => hops(list(headers, &X_FORWARDED_FOR).rsplit(',').map(address)),
            ForwardedHeader::Forwarded => hops(parts(&list(headers, &FORWARDED), b',').into_iter().map(node)),
        };
        let mut furthest = peer;
        for hop in hops {
            let Some(address) = hop else { return peer };
            if !self.trusts(address) {
                return address;
            }
            furthest = address;
        }
        furthest
    }

    /// Whether it is one of those networks'.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// A proxy in front that is not among ours makes one address of all who come through it: its operator should know.
    fn tell_of_strangers(&self, peer: IpAddr, headers: &HeaderMap) {
        let forwards = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
        if !forwards || self.trusts(peer) {
            return;
        }
        if let Some(times) = self.strangers.happens() {
            tracing::warn!(
                %peer,
                times,
                "says for whom it asks, and is not among limits.trusted_proxies: if it is a proxy, all who come through it \
                 count as one address"
            );
        }
    }
}

/// A network of IPv4 addresses that is written as one of IPv6 (RFC 4291 §2.5.5.2) is that of the former.
fn canonical(network: &IpNet) -> IpNet {
    let IpAddr::V4(address) = network.addr().to_canonical() else { return *network };
    let length = if network.addr().is_ipv6() { network.prefix_len().checked_sub(96) } else { None };
    length.and_then(|length| Ipv4Net::new(address, length).ok()).map_or(*network, IpNet::V4)
}

/// Puts the client's address in the place of a trusted proxy's. What another node passes on has it already.
pub async fn guard(
    proxies: web::Data<TrustedProxies>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Some(peer) = request.peer_addr().filter(|_| !is_relayed(request.request())) {
        proxies.tell_of_strangers(peer.ip(), request.headers());
        let client = proxies.client(peer.ip(), request.headers());
        if client != peer.ip() {
            // Nobody knows the port that it has there.
            request.head_mut().peer_addr = Some(SocketAddr::new(client, 0));
        }
    }
    next.call(request).await
}

/// All values of a header, joined as one list. What is no text is no address either, and takes nothing from what stands behind it.
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>().join(",")
}

/// The hops that are looked at, the last one first; one that has no address is `None`.
fn hops(all: impl Iterator<Item = Option<IpAddr>>) -> Vec<Option<IpAddr>> {
    all.take(MOST_HOPS).collect()
}

/// What stands between separators that are not in quotes, the last part first. Quotes are paired from the end, where our own proxies
/// have written: a client that leaves one open in front of that changes nothing of it.
fn parts(text: &str, separator: u8) -> Vec<&str> {
    let bytes = text.as_bytes();
    let is_escaped = |at: usize| bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let (mut parts, mut end, mut is_quoted) = (Vec::new(), text.len(), false);
    for at in (0..text.len()).rev() {
        if bytes[at] == b'"' && !is_escaped(at) {
            is_quoted = !is_quoted;
        } else if bytes[at] == separator && !is_quoted {
            parts.push(&text[at + 1..end]);
            end = at;
        }
    }
    parts.push(&text[..end]);
    parts
}

/// An address, with or without a port, as proxies write it.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// The address behind `for=` of an element of `Forwarded`; `unknown` and obfuscated ones have none (RFC 7239 §6).
fn node(element: &str) -> Option<IpAddr> {
    let pairs = parts(element, b';').into_iter().filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs
        .map(|(key, value)| (key.trim(), value.trim()))
        .find(|(key, _)| key.eq_ignore_ascii_case("for"))?;
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    address(unquoted.unwrap_or(value))
}

#[cfg(test)]
mod tests;
