//! Which names are allowed.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::class::{DOT_ABOVE, is_invisible, is_mark, is_nonspacing, is_soft_dotted, is_word};
use super::{MAX_RAW_BYTES, Pseudonym, PseudonymKey};

/// The most nonspacing marks in a row (Unicode TS 39 §5.4).
const MAX_MARKS: usize = 4;

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
        "a pseudonym has at most {MAX_MARKS} combining marks in one place, none twice, and no dot above 'i' or its like"
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
        let reserved = reserved.into_iter().flat_map(|name| keys_in_every_case(name.as_ref())).collect();
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

/// How a reserved name may be written: `ADMlN` looks like `ADMIN`, but not like `admin`.
fn keys_in_every_case(name: &str) -> [PseudonymKey; 3] {
    let title = name.chars().take(1).flat_map(char::to_uppercase).chain(name.chars().skip(1)).collect();
    [name.to_owned(), name.to_uppercase(), title].map(|written| PseudonymKey::of(&written))
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

/// Unicode TS 39 §5.4: marks that are drawn over each other, or over what is there already. Those that take room of their
/// own, as many of Burmese do, can be seen in any number.
fn has_hidden_marks(name: &str) -> bool {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(name);
    let (mut base, mut previous, mut stack) = (None, None, Vec::new());
    for c in decomposed.chars() {
        if !is_mark(c) {
            (base, previous) = (Some(c), None);
            stack.clear();
            continue;
        }
        let dots_a_dot = c == DOT_ABOVE && base.is_some_and(has_or_lacks_a_dot);
        if dots_a_dot || previous == Some(c) || stack.contains(&c) || stack.len() == MAX_MARKS {
            return true;
        }
        if is_nonspacing(c) {
            stack.push(c);
        }
        previous = Some(c);
    }
    false
}

/// A dot above makes nothing new of `i`, and of `ı` an `i`.
fn has_or_lacks_a_dot(c: char) -> bool {
    is_soft_dotted(c) || matches!(c, 'ı' | 'ȷ')
}
