//! Which names are the same.

use std::sync::LazyLock;

use icu_casemap::CaseMapper;
use icu_normalizer::DecomposingNormalizerBorrowed;
use unicode_security::skeleton;

use super::class::{DOT_ABOVE, is_mark, is_soft_dotted};

const SMALL_CAPITALS: [(char, char); 25] = [
    ('ᴀ', 'A'),
    ('ʙ', 'B'),
    ('ᴄ', 'C'),
    ('ᴅ', 'D'),
    ('ᴇ', 'E'),
    ('ꜰ', 'F'),
    ('ɢ', 'G'),
    ('ʜ', 'H'),
    ('ɪ', 'I'),
    ('ᴊ', 'J'),
    ('ᴋ', 'K'),
    ('ʟ', 'L'),
    ('ᴍ', 'M'),
    ('ɴ', 'N'),
    ('ᴏ', 'O'),
    ('ᴘ', 'P'),
    ('ꞯ', 'Q'),
    ('ʀ', 'R'),
    ('ꜱ', 'S'),
    ('ᴛ', 'T'),
    ('ᴜ', 'U'),
    ('ᴠ', 'V'),
    ('ᴡ', 'W'),
    ('ʏ', 'Y'),
    ('ᴢ', 'Z'),
];

/// What must be unique among the names in use.
///
/// Two names are the same if they differ only in case, or only in characters that look alike, or in both. None of
/// these relations follows from the others, and together they do not make one (`Ian` is `ian` in other case and
/// looks like `lan`, but `ian` and `lan` are two names), hence three keys, each unique by itself.
///
/// Source: Unicode TS 39 §4 (skeleton), Unicode Standard §3.13 (case folding), UAX 15 (NFKD).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PseudonymKey {
    folded: String,
    lookalike: String,
    crossed: String,
}

impl PseudonymKey {
    /// The key of a name, allowed or not.
    #[must_use]
    pub fn of(name: &str) -> Self {
        if name.bytes().all(is_plain) { Self::of_plain(name) } else { Self::of_any(name) }
    }

    fn of_any(name: &str) -> Self {
        let compatible = DecomposingNormalizerBorrowed::new_nfkd().normalize(name);
        let compatible: String = compatible.chars().map(full_size).collect();
        let in_ascii: String = compatible.chars().map(ascii_look).collect();
        // Folding makes new look-alikes: the small form of `M` looks like `rn`. So looks are taken last of all.
        Self {
            folded: last_look(&fold(&compatible)),
            lookalike: last_look(&fold(&look(&compatible))),
            crossed: last_look(&fold(&in_ascii)),
        }
    }

    /// The same: most names are of ASCII letters, and every message has one. There is nothing to be decomposed, and each
    /// character looks like others of ASCII.
    fn of_plain(name: &str) -> Self {
        let folded = plain_look(&name.to_ascii_lowercase());
        let lookalike = plain_look(&plain_look(name).to_ascii_lowercase());
        Self { crossed: folded.clone(), folded, lookalike }
    }

    /// Equal for names that differ in case, or in look-alikes of their small letters.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Equal for names that look alike as they are written, or in other case then.
    #[must_use]
    pub fn lookalike(&self) -> &str {
        &self.lookalike
    }

    /// Equal for names that differ in case where letters of other scripts stand for ASCII ones, in any mixture:
    /// `МIKE` with a Cyrillic `М` is `mike`.
    #[must_use]
    pub fn crossed(&self) -> &str {
        &self.crossed
    }

    /// Whether these are one name.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.folded == other.folded || self.lookalike == other.lookalike || self.crossed == other.crossed
    }
}

fn fold(text: &str) -> String {
    CaseMapper::new().fold_string(text).into_owned()
}

fn look(text: &str) -> String {
    skeleton(text).collect()
}

/// What of ASCII a name may have.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn plain_look(text: &str) -> String {
    static LOOKS: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..=127_u8).map(|byte| look(&char::from(byte).to_string())).collect());

    text.bytes().map(|byte| LOOKS[usize::from(byte)].as_str()).collect()
}

/// The look, without dots above letters that have one: `İ` in small letters is an `i` and a dot above.
fn last_look(text: &str) -> String {
    let mut base = None;
    let mut is_seen = |c: char| {
        base = if is_mark(c) { base } else { Some(c) };
        c != DOT_ABOVE || !base.is_some_and(is_soft_dotted)
    };
    skeleton(text).filter(|c| is_seen(*c)).collect()
}

/// The capital letter that a small one is drawn as: of Cherokee all are, and of Latin there are some for phonetics,
/// which Unicode TS 39 knows as look-alikes of nothing.
fn full_size(c: char) -> char {
    if matches!(c, '\u{13f8}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}') {
        return CaseMapper::new().simple_fold(c);
    }
    SMALL_CAPITALS.iter().find(|(small, _)| *small == c).map_or(c, |(_, capital)| *capital)
}

/// What a character of another script looks like, while letters that are ASCII already keep their case: `I` and
/// `l` look alike, but `Ian` is `ian`.
fn ascii_look(c: char) -> String {
    let own = c.to_string();
    if c.is_ascii() {
        return own;
    }
    match look(&own).as_str() {
        // Of all that looks like `l`, capital letters are told apart by their small forms.
        "l" => look(&fold(&own)),
        looks => looks.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn the_short_way_for_plain_names_makes_the_same_key(name in "[a-zA-Z0-9_.-]{0,40}") {
            prop_assert_eq!(PseudonymKey::of_plain(&name), PseudonymKey::of_any(&name));
        }
    }

    #[test]
    fn the_short_way_knows_every_plain_character() {
        for byte in (0..=u8::MAX).filter(|byte| is_plain(*byte)) {
            let name = char::from(byte).to_string();
            assert_eq!(PseudonymKey::of_plain(&name), PseudonymKey::of_any(&name), "{name}");
        }
    }
}
