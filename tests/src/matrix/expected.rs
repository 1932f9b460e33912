//! What is to come of each act, as `docs/api.md` says it.

use super::{Act, Caller, Mode};

/// An answer for each kind of session in each mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cells<T> {
    pub(super) open_unclaimed: T,
    pub(super) open_claimed: T,
    pub(super) token_unclaimed: T,
    pub(super) token_claimed: T,
}

impl<T> Cells<T> {
    pub(super) fn of(self, claimed: bool, mode: Mode) -> T {
        match (mode, claimed) {
            (Mode::Open, false) => self.open_unclaimed,
            (Mode::Open, true) => self.open_claimed,
            (Mode::Token, false) => self.token_unclaimed,
            (Mode::Token, true) => self.token_claimed,
        }
    }
}

/// In the order of the claim rule's table.
const fn cells<T>(open_unclaimed: T, open_claimed: T, token_unclaimed: T, token_claimed: T) -> Cells<T> {
    Cells { open_unclaimed, open_claimed, token_unclaimed, token_claimed }
}

/// The same everywhere.
const fn always<T: Copy>(answer: T) -> Cells<T> {
    cells(answer, answer, answer, answer)
}

/// Whatever the session is.
const fn modes(open: &'static str, token: &'static str) -> Cells<&'static str> {
    cells(open, open, token, token)
}

const TOKEN_REQUIRED: &str = "token_required";
const INVALID_TOKEN: &str = "invalid_token";
const NOT_YOURS: &str = "not_your_session";
const NOT_CONNECTED: &str = "not_connected";
const UNKNOWN_SID: &str = "400 Session ID unknown";

/// Whom a caller is taken for, whatever they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenFor {
    Nobody,
    John,
    Another,
    /// An explicit token that is not good.
    Forger,
}

pub(super) fn taken_for(caller: Caller) -> TakenFor {
    match caller {
        Caller::Nobody
        | Caller::NameOnly
        | Caller::TamperedCookie
        | Caller::RevokedCookie
        | Caller::FormerHoldersCookie
        | Caller::RanOutName
        | Caller::RanOutCookie
        | Caller::FreeName
        | Caller::FreeNamesCookie
        | Caller::TakenNamesCookie => TakenFor::Nobody,
        Caller::OwnToken | Caller::OwnCookie | Caller::RanOutToken | Caller::FreeNamesToken => TakenFor::John,
        Caller::AnothersToken
        | Caller::AnothersCookie
        | Caller::RanOutByAnothersToken
        | Caller::RanOutByAnothersCookie => TakenFor::Another,
        Caller::TamperedToken
        | Caller::RevokedToken
        | Caller::FormerHoldersToken
        | Caller::TakenNamesToken => TakenFor::Forger,
    }
}

pub(super) fn expected(act: Act, caller: Caller) -> Cells<&'static str> {
    match act {
        Act::SpeakByName(_) => speak_by_name(caller),
        Act::SpeakPrivately(_) | Act::SpeakWithClientId(_) => speak_as_no_name_allows(caller),
        Act::LogIn => log_in(caller),
        Act::LogOut => log_out(caller),
        Act::SpeakAsOneself(_) | Act::AskWhoIAm => by_who(caller, always(TOKEN_REQUIRED), "John", "another"),
        Act::Type(_) => by_who(caller, always(TOKEN_REQUIRED), "done", "done"),
        Act::ListUsers => by_who(caller, modes("done", TOKEN_REQUIRED), "done", "done"),
        Act::ReadPublicHistory => by_who(caller, modes("read", TOKEN_REQUIRED), "read", "read"),
        Act::ReadPrivateHistory => by_who(caller, modes("not there", TOKEN_REQUIRED), "read", "not there"),
        Act::Open(_) => by_who(caller, modes("nobody", TOKEN_REQUIRED), "John", "another"),
        Act::Resume(_) => by_who(caller, modes("public only", TOKEN_REQUIRED), "private too", "public only"),
        Act::Recover => by_who(caller, modes("not recovered", TOKEN_REQUIRED), "recovered", "not recovered"),
        // What is shown to REST is not looked at before the session is known.
        Act::PollAnothersSid | Act::PostToAnothersSid | Act::UpgradeAnothersSid => always(UNKNOWN_SID),
    }
}

/// Where it only counts who it is.
fn by_who(
    caller: Caller,
    nobody: Cells<&'static str>,
    john: &'static str,
    another: &'static str,
) -> Cells<&'static str> {
    match taken_for(caller) {
        TakenFor::Nobody => nobody,
        TakenFor::John => always(john),
        TakenFor::Another => always(another),
        TakenFor::Forger => always(INVALID_TOKEN),
    }
}

/// Answers with whose message it is.
fn speak_by_name(caller: Caller) -> Cells<&'static str> {
    match caller {
        Caller::Nobody | Caller::RevokedCookie => modes(NOT_CONNECTED, TOKEN_REQUIRED),
        Caller::NameOnly | Caller::TamperedCookie => {
            cells("John", TOKEN_REQUIRED, TOKEN_REQUIRED, TOKEN_REQUIRED)
        }
        // Of whoever has the name now.
        Caller::FormerHoldersCookie | Caller::TakenNamesCookie => {
            cells("somebody", TOKEN_REQUIRED, TOKEN_REQUIRED, TOKEN_REQUIRED)
        }
        Caller::RanOutName | Caller::RanOutCookie | Caller::FreeName | Caller::FreeNamesCookie => {
            cells("John", NOT_CONNECTED, TOKEN_REQUIRED, TOKEN_REQUIRED)
        }
        Caller::OwnToken | Caller::OwnCookie | Caller::RanOutToken | Caller::FreeNamesToken => always("John"),
        Caller::AnothersToken | Caller::RanOutByAnothersToken => always(NOT_YOURS),
        Caller::RanOutByAnothersCookie => cells("John", NOT_CONNECTED, NOT_CONNECTED, NOT_CONNECTED),
        Caller::AnothersCookie => cells("John", NOT_YOURS, NOT_YOURS, NOT_YOURS),
        Caller::TamperedToken
        | Caller::RevokedToken
        | Caller::FormerHoldersToken
        | Caller::TakenNamesToken => always(INVALID_TOKEN),
    }
}

