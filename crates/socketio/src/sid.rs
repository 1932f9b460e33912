//! Identifiers of connections and sockets: the only place of this crate that asks for randomness.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::NodeName;

/// 144 bits: more than the 120 that make guessing hopeless, and a whole number of base64 digits.
const BYTES: usize = 18;

/// The digits of that many bytes.
const DIGITS: usize = BYTES / 3 * 4;

/// Between the name of a node and what is random. Neither has one.
const SEPARATOR: char = '.';

/// A fresh identifier of 24 characters, safe in a URL.
#[expect(clippy::disallowed_methods, reason = "identifiers are this crate's one use of randomness")]
pub(crate) fn fresh() -> String {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).expect("a server does not start on a system without a random source");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The same for a session of this node, whose name it begins with.
pub(crate) fn fresh_at(node: Option<&NodeName>) -> String {
    node.map_or_else(fresh, |node| format!("{node}{SEPARATOR}{}", fresh()))
}

/// The node that a session names, if it looks like the session of one.
pub(crate) fn node_of(sid: &str) -> Option<NodeName> {
    let (node, random) = sid.split_once(SEPARATOR)?;
    let node = NodeName::parse(node).ok()?;
    (random.len() == DIGITS).then_some(node)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_are_long_url_safe_and_never_the_same() {
        let all: HashSet<String> = (0..1_000).map(|_| fresh()).collect();
        assert_eq!(all.len(), 1_000);
        let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(all.iter().all(|sid| sid.len() == DIGITS && sid.chars().all(safe)));
    }

    #[test]
    fn a_session_names_its_node_and_is_as_random_as_any() {
        let node = NodeName::parse("node-1").unwrap();
        let all: HashSet<String> = (0..1_000).map(|_| fresh_at(Some(&node))).collect();
        assert_eq!(all.len(), 1_000);
        assert!(all.iter().all(|sid| node_of(sid).as_ref() == Some(&node)));
        assert!(all.iter().all(|sid| sid.len() == "node-1.".len() + DIGITS));
    }

    #[test]
    fn what_is_no_session_of_a_node_names_none() {
        let random = fresh();
        let without_node = fresh_at(None);
        let table = [&without_node, "", ".", "node-1", "node-1.", "node-1.short", &format!(".{random}")];
        for sid in table.into_iter().chain([&*format!("no de.{random}"), &format!("a.b.{random}")]) {
            assert_eq!(node_of(sid), None, "{sid}");
        }
    }
}
