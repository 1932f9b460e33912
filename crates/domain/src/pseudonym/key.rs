//! Which names are the same.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use unicode_security::skeleton;

/// What must be unique among the names in use.
///
/// Two names are the same if they differ only in case, or only in characters that look alike, or in both. None of
/// these relations follows from the others, and together they do not make one (`Ian` is `ian` in other case and
/// looks like `lan`, but `ian` and `lan` are two names), hence three keys, each unique by itself.
///
/// Source: Unicode TS 39 §4 (skeleton), Unicode Standard §3.13 (case folding), UAX 15 (NFKC).
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
        let compatible = ComposingNormalizerBorrowed::new_nfkc().normalize(name);
        let in_ascii: String = compatible.chars().map(ascii_look).collect();
        // Folding makes new look-alikes: the small form of `M` looks like `rn`. So looks are taken last of all.
        Self {
            folded: look(&fold(&compatible)),
            lookalike: look(&fold(&look(&compatible))),
            crossed: look(&fold(&in_ascii)),
        }
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