/// In private, or with a `client_id`.
fn speak_as_no_name_allows(caller: Caller) -> Cells<&'static str> {
    match caller {
        Caller::Nobody
        | Caller::NameOnly
        | Caller::TamperedCookie
        | Caller::RevokedCookie
        | Caller::FormerHoldersCookie
        | Caller::RanOutName
        | Caller::RanOutCookie
        | Caller::FreeName
        | Caller::FreeNamesCookie
        | Caller::TakenNamesCookie => always(TOKEN_REQUIRED),
        Caller::OwnToken | Caller::OwnCookie | Caller::RanOutToken | Caller::FreeNamesToken => always("John"),
        Caller::AnothersToken | Caller::RanOutByAnothersToken => always(NOT_YOURS),
        Caller::RanOutByAnothersCookie => always(NOT_CONNECTED),
        Caller::AnothersCookie => cells(TOKEN_REQUIRED, NOT_YOURS, NOT_YOURS, NOT_YOURS),
        Caller::TamperedToken
        | Caller::RevokedToken
        | Caller::FormerHoldersToken
        | Caller::TakenNamesToken => always(INVALID_TOKEN),
    }
}

/// Answers with whose session it is.
fn log_in(caller: Caller) -> Cells<&'static str> {
    const NEW: &str = "a new session";
    const TAKEN: &str = "already_connected";
    const HELD: &str = "name_held";
    match caller {
        Caller::Nobody | Caller::RevokedCookie | Caller::FreeName => always(NEW),
        Caller::NameOnly
        | Caller::TamperedCookie
        | Caller::FormerHoldersCookie
        | Caller::TakenNamesCookie
        | Caller::AnothersToken
        | Caller::AnothersCookie => always(TAKEN),
        Caller::RanOutName | Caller::RanOutByAnothersToken | Caller::RanOutByAnothersCookie => {
            cells(NEW, HELD, NEW, HELD)
        }
        Caller::OwnToken
        | Caller::OwnCookie
        | Caller::RanOutToken
        | Caller::RanOutCookie
        | Caller::FreeNamesToken
        | Caller::FreeNamesCookie => always("John"),
        Caller::TamperedToken
        | Caller::RevokedToken
        | Caller::FormerHoldersToken
        | Caller::TakenNamesToken => always(INVALID_TOKEN),
    }
}

fn log_out(caller: Caller) -> Cells<&'static str> {
    const DONE: &str = "done";
    match caller {
        Caller::Nobody
        | Caller::RevokedCookie
        | Caller::RanOutName
        | Caller::RanOutCookie
        | Caller::FreeName
        | Caller::FreeNamesCookie => modes(NOT_CONNECTED, TOKEN_REQUIRED),
        Caller::NameOnly
        | Caller::TamperedCookie
        | Caller::FormerHoldersCookie
        | Caller::TakenNamesCookie => cells(DONE, TOKEN_REQUIRED, TOKEN_REQUIRED, TOKEN_REQUIRED),
        Caller::OwnToken | Caller::OwnCookie | Caller::RanOutToken | Caller::FreeNamesToken => always(DONE),
        Caller::AnothersToken => always(NOT_YOURS),
        Caller::RanOutByAnothersToken | Caller::RanOutByAnothersCookie => always(NOT_CONNECTED),
        Caller::AnothersCookie => cells(DONE, NOT_YOURS, NOT_YOURS, NOT_YOURS),
        Caller::TamperedToken
        | Caller::RevokedToken
        | Caller::FormerHoldersToken
        | Caller::TakenNamesToken => always(INVALID_TOKEN),
    }
}

/// Whether it is John's first session again that had ended.
pub(super) fn brings_back(act: Act, caller: Caller) -> Cells<bool> {
    let by_speaking = matches!(act, Act::SpeakByName(_));
    match caller {
        Caller::RanOutToken | Caller::FreeNamesToken => always(!is_refused_unseen(act)),
        Caller::RanOutCookie | Caller::FreeNamesCookie => {
            let by_log_in = act == Act::LogIn;
            cells(by_log_in || by_speaking, by_log_in, by_log_in, by_log_in)
        }
        Caller::RanOutName | Caller::RanOutByAnothersCookie | Caller::FreeName => {
            cells(by_speaking, false, false, false)
        }
        Caller::Nobody
        | Caller::NameOnly
        | Caller::OwnToken
        | Caller::OwnCookie
        | Caller::AnothersToken
        | Caller::AnothersCookie
        | Caller::RanOutByAnothersToken
        | Caller::TamperedToken
        | Caller::TamperedCookie
        | Caller::RevokedToken
        | Caller::RevokedCookie
        | Caller::FormerHoldersToken
        | Caller::FormerHoldersCookie
        | Caller::TakenNamesToken
        | Caller::TakenNamesCookie => always(false),
    }
}

fn is_refused_unseen(act: Act) -> bool {
    matches!(act, Act::PollAnothersSid | Act::PostToAnothersSid | Act::UpgradeAnothersSid)
}
