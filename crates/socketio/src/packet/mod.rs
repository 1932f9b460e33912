//! Socket.IO packets of protocol v5: [`decode`] what clients send, [`assemble`] it with its binary
//! attachments, [`encode`] what the server sends.

pub(crate) mod assemble;
pub(crate) mod decode;
pub(crate) mod encode;

/// Names that mean something else on one of the two sides, so that nobody may emit them. Source: the list that the
/// reference's parser refuses.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The namespace that goes without saying in a packet.
pub(crate) const MAIN: &str = "/";

pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}
