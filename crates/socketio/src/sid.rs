//! Identifiers of connections and sockets: the only place of this crate that asks for randomness.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 144 bits: more than the 120 that make guessing hopeless, and a whole number of base64 digits.
const BYTES: usize = 18;

/// A fresh identifier of 24 characters, safe in a URL.
#[expect(clippy::disallowed_methods, reason = "identifiers are this crate's one use of randomness")]
pub(crate) fn fresh() -> String {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).expect("a server does not start on a system without a random source");
    URL_SAFE_NO_PAD.encode(bytes)
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
        assert!(all.iter().all(|sid| sid.len() == 24 && sid.chars().all(safe)));
    }
}
