use std::fmt;
use std::str::FromStr;

use actix_socketio::NodeName;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Uri;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use lobby_domain::presence::NodeId;

/// How much of a node's id its name has: with some 60 random bits no two nodes that are up have the same.
const NAME_BYTES: usize = 8;

/// Where the other nodes reach a node: over HTTP, at a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Authority);

/// A text that says nothing of the kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no address such as 'http://10.0.0.5:5000', without a path")]
pub struct InvalidAddress(String);

impl Address {
    /// The URI of what is at a node.
    pub(super) fn at(&self, target: PathAndQuery) -> Uri {
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(self.0.clone()).path_and_query(target);
        uri.build().expect("these are all parts of a URI")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let authority =
            text.strip_prefix("http://").and_then(|authority| authority.parse::<Authority>().ok());
        let is_bare = |authority: &Authority| {
            !authority.host().is_empty()
                && authority.port_u16().is_some()
                && !authority.as_str().contains('@')
        };
        authority.filter(is_bare).map(Self).ok_or_else(|| InvalidAddress(text.to_owned()))
    }
}

/// What the sids of a node begin with.
///
/// # Panics
/// Never: what is made of an id fits.
#[must_use]
pub fn name_of(node: NodeId) -> NodeName {
    let name = URL_SAFE_NO_PAD.encode(&node.0.as_bytes()[..NAME_BYTES]);
    NodeName::parse(name).expect("a few digits of base64url are a name")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["http://10.0.0.5:5000", "http://node-1.example:80", "http://[::1]:5000"] {
            let uri = good.parse::<Address>().expect(good).at(PathAndQuery::from_static("/a?b=c"));
            assert_eq!(uri.to_string(), format!("{good}/a?b=c"));
        }
        for bad in
            ["", "10.0.0.5:5000", "https://10.0.0.5:5000", "http://10.0.0.5", "http://:5000", "http://a:1/b"]
        {
            assert_eq!(bad.parse::<Address>(), Err(InvalidAddress(bad.to_owned())));
        }
        assert!("http://somebody@10.0.0.5:5000".parse::<Address>().is_err());
    }

    #[test]
    fn nodes_have_names_of_their_own() {
        let one = name_of(NodeId(Uuid::from_u128(1 << 127)));
        assert_eq!(one.as_str(), "gAAAAAAAAAA");
        assert_ne!(one, name_of(NodeId(Uuid::from_u128(1 << 126))));
    }
}
