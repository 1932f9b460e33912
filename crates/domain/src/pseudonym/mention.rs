//! Names as people refer to them.

use super::{MAX_RAW_BYTES, PseudonymKey};

/// A name that somebody refers to, whether or not anybody has it, or could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    text: String,
    key: PseudonymKey,
}

impl Mention {
    /// `None` for a text that is longer than any name, or has a control character: nobody has it. Making the key of a long
    /// one would cost more than it is worth, and not every database takes a NUL.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let can_be_a_name = text.len() <= MAX_RAW_BYTES && !text.contains(char::is_control);
        can_be_a_name.then(|| Self { text: text.to_owned(), key: PseudonymKey::of(text) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_nobodys_name_is_not_looked_up() {
        assert!(Mention::parse("JohnDoe").is_some() && Mention::parse("John Doe!").is_some());
        for nobody in ["a\0b", "a\nb", "\u{1b}[31m", &"x".repeat(MAX_RAW_BYTES + 1)] {
            assert_eq!(Mention::parse(nobody), None);
        }
    }
}
