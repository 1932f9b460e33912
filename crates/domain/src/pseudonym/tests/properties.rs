//! What holds for all texts.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::*;

/// Any text, more often than not one that is nearly a name.
fn texts() -> impl Strategy<Value = String> {
    let tricks = prop::sample::select(vec![
        'İ', 'ı', 'i', 'I', 'l', '1', '0', 'O', 'ß', 'ﬁ', 'ſ', 'ς', 'Σ', 'ᴀ', 'ꭰ', 'Ꭰ', '\u{307}', '\u{308}',
        '\u{301}', '\u{323}', '\u{345}', '\u{200d}', '\u{ad}', '\u{1112}', '\u{1161}', '\u{11ab}', '٤', '۴',
        '.', '-',
    ]);
    let letters = proptest::char::range('a', 'z');
    prop::collection::vec(prop_oneof![tricks, letters, any::<char>()], 0..40)
        .prop_map(|chars| chars.into_iter().collect())
}

fn nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

fn nfd(text: &str) -> String {
    DecomposingNormalizerBorrowed::new_nfd().normalize(text).into_owned()
}

proptest! {
    #[test]
    fn what_is_kept_is_canonical_and_stays_as_it_is(raw in texts()) {
        if let Ok(name) = policy().parse(&raw) {
            prop_assert_eq!(nfc(name.as_str()), name.as_str());
            let again = policy().parse(name.as_str()).expect("an allowed name stays allowed");
            prop_assert_eq!(again.key(), name.key());
            prop_assert_eq!(again, name);
        }
    }

    #[test]
    fn equivalent_texts_have_one_verdict_and_one_key(raw in texts()) {
        prop_assert_eq!(policy().parse(&nfd(&raw)), policy().parse(&raw));
        prop_assert_eq!(PseudonymKey::of(&nfd(&raw)), PseudonymKey::of(&raw));
        prop_assert_eq!(PseudonymKey::of(&nfc(&raw)), PseudonymKey::of(&raw));
    }

    #[test]
    fn the_same_is_said_of_both(one in texts(), other in texts()) {
        let (one, other) = (PseudonymKey::of(&one), PseudonymKey::of(&other));
        prop_assert!(one.matches(&one) && other.matches(&other));
        prop_assert_eq!(one.matches(&other), other.matches(&one));
    }

    #[test]
    fn a_refusal_names_the_problem(raw in texts()) {
        let Err(refusal) = policy().parse(&raw) else { return Ok(()) };
        let sentence = refusal.to_string();
        let named = match refusal {
            InvalidPseudonym::Length { actual, .. } => format!("2 to 32 characters, this one has {actual}"),
            InvalidPseudonym::Character(c) => format!("this one has U+{:04X}", u32::from(c)),
            InvalidPseudonym::Edge => "begin or end".to_owned(),
            InvalidPseudonym::Marks => "combining marks in one place".to_owned(),
            InvalidPseudonym::Reserved => "reserved".to_owned(),
        };
        prop_assert!(sentence.contains(&named), "{}", sentence);
        prop_assert!(sentence.is_ascii(), "it repeats what was typed: {}", sentence);
    }

    #[test]
    fn no_name_is_a_reserved_one_in_any_case(raw in texts()) {
        if let Ok(name) = policy().parse(&raw) {
            for reserved in ["admin", "ADMIN", "Admin", "moderator", "SYSTEM"] {
                prop_assert!(!name.key().matches(&PseudonymKey::of(reserved)));
            }
        }
    }

    #[test]
    fn a_name_is_itself_in_small_and_capital_letters_of_any_script(raw in texts()) {
        if let Ok(name) = policy().parse(&raw) {
            let small = PseudonymKey::of(&name.as_str().to_lowercase());
            prop_assert!(name.key().matches(&small), "{:?} {:?}", name.key(), small);
        }
    }

    #[test]
    fn a_name_is_stored_whatever_the_rules_become(raw in texts()) {
        let stored = Pseudonym::from_stored(raw.clone());
        prop_assert_eq!(stored.as_str(), &raw);
        prop_assert_eq!(stored.key(), &PseudonymKey::of(&raw));
    }
}
