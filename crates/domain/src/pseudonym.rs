//! Names: which are allowed, and which are the same.
//!
//! | name | verdict |
//! | --- | --- |
//! | `JohnDoe`, `_x_`, `Zoë`, `李明`, `a.b-c`, 32 characters | allowed |
//! | empty, one character, 33 characters | [`InvalidPseudonym::Length`] |
//! | `John Doe`, `a@b`, 🎉, zero-width, bidirectional and control characters | [`InvalidPseudonym::Character`] |
//! | `.x`, `x-`, a combining mark first | [`InvalidPseudonym::Edge`] |
//! | more than four marks in one place, one twice, a dot above `i` | [`InvalidPseudonym::Marks`] |
//! | `admin`, `Admin`, `аdmin` with a Cyrillic `а`, `ADMlN` with a small `l` | [`InvalidPseudonym::Reserved`] |

use std::sync::OnceLock;

mod class;
mod key;
mod mention;
mod policy;
#[cfg(test)]
mod tests;

pub use key::PseudonymKey;
pub use mention::Mention;
pub use policy::{InvalidPseudonym, NamePolicy};

/// The most bytes of a name that is looked at: what 255 characters, the longest that settings allow, can take. Keys
/// are made by tables that blow some characters up to 18, so a longer text is refused before it costs anything.
const MAX_RAW_BYTES: usize = 1_024;

/// A name as its holder writes it (NFC), with the key that decides which other names are the same.
///
/// Made by [`NamePolicy::parse`].
#[derive(Debug, Clone)]
pub struct Pseudonym {
    display: String,
    /// Made when it is first asked for: it costs some microseconds, and a message's sender is only shown.
    key: OnceLock<PseudonymKey>,
}

impl Pseudonym {
    /// What comes out of storage, where only parsed names go in. The key is computed anew, so that nothing
    /// can disagree with the display form.
    #[must_use]
    pub fn from_stored(display: String) -> Self {
        Self { display, key: OnceLock::new() }
    }

    /// The display form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.display
    }

    /// What must be unique.
    #[must_use]
    pub fn key(&self) -> &PseudonymKey {
        self.key.get_or_init(|| PseudonymKey::of(&self.display))
    }
}

/// Display forms are compared: for "the same name" compare keys with [`PseudonymKey::matches`].
impl PartialEq for Pseudonym {
    fn eq(&self, other: &Self) -> bool {
        self.display == other.display
    }
}

impl Eq for Pseudonym {}

impl std::fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.display)
    }
}
