use std::fmt;

/// Longest reason of a close frame in bytes: a control frame holds 125, the code takes two (RFC 6455, 5.5).
const MAX_REASON: usize = 123;

/// A status code that may stand in a close frame (RFC 6455, section 7.4, and IANA's registry up to 1014).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The server stops, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// A kind of data that is not accepted, such as binary where only text is.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Data that does not fit its type, such as bad UTF-8 in a text.
    pub const INVALID_DATA: Self = Self(1007);
    /// A rule of the application was broken.
    pub const POLICY: Self = Self(1008);
    /// A message beyond [`Limits`](crate::Limits).
    pub const TOO_BIG: Self = Self(1009);
    /// The server failed.
    pub const INTERNAL: Self = Self(1011);
    /// Overload, or a peer too slow: come back later.
    pub const TRY_AGAIN: Self = Self(1013);

    /// The code, if a close frame may carry it: 1000 to 1003, 1007 to 1014, 3000 to 4999.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// An application's own code, for constants.
    ///
    /// # Panics
    ///
    /// Outside 4000 to 4999; in a `const` that is an error of compilation.
    #[must_use]
    pub const fn private(code: u16) -> Self {
        assert!(matches!(code, 4000..=4999), "private close codes are 4000 to 4999");
        Self(code)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Who ended it.
    pub by: ClosedBy,
    /// The code of the first close frame, the peer's or ours; `None` where there was none, or it had none.
    pub code: Option<CloseCode>,
    /// The reason in that close frame; for a lost connection, what was seen.
    pub reason: String,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// The peer sent its close frame first.
    Peer,
    /// We did: asked to, or because the peer broke a rule or a limit.
    Us,
    /// Nobody: the connection broke, or nothing was heard for too long.
    Lost,
}

/// As much of `reason` as a close frame holds, whole characters only.
pub(crate) fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_REASON)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_that_may_stand_on_the_wire_are_made() {
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1013, 1014, 3000, 3999, 4000, 4999] {
            assert_eq!(CloseCode::new(code).map(CloseCode::get), Some(code));
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert_eq!(CloseCode::new(code), None, "{code}");
        }
    }

    #[test]
    fn private_codes_begin_at_4000() {
        assert_eq!(CloseCode::private(4401).to_string(), "4401");
        assert!(std::panic::catch_unwind(|| CloseCode::private(3999)).is_err());
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"a".repeat(124)), "a".repeat(123));
        assert_eq!(cut(&format!("{}é", "a".repeat(122))), "a".repeat(122));
    }
}
