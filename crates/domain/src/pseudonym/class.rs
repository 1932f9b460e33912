//! What kind of character something is.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, SoftDotted};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Combining dot above.
pub(super) const DOT_ABOVE: char = '\u{307}';

/// Letters and marks that show nothing, or nothing of their own, and that Unicode does not call ignorable: Egyptian and
/// Khitan blanks, and the strokes that only make Arabic and N'Ko words longer.
const BLANKS: [char; 5] = ['\u{13441}', '\u{13442}', '\u{16fe4}', '\u{640}', '\u{7fa}'];

/// Letters, decimal digits, and the marks that Unicode's identifiers have (UAX 31): not those that are drawn around a
/// character.
pub(super) fn is_word(c: char) -> bool {
    let category = category(c);
    let is_mark = is_mark(c) && category != GeneralCategory::EnclosingMark;
    is_mark || GeneralCategoryGroup::Letter.contains(category) || category == GeneralCategory::DecimalNumber
}

/// Some letters and marks are there to be not seen: Hangul fillers, variation selectors, blanks.
pub(super) fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c) || BLANKS.contains(&c)
}

pub(super) fn is_mark(c: char) -> bool {
    GeneralCategoryGroup::Mark.contains(category(c))
}

/// A mark that takes no room of its own: any number of them stand in one place.
pub(super) fn is_nonspacing(c: char) -> bool {
    category(c) == GeneralCategory::NonspacingMark
}

/// Letters whose dot gives way to a mark above them.
pub(super) fn is_soft_dotted(c: char) -> bool {
    CodePointSetData::new::<SoftDotted>().contains(c)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}
