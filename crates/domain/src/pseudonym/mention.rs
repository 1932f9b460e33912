//! Names as people refer to them.

use super::{MAX_RAW_BYTES, PseudonymKey};

/// A name that somebody refers to, whether or not anybody has it, or could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    text: String,
    key: PseudonymKey,
}

impl Mention {
    /// `None` for a text that is longer than any name: nobody has it, and making its key would cost more than it is
    /// worth.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() <= MAX_RAW_BYTES).then(|| Self { text: text.to_owned(), key: PseudonymKey::of(text) })
    }

    /// What identifies it.
    #[must_use]
    pub fn key(&self) -> &PseudonymKey {
        &self.key
    }
}

impl std::fmt::Display for Mention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
