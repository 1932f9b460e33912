//! Sessions that another node serves: the requests of one client may land on any of several servers.

use std::fmt;
use std::pin::Pin;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

/// The longest name that a node may have: every sid begins with it.
const LONGEST_NAME: usize = 32;

/// The name of a server among several that serve the same clients: 1 to 32 ASCII letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeName(String);

/// A name that no node can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a node's name is 1 to {LONGEST_NAME} ASCII letters, digits, '-' and '_'")]
pub struct InvalidNodeName;

impl NodeName {
    /// Takes a name that a node may have.
    pub fn parse(name: impl Into<String>) -> Result<Self, InvalidNodeName> {
        let name = name.into();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_good = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(fits);
        if is_good { Ok(Self(name)) } else { Err(InvalidNodeName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request whose session another node serves. It has passed [`Config::allow_request`](crate::Config::allow_request) and is
/// one that goes on with a session: a poll, a POST, or a WebSocket that would take over.
pub struct Passed<'a> {
    /// The node that the session names.
    pub node: NodeName,
    /// Method, path, query, headers and address of the client.
    pub request: &'a HttpRequest,
    /// What comes behind the headers.
    pub body: PassedBody,
}

/// What comes behind the headers of a request that is passed on.
pub enum PassedBody {
    /// All of it, within the bounds of [`Config`](crate::Config). Empty for a poll.
    Whole(Bytes),
    /// A WebSocket handshake: from the answer 101 on, these are the bytes that the client sends, and the body of the answer
    /// those that it is sent. Whoever does not read on holds the client back; the end of either should be that of both.
    Upgrade(web::Payload),
}

/// What comes of passing a request on.
pub type PassedOn<'a> = Pin<Box<dyn Future<Output = Option<HttpResponse>> + 'a>>;

/// How requests reach the node that serves their session, where a load balancer does not see to that.
///
/// The receiving node treats what it is passed as if the client had sent it there: it has to be the same method, path and query,
/// the same body, and the headers that the application looks at, `Authorization` among them. Two things are up to the
/// implementation: that a request is passed on once, and not in circles; and that nobody else can pass requests on.
pub trait Elsewhere: Send + Sync {
    /// Passes a request on and gives back that node's answer, which the client gets. `None` if that cannot be done: the client
    /// is told that its session is unknown, upon which it opens a new one.
    ///
    /// A request that may have arrived MUST NOT be sent again: the packets of a POST would count twice, and those that answered
    /// a poll would be lost without a trace. `None` ends the session for the client in such a case too; on the other node it
    /// should be closed, if that can be reached, as a POST of the packet `1` does.
    fn pass_on<'a>(&'a self, passed: Passed<'a>) -> PassedOn<'a>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_into_urls_and_cookies_as_it_is() {
        for name in ["a", "node-1", "Node_2", &"x".repeat(32)] {
            assert_eq!(NodeName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "a.b", "a b", "a&b", "é", "a/b", &"x".repeat(33)] {
            assert_eq!(NodeName::parse(name), Err(InvalidNodeName), "{name}");
        }
    }
}
