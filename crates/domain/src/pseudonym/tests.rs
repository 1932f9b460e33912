use proptest::prelude::*;
use rstest::rstest;

use super::*;

mod likeness;
mod properties;
mod scripts;
mod tricks;

fn policy() -> NamePolicy {
    NamePolicy::new(2, 32, ["admin", "moderator", "system"])
}

fn length(actual: usize) -> InvalidPseudonym {
    InvalidPseudonym::Length { min: 2, max: 32, actual }
}

#[rstest]
#[case::plain("JohnDoe")]
#[case::underscores("_x_")]
#[case::accent("Zoë")]
#[case::han("李明")]
#[case::joiners_inside("a.b-c")]
#[case::digits("42")]
#[case::turkish("İbrahim")]
#[case::vietnamese("Nguyễn")]
#[case::doubled_letters("Anna")]
#[case::arabic("محمد")]
#[case::devanagari_marks("हिन्दी")]
#[case::longest("abcdefghijklmnopqrstuvwxyz012345")]
#[case::longest_of_four_bytes(&"𐐀".repeat(32))]
fn a_good_name_is_allowed_and_kept_as_written(#[case] name: &str) {
    assert_eq!(policy().parse(name).map(|p| p.as_str().to_owned()), Ok(name.to_owned()));
}

#[rstest]
#[case::empty("", length(0))]
#[case::one("x", length(1))]
#[case::too_long(&"x".repeat(33), length(33))]
#[case::huge(&"x".repeat(1_000_000), length(1_000_000))]
#[case::space("John Doe", InvalidPseudonym::Character(' '))]
#[case::markup("<b>", InvalidPseudonym::Character('<'))]
#[case::emoji("a🎉", InvalidPseudonym::Character('🎉'))]
#[case::superscript("x²", InvalidPseudonym::Character('²'))]
#[case::zero_width_space("Jo\u{200b}hn", InvalidPseudonym::Character('\u{200b}'))]
#[case::zero_width_joiner("Jo\u{200d}hn", InvalidPseudonym::Character('\u{200d}'))]
#[case::soft_hyphen("Jo\u{ad}hn", InvalidPseudonym::Character('\u{ad}'))]
#[case::right_to_left_override("Jo\u{202e}hn", InvalidPseudonym::Character('\u{202e}'))]
#[case::isolate("Jo\u{2066}hn", InvalidPseudonym::Character('\u{2066}'))]
#[case::hangul_filler("Jo\u{3164}hn", InvalidPseudonym::Character('\u{3164}'))]
#[case::variation_selector("Jo\u{fe0f}hn", InvalidPseudonym::Character('\u{fe0f}'))]
#[case::nul("Jo\0hn", InvalidPseudonym::Character('\0'))]
#[case::newline("John\n", InvalidPseudonym::Character('\n'))]
#[case::private_use("Jo\u{e000}", InvalidPseudonym::Character('\u{e000}'))]
#[case::dot_first(".x", InvalidPseudonym::Edge)]
#[case::dash_last("x-", InvalidPseudonym::Edge)]
#[case::mark_first("\u{0301}x", InvalidPseudonym::Edge)]
#[case::egyptian_blank("John\u{13441}", InvalidPseudonym::Character('\u{13441}'))]
#[case::khitan_filler("John\u{16fe4}", InvalidPseudonym::Character('\u{16fe4}'))]
#[case::tatweel("محمد\u{640}", InvalidPseudonym::Character('\u{640}'))]
#[case::dot_above_i("admi\u{307}n", InvalidPseudonym::Marks)]
#[case::mark_twice("Zoe\u{308}\u{308}", InvalidPseudonym::Marks)]
#[case::five_marks("Zoe\u{308}\u{301}\u{300}\u{302}\u{303}", InvalidPseudonym::Marks)]
#[case::reserved("admin", InvalidPseudonym::Reserved)]
#[case::reserved_in_both_at_once("adМIn", InvalidPseudonym::Reserved)]
#[case::reserved_in_other_case("ADMIN", InvalidPseudonym::Reserved)]
#[case::reserved_with_cyrillic("аdmin", InvalidPseudonym::Reserved)]
#[case::reserved_in_full_width("ａｄｍｉｎ", InvalidPseudonym::Reserved)]
fn a_bad_name_is_refused_with_the_reason(#[case] name: &str, #[case] why: InvalidPseudonym) {
    assert_eq!(policy().parse(name), Err(why));
}

