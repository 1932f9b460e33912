use std::net::{IpAddr, Ipv6Addr};

use crate::session::SessionId;

/// Where somebody comes from: an IPv4 address, or the first 64 bits of an IPv6 address, which is the least that anybody is
/// given (RFC 6177), and of whose addresses they may use a new one each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(u128);

impl Place {
    /// The place of an address. One of IPv4 is the same however it is written.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().into()),
            IpAddr::V6(address) => Self(u128::from(address) & !u128::from(u64::MAX)),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Ipv6Addr::from(self.0).to_canonical() {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

/// Who acts: a session that was proved; or whoever speaks from one place as a session, and has shown nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder(u128);

impl Holder {
    /// Whoever has shown nothing, by a hash of place and session that is made with a secret of the process. No session's id is that
    /// small: they begin with a time.
    #[must_use]
    pub fn unproved(hash: u64) -> Self {
        Self(hash.into())
    }
}

impl From<SessionId> for Holder {
    fn from(session: SessionId) -> Self {
        Self(session.0.as_u128())
    }
}
