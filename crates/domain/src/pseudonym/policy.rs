//! Which names are allowed.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::{Pseudonym, PseudonymKey};

/// The most bytes of a name that is looked at; a longer one is refused before it costs anything. Far above
/// what any setting of the length allows, since a character has at most four bytes.
const MAX_RAW_BYTES: usize = 4_096;

/// Which names this lobby allows.
#[derive(Debug, Clone)]
pub struct NamePolicy {
    min_chars: usize,
    max_chars: usize,
    reserved: Vec<PseudonymKey>,
}

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPseudonym {
    /// Too short or too long, in characters after normalisation.
    #[error("a pseudonym has {min} to {max} characters, this one has {actual}")]
    Length {
        /// The fewest characters.
        min: usize,
        /// The most characters.
        max: usize,
        /// How many it has.
        actual: usize,
    },
    /// A character that names do not have.
    #[error(
        "a pseudonym has letters, marks, digits, '_', and '-' and '.' inside; this one has U+{:04X}", u32::from(*.0)
    )]
    Character(char),
    /// A character that names do not begin or end with.
    #[error("a pseudonym does not begin or end with '-' or '.', nor begin with a combining mark")]
    Edge,
    /// The same as a reserved name.
    #[error("this pseudonym is reserved")]
    Reserved,
}

impl NamePolicy {
    /// Names of `min_chars` to `max_chars` characters (Unicode scalar values) that are none of `reserved`.
    pub fn new<S: AsRef<str>>(
        min_chars: usize,
        max_chars: usize,
        reserved: impl IntoIterator<Item = S>,
    ) -> Self {
        let reserved = reserved.into_iter().map(|name| PseudonymKey::of(name.as_ref())).collect();
        Self { min_chars, max_chars, reserved }
    }

    /// Checks a name and normalises it.
    pub fn parse(&self, raw: &str) -> Result<Pseudonym, InvalidPseudonym> {
        if raw.len() > MAX_RAW_BYTES {
            return Err(self.wrong_length(raw.chars().count()));
        }
        let display = ComposingNormalizerBorrowed::new_nfc().normalize(raw).into_owned();
        let chars = display.chars().count();
        if !(self.min_chars..=self.max_chars).contains(&chars) {
            return Err(self.wrong_length(chars));
        }
        if let Some(bad) = display.chars().find(|&c| !is_inner(c)) {
            return Err(InvalidPseudonym::Character(bad));
        }
        if !display.starts_with(is_first) || display.ends_with(is_joiner) {
            return Err(InvalidPseudonym::Edge);
        }
        let key = PseudonymKey::of(&display);
        if self.reserved.iter().any(|reserved| reserved.matches(&key)) {
            return Err(InvalidPseudonym::Reserved);
        }
        Ok(Pseudonym { display, key })
    }

    fn wrong_length(&self, actual: usize) -> InvalidPseudonym {
        InvalidPseudonym::Length { min: self.min_chars, max: self.max_chars, actual }
    }
}

fn is_inner(c: char) -> bool {
    is_joiner(c) || c == '_' || (is_word(c) && !is_invisible(c))
}

fn is_first(c: char) -> bool {
    !is_joiner(c) && !GeneralCategoryGroup::Mark.contains(category(c))
}

fn is_joiner(c: char) -> bool {
    matches!(c, '-' | '.')
}

fn is_word(c: char) -> bool {
    let category = category(c);
    GeneralCategoryGroup::Letter.contains(category)
        || GeneralCategoryGroup::Mark.contains(category)
        || category == GeneralCategory::DecimalNumber
}

/// Some letters and marks are there to be not seen: Hangul fillers, variation selectors.
fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}
