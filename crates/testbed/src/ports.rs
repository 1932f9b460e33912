//! Ports for servers that are about to start.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

/// Below the ports that systems give to outgoing connections, and below those that lobbies under test and under load listen to (from 20,000
/// on): none of them takes the port of a server that is about to start again.
const PORTS: std::ops::Range<u16> = 10_000..20_000;
/// How many ports are tried before giving up.
pub(crate) const PORT_ATTEMPTS: usize = 10;

pub(crate) fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..PORT_ATTEMPTS).map(|_| random_port()).find(free).expect("most ports are free")
}

/// Processes that start at once should not ask for the same one.
fn random_port() -> u16 {
    // Every `RandomState` has keys of its own.
    let random = RandomState::new().hash_one(());
    let offset = random % u64::from(PORTS.end - PORTS.start);
    PORTS.start + u16::try_from(offset).expect("smaller than the range of ports")
}