#[rstest]
#[case::case("JohnDoe", "johndoe")]
#[case::cyrillic("JohnDoe", "ЈоhnDое")]
#[case::cyrillic_in_other_case("JohnDoe", "јоhndое")]
#[case::greek_capitals("HANS", "ΗΑΝS")]
#[case::greek_capitals_in_other_case("hans", "ΗΑΝS")]
#[case::cyrillic_capital("mike", "Мike")]
#[case::case_and_cyrillic_at_once("mike2", "МIKE2")]
#[case::cyrillic_capitals_throughout("mike", "МІКЕ")]
#[case::greek_in_other_case("ΗΛΙΑΣ", "ηλιας")]
#[case::full_width("john", "ｊｏｈｎ")]
#[case::decomposed("Zoë", "Zoe\u{308}")]
#[case::sharp_s("straße", "STRASSE")]
#[case::final_sigma("ΟΔΟΣ", "οδος")]
#[case::l_and_capital_i("Ian", "lan")]
#[case::capital_i_and_small_i("Ian", "ian")]
#[case::cyrillic_i("ian", "Іan")]
#[case::zero_and_o("Bob", "B0b")]
#[case::ligature("file", "ﬁle")]
fn names_that_look_alike_are_the_same(#[case] one: &str, #[case] other: &str) {
    let (one, other) = (PseudonymKey::of(one), PseudonymKey::of(other));
    assert!(one.matches(&other), "{one:?} {other:?}");
}

#[rstest]
#[case("John", "Joan")]
#[case("Zoë", "Zoe")]
#[case("ian", "lan")]
#[case("a.b", "a-b")]
#[case("李明", "李朋")]
fn names_that_differ_to_the_eye_are_different(#[case] one: &str, #[case] other: &str) {
    assert!(!PseudonymKey::of(one).matches(&PseudonymKey::of(other)));
}

proptest! {
    #[test]
    fn parsing_never_panics_and_what_is_parsed_parses_to_itself(raw in "\\PC{0,40}") {
        if let Ok(name) = policy().parse(&raw) {
            let again = policy().parse(name.as_str()).expect("an allowed name stays allowed");
            prop_assert_eq!(again.key(), name.key());
            prop_assert_eq!(again, name);
        }
    }

    #[test]
    fn a_stored_name_has_the_key_it_was_stored_with(raw in "[a-zA-ZäöüßА-я0-9_]{2,32}") {
        if let Ok(name) = policy().parse(&raw) {
            let stored = Pseudonym::from_stored(name.as_str().to_owned());
            prop_assert_eq!(stored.key(), name.key());
        }
    }

    #[test]
    fn other_case_is_the_same_name(name in "[a-zA-Z0-9_]{2,32}") {
        prop_assert!(PseudonymKey::of(&name).matches(&PseudonymKey::of(&name.to_uppercase())));
        prop_assert!(PseudonymKey::of(&name).matches(&PseudonymKey::of(&name.to_lowercase())));
    }
}

#[test]
fn a_text_longer_than_any_name_is_nobodys() {
    assert_eq!(Mention::parse("JohnDoe").map(|mention| mention.to_string()), Some("JohnDoe".to_owned()));
    assert!(Mention::parse(&"x".repeat(1_024)).is_some());
    assert_eq!(Mention::parse(&"ﷺ".repeat(300_000)), None);
}
