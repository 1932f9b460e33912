//! The matrix as `docs/security.md` shows it.

use std::fmt::Write;

use super::expected::{Cells, TakenFor, expected, taken_for};
use super::{Act, Caller, Door, Past, Shown};
use crate::docs::page;
use crate::harness::Protocol;

const PLAIN: Protocol = Protocol::Plain;

/// What is done by a name, and so depends on whose that is.
const BY_NAME: [(&str, Act); 4] = [
    ("speaks as John", Act::SpeakByName(Door::Rest)),
    ("the same, with `to` or `client_id`", Act::SpeakPrivately(Door::Rest)),
    ("logs in as John", Act::LogIn),
    ("logs John out", Act::LogOut),
];

/// What is done as oneself.
const AS_ONESELF: [(&str, Act); 10] = [
    ("opens a socket", Act::Open(PLAIN)),
    ("speaks without `sender`", Act::SpeakAsOneself(Door::Rest)),
    ("sends `typing` with `to`", Act::Type(PLAIN)),
    ("`GET /session`", Act::AskWhoIAm),
    ("`GET /users`", Act::ListUsers),
    ("`GET /messages`, what all have heard", Act::ReadPublicHistory),
    ("`GET /messages`, what only John has heard", Act::ReadPrivateHistory),
    ("resumes with `after`", Act::Resume(PLAIN)),
    ("shows John's `pid`", Act::Recover),
    ("uses the `sid` of another's long-polling session, opened with `Authorization`", Act::PollAnothersSid),
];

fn past(past: Past) -> &'static str {
    match past {
        Past::Never => "never was",
        Past::Alive => "online",
        Past::LoggedOut => "logged out",
        Past::Succeeded => "logged out, the name is another's",
        Past::RanOut => "ran out, the hold goes on",
        Past::RanOutLongAgo => "ran out, the hold is over",
        Past::RanOutAndTaken => "ran out, the name is another's",
    }
}

fn shown(shown: Shown) -> &'static str {
    match shown {
        Shown::Nothing => "nothing",
        Shown::Token => "its token",
        Shown::Cookie => "its cookie",
        Shown::AnothersToken => "another's token",
        Shown::AnothersCookie => "another's cookie",
        Shown::TamperedToken => "a forged token",
        Shown::TamperedCookie => "a forged cookie",
    }
}

fn taken(taken: TakenFor) -> &'static str {
    match taken {
        TakenFor::Nobody => "nobody",
        TakenFor::John => "John",
        TakenFor::Another => "another",
        TakenFor::Forger => "refused",
    }
}

/// Codes as code, whose session it is in words.
fn word(answer: &str) -> String {
    if answer.contains('_') { format!("`{answer}`") } else { answer.to_owned() }
}

/// As short as the four answers allow.
fn cell(cells: Cells<&str>) -> String {
    let Cells { open_unclaimed, open_claimed, token_unclaimed, token_claimed } = cells;
    let [a, b, c, d] = [open_unclaimed, open_claimed, token_unclaimed, token_claimed].map(word);
    if a == b && c == d {
        return if a == c { a } else { format!("{a}; `token`: {c}") };
    }
    if a == c && b == d {
        return format!("{a}; claimed: {b}");
    }
    assert_eq!(c, d, "there is no short way to say that");
    if b == c { format!("{a}; claimed or `token`: {b}") } else { format!("{a}; claimed: {b}; `token`: {c}") }
}

fn row(text: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<_> = cells.into_iter().collect();
    writeln!(text, "| {} |", cells.join(" | ")).expect("memory takes it");
}

fn head(text: &mut String, cells: &[&str]) {
    row(text, cells.iter().map(|cell| (*cell).to_owned()));
    row(text, cells.iter().map(|_| "---".to_owned()));
}

fn by_name() -> String {
    let mut text = String::new();
    let acts = BY_NAME.map(|(name, _)| name);
    head(&mut text, &[&["John's session", "shown", "taken for"][..], &acts].concat());
    for caller in Caller::ALL {
        let who = [past(caller.past()), shown(caller.shown()), taken(taken_for(*caller))].map(str::to_owned);
        row(&mut text, who.into_iter().chain(BY_NAME.map(|(_, act)| cell(expected(act, *caller)))));
    }
    text
}

fn as_oneself() -> String {
    let kinds = [Caller::Nobody, Caller::OwnToken, Caller::AnothersToken, Caller::TamperedToken];
    let mut text = String::new();
    let names = kinds.map(|kind| taken(taken_for(kind)));
    head(&mut text, &[&["taken for"][..], &names].concat());
    for (name, act) in AS_ONESELF {
        for caller in Caller::ALL {
            let alike = kinds.into_iter().find(|kind| taken_for(*kind) == taken_for(*caller));
            assert_eq!(
                alike.map(|kind| expected(act, kind)),
                Some(expected(act, *caller)),
                "{name}: {caller:?}"
            );
        }
        row(&mut text, [name.to_owned()].into_iter().chain(kinds.map(|kind| cell(expected(act, kind)))));
    }
    text
}

#[test]
fn the_page_about_security_has_the_matrix() {
    let page = page("docs/security.md");
    for table in [by_name(), as_oneself()] {
        assert!(page.contains(&table), "docs/security.md is to have this table:\n{table}");
    }
}
