//! Which names are allowed.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, SoftDotted};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::{MAX_RAW_BYTES, Pseudonym, PseudonymKey};

/// The most marks in a row (Unicode TS 39 §5.4).
const MAX_MARKS: usize = 4;

/// Letters and marks that show nothing, or nothing of their own, and that Unicode does not call ignorable: Egyptian and
/// Khitan blanks, and the strokes that only make Arabic and N'Ko words longer.
const BLANKS: [char; 5] = ['\u{13441}', '\u{13442}', '\u{16fe4}', '\u{640}', '\u{7fa}'];

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
    /// Marks that cannot be told from others, or from none.
    #[error(
        "a pseudonym has at most {MAX_MARKS} combining marks in a row, none twice, and no dot above a dotted letter"
    )]
    Marks,
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
        if has_hidden_marks(&display) {
            return Err(InvalidPseudonym::Marks);
        }
        let key = PseudonymKey::of(&display);
        if self.reserved.iter().any(|reserved| reserved.matches(&key)) {
            return Err(InvalidPseudonym::Reserved);
        }
        Ok(Pseudonym { display, key: key.into() })
    }

    fn wrong_length(&self, actual: usize) -> InvalidPseudonym {
        InvalidPseudonym::Length { min: self.min_chars, max: self.max_chars, actual }
    }
}

fn is_inner(c: char) -> bool {
    is_joiner(c) || c == '_' || (is_word(c) && !is_invisible(c))
}

fn is_first(c: char) -> bool {
    !is_joiner(c) && !is_mark(c)
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

/// Some letters and marks are there to be not seen: Hangul fillers, variation selectors, blanks.
fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c) || BLANKS.contains(&c)
}

/// Unicode TS 39 §5.4: marks that are drawn over each other, or over what is there already.
fn has_hidden_marks(name: &str) -> bool {
    const DOT_ABOVE: char = '\u{307}';
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(name);
    let (mut base, mut previous, mut marks) = (None, None, 0);
    for c in decomposed.chars() {
        if is_mark(c) {
            marks += 1;
            let dots_a_dot = c == DOT_ABOVE && base.is_some_and(is_soft_dotted);
            if marks > MAX_MARKS || previous == Some(c) || dots_a_dot {
                return true;
            }
        } else {
            (base, marks) = (Some(c), 0);
        }
        previous = Some(c);
    }
    false
}

fn is_soft_dotted(c: char) -> bool {
    CodePointSetData::new::<SoftDotted>().contains(c)
}

fn is_mark(c: char) -> bool {
    GeneralCategoryGroup::Mark.contains(category(c))
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}
