//! The security matrix: every act of every caller, for claimed and unclaimed sessions, in both modes.
//!
//! `expected` is what `docs/api.md` says; `world` makes the callers; `acts` does it. A new [`Act`] or [`Caller`] does not compile
//! before it is said what comes of it, and each caller is a test by being one. `page` makes of it what `docs/security.md` shows.

mod acts;
mod expected;
mod page;
mod world;

use rstest::rstest;

use crate::harness::Protocol;
use acts::act;
use expected::{brings_back, expected};
use world::World;

/// What somebody does. "John" is whom it is about, "the friend" somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Says something as John.
    SpeakByName(Door),
    /// Says something without saying as whom.
    SpeakAsOneself(Door),
    /// Says something to the friend alone, as John.
    SpeakPrivately(Door),
    /// Says something with a `client_id`, as John.
    SpeakWithClientId(Door),
    /// Tells the friend of typing.
    Type(Protocol),
    /// Logs in as John.
    LogIn,
    /// Logs John out.
    LogOut,
    ListUsers,
    /// `GET /messages`, for what everybody has heard.
    ReadPublicHistory,
    /// `GET /messages`, for what the friend said to John alone.
    ReadPrivateHistory,
    /// `GET /session`
    AskWhoIAm,
    /// Opens a socket.
    Open(Protocol),
    /// Opens a socket, to hear what was said before.
    Resume(Protocol),
    /// Opens a socket with John's `pid`.
    Recover,
    /// Reads what is for the friend's long-polling session.
    PollAnothersSid,
    /// Writes into it.
    PostToAnothersSid,
    /// Makes a WebSocket of it.
    UpgradeAnothersSid,
}

/// Where something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Rest,
    Socket(Protocol),
}

const PROTOCOLS: [Protocol; 2] = [Protocol::Plain, Protocol::SocketIo];
const DOORS: [Door; 3] = [Door::Rest, Door::Socket(Protocol::Plain), Door::Socket(Protocol::SocketIo)];

impl Act {
    /// All there are. (What is missing here has no effect but a warning that it is never made.)
    fn all() -> Vec<Self> {
        let mut all = vec![
            Self::LogIn,
            Self::ListUsers,
            Self::ReadPublicHistory,
            Self::ReadPrivateHistory,
            Self::AskWhoIAm,
            Self::Recover,
            Self::PollAnothersSid,
            Self::PostToAnothersSid,
            Self::UpgradeAnothersSid,
            Self::LogOut,
        ];
        for of in [Self::SpeakByName, Self::SpeakAsOneself, Self::SpeakPrivately, Self::SpeakWithClientId] {
            all.extend(DOORS.map(of));
        }
        for of in [Self::Type, Self::Open, Self::Resume] {
            all.extend(PROTOCOLS.map(of));
        }
        all
    }
}

/// What has become of the session that John logged in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    /// Nobody ever had the name that is used.
    Never,
    Alive,
    /// It was logged out, and nobody has the name.
    LoggedOut,
    /// It was logged out, and somebody else has the name.
    Succeeded,
    /// It ran out lately.
    RanOut,
    /// It ran out longer ago than names are held.
    RanOutLongAgo,
    /// It ran out, and somebody else has the name.
    RanOutAndTaken,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    Token,
    Cookie,
    AnothersToken,
    AnothersCookie,
    TamperedToken,
    TamperedCookie,
}

/// Makes [`Caller`], and a test of each.
macro_rules! callers {
    ($($(#[$doc:meta])* $caller:ident = $past:ident, $shown:ident: $test:ident,)*) => {
        /// Who does it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Caller { $($(#[$doc])* $caller,)* }

        impl Caller {
            const ALL: &[Self] = &[$(Self::$caller,)*];

            fn past(self) -> Past {
                match self { $(Self::$caller => Past::$past,)* }
            }

            fn shown(self) -> Shown {
                match self { $(Self::$caller => Shown::$shown,)* }
            }
        }

        $(
            #[rstest]
            #[tokio::test]
            async fn $test(
                #[values(Mode::Open, Mode::Token)] mode: Mode,
                #[values(false, true)] claimed: bool,
            ) {
                check(Caller::$caller, claimed, mode).await;
            }
        )*
    };
}

callers! {
    /// Shows nothing, and uses a name that nobody ever had.
    Nobody = Never, Nothing: nobody_gets_what_is_everybodys,
    /// Shows nothing, and uses John's name.
    NameOnly = Alive, Nothing: a_name_alone_is_enough_for_an_unclaimed_session_in_the_open_mode_only,
    OwnToken = Alive, Token: a_token_is_good_for_its_session,
    OwnCookie = Alive, Cookie: a_cookie_is_good_for_its_session,
    AnothersToken = Alive, AnothersToken: anothers_token_is_good_for_the_other_only,
    AnothersCookie = Alive, AnothersCookie: anothers_cookie_takes_nothing_away,
    TamperedToken = Alive, TamperedToken: a_tampered_token_is_refused,
    TamperedCookie = Alive, TamperedCookie: a_tampered_cookie_counts_as_absent,
    RevokedToken = LoggedOut, Token: a_token_is_dead_after_log_out,
    RevokedCookie = LoggedOut, Cookie: a_cookie_counts_as_absent_after_log_out,
    FormerHoldersToken = Succeeded, Token: a_former_holders_token_is_refused,
    FormerHoldersCookie = Succeeded, Cookie: a_former_holders_cookie_counts_as_absent,
    RanOutName = RanOut, Nothing: a_name_brings_only_an_unclaimed_session_back,
    RanOutToken = RanOut, Token: a_token_brings_its_session_back_while_the_name_is_held,
    RanOutCookie = RanOut, Cookie: a_cookie_brings_its_session_back_at_log_in_only,
    RanOutByAnothersToken = RanOut, AnothersToken: anothers_token_brings_nobody_back,
    RanOutByAnothersCookie = RanOut, AnothersCookie: anothers_cookie_brings_back_what_a_name_does,
    FreeName = RanOutLongAgo, Nothing: a_name_is_free_after_the_hold,
    FreeNamesToken = RanOutLongAgo, Token: a_token_brings_its_session_back_after_the_hold_too,
    FreeNamesCookie = RanOutLongAgo, Cookie: a_cookie_brings_its_session_back_at_log_in_after_the_hold_too,
    TakenNamesToken = RanOutAndTaken, Token: a_token_is_refused_while_another_has_the_name,
    TakenNamesCookie = RanOutAndTaken, Cookie: a_cookie_counts_as_absent_while_another_has_the_name,
}

/// `auth.mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    Token,
}

/// Does everything, each on a session of its own, and says all that comes out differently.
async fn check(caller: Caller, claimed: bool, mode: Mode) {
    let acts = Act::all();
    let world = Box::pin(World::of(caller, claimed, mode, acts.len())).await;
    let mut wrong = Vec::new();
    for (what, subject) in acts.iter().zip(&world.subjects) {
        let expected = expected(*what, caller).of(claimed, mode);
        let outcome = act(*what, &world, subject).await;
        if outcome != expected {
            wrong.push(format!("{what:?}: {outcome}, not {expected}"));
        }
    }
    let back = world.came_back().await;
    for (what, subject) in acts.iter().zip(&world.subjects) {
        let comes_back = brings_back(*what, caller).of(claimed, mode);
        if back.contains(&subject.john.session) != comes_back {
            wrong.push(format!("{what:?} was to bring him back: {comes_back}"));
        }
    }
    assert!(wrong.is_empty(), "{caller:?}, claimed: {claimed}, {mode:?}:\n{}", wrong.join("\n"));
}
