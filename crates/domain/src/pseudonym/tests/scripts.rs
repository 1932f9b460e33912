//! Names as people have them, and what they are made of.

use rstest::rstest;

use super::*;

#[rstest]
#[case::cyrillic("Фёдор")]
#[case::greek("Ελένη")]
#[case::armenian("Արմեն")]
#[case::georgian("გიორგი")]
#[case::cherokee("ᏣᎳᎩ")]
#[case::small_cherokee("ꮳꮃꭹ")]
#[case::ethiopic("ሰላም")]
#[case::hebrew_with_points("שָׁלוֹם")]
#[case::arabic_with_vowels("مُحَمَّد")]
#[case::persian("کیانوش")]
#[case::persian_without_joining_controls("میخواهم")]
#[case::arabic_digits("علی٤٢")]
#[case::persian_digits("علی۴۲")]
#[case::latin_beside_hebrew("דוד_david-2")]
#[case::devanagari("क्षितिज")]
#[case::devanagari_digits("राम१२")]
#[case::bengali("রবীন্দ্রনাথ")]
#[case::tamil("நந்தினி")]
#[case::malayalam_with_chillu("ഉണ്ണിക്കൃഷ്ണൻ")]
#[case::sinhala("සුනිල්")]
#[case::thai_with_two_marks("ยิ่งลักษณ์")]
#[case::lao("ສົມສັກ")]
#[case::khmer("សុខា")]
#[case::burmese_with_five_marks("မြွှေ့")]
#[case::burmese("ကျွန်တော်")]
#[case::tibetan_stacks("བསྒྲུབས")]
#[case::mongolian("ᠪᠠᠲᠤ")]
#[case::hangul("한글")]
#[case::hiragana("ひらがな")]
#[case::long_vowel("スーパー")]
#[case::han_beyond_the_first_plane("𠮷野")]
#[case::nko("ߒߞߏ")]
#[case::gothic("𐌲𐌿𐍄")]
#[case::okina("oʻkina")]
#[case::letter_apostrophe("оʼконнор")]
#[case::two_marks("Nguyễn")]
#[case::four_marks("Zox\u{323}\u{302}\u{301}\u{304}")]
#[case::sharp_s("Weiß")]
#[case::dotless_i("ışık")]
#[case::cyrillic_among_latin("Яndex")]
#[case::javascript_prototype("__proto__")]
#[case::javascript_constructor("constructor")]
#[case::null("null")]
#[case::not_a_number("NaN")]
#[case::underscores_alone("__")]
#[case::doubled_joiners("a--b..c.-d")]
#[case::digits_and_a_joiner("1.2")]
fn names_of_all_scripts_are_allowed_and_kept(#[case] name: &str) {
    assert_eq!(policy().parse(name).map(|p| p.to_string()), Ok(name.to_owned()));
}

/// What is typed becomes its canonical form, and nothing else.
#[rstest]
#[case::kelvin("\u{212a}elvin", "Kelvin")]
#[case::angstrom("\u{212b}ngström", "Ångström")]
#[case::ohm("\u{2126}mega", "Ωmega")]
#[case::jamo("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}", "한글")]
#[case::marks_in_another_order("e\u{307}\u{323}x", "ẹ\u{307}x")]
#[case::halfwidth_stays("ｶﾀ", "ｶﾀ")]
#[case::fullwidth_stays("Ｊｏｈｎ", "Ｊｏｈｎ")]
#[case::ligature_stays("ﬁle", "ﬁle")]
#[case::arabic_presentation_forms_stay("ﻣﺤﻤﺪ", "ﻣﺤﻤﺪ")]
#[case::compatible_han("\u{f900}x", "豈x")]
fn a_name_is_kept_in_its_canonical_form(#[case] typed: &str, #[case] kept: &str) {
    assert_eq!(policy().parse(typed).map(|p| p.to_string()), Ok(kept.to_owned()));
}

/// Characters are counted when they are composed.
#[rstest]
#[case::composed_to_one("e\u{308}", Err(length(1)))]
#[case::composed_to_two("e\u{308}e", Ok(2))]
#[case::composed_to_the_most(&"e\u{308}".repeat(32), Ok(32))]
#[case::composed_to_one_more(&"e\u{308}".repeat(33), Err(length(33)))]
#[case::syllables_of_jamo(&"\u{1112}\u{1161}\u{11ab}".repeat(32), Ok(32))]
#[case::what_is_never_composed(&"\u{958}".repeat(16), Ok(32))]
#[case::what_is_never_composed_once_more(&"\u{958}".repeat(17), Err(length(34)))]
#[case::four_bytes_each(&"𠮷".repeat(32), Ok(32))]
#[case::four_bytes_each_once_more(&"𠮷".repeat(33), Err(length(33)))]
fn length_is_that_of_the_canonical_form(
    #[case] typed: &str,
    #[case] outcome: Result<usize, InvalidPseudonym>,
) {
    assert_eq!(policy().parse(typed).map(|p| p.as_str().chars().count()), outcome);
}
