//! Which names are the same.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use unicode_security::skeleton;

/// What must be unique among the names in use.
///
/// Two names are the same if they differ only in case, or only in characters that look alike. Neither
/// relation follows from the other, and together they do not make one (`Ian` is `ian` in other case and looks
/// like `lan`, but `ian` and `lan` are two names), hence two keys, each unique by itself.
///
/// Source: Unicode TS 39 §4 (skeleton), Unicode Standard §3.13 (case folding), UAX 15 (NFKC).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PseudonymKey {
    folded: String,
    lookalike: String,
}

impl PseudonymKey {
    /// The key of a name, allowed or not.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let compatible = ComposingNormalizerBorrowed::new_nfkc().normalize(name);
        let fold = |text: &str| CaseMapper::new().fold_string(text).into_owned();
        let look = |text: &str| skeleton(text).collect::<String>();
        // Each step may make what the other one knows: a Cyrillic `М` looks like `M`, whose small form `m`
        // looks like `rn`. So looks are taken before and after folding.
        Self { folded: look(&fold(&compatible)), lookalike: look(&fold(&look(&compatible))) }
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

    /// Whether these are one name.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.folded == other.folded || self.lookalike == other.lookalike
    }
}
