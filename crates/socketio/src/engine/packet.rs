//! Engine.IO packets in their text form: one digit for the type, then the data.
//!
//! Source: Engine.IO protocol v4, "Packet encoding".

use thiserror::Error;

/// The digit in front of a message, which is what Socket.IO's packets travel in.
pub(crate) const MESSAGE: &str = "4";
/// The server's ping; a heartbeat's carries no data.
pub(crate) const PING: &str = "2";
/// The end of the session.
pub(crate) const CLOSE: &str = "1";
/// Answers a poll when there is nothing to say.
pub(crate) const NOOP: &str = "6";
/// A WebSocket's first message when it is to take over a session ("Upgrade").
pub(crate) const PROBE_PING: &str = "2probe";
/// The server's answer to the probe.
pub(crate) const PROBE_PONG: &str = "3probe";
/// The session moves to the WebSocket that says so.
pub(crate) const UPGRADE: &str = "5";

/// One packet of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    Open,
    Close,
    Ping,
    Pong,
    Message(&'a str),
    Upgrade,
    Noop,
}

/// The text is no Engine.IO packet: it is empty, or begins with something else than `0` to `6`.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown Engine.IO packet type")]
pub(crate) struct UnknownType;

impl<'a> Packet<'a> {
    /// Reads the text of one packet.
    pub(crate) fn decode(text: &'a str) -> Result<Self, UnknownType> {
        match text.as_bytes().first() {
            Some(b'0') => Ok(Self::Open),
            Some(b'1') => Ok(Self::Close),
            Some(b'2') => Ok(Self::Ping),
            Some(b'3') => Ok(Self::Pong),
            Some(b'4') => Ok(Self::Message(&text[MESSAGE.len()..])),
            Some(b'5') => Ok(Self::Upgrade),
            Some(b'6') => Ok(Self::Noop),
            _ => Err(UnknownType),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_digit_is_the_type_and_the_rest_the_data() {
        let table = [
            ("0{}", Ok(Packet::Open)),
            ("1", Ok(Packet::Close)),
            ("2probe", Ok(Packet::Ping)),
            ("3", Ok(Packet::Pong)),
            ("42[\"é\"]", Ok(Packet::Message("2[\"é\"]"))),
            ("4", Ok(Packet::Message(""))),
            ("5", Ok(Packet::Upgrade)),
            ("6", Ok(Packet::Noop)),
            ("", Err(UnknownType)),
            ("7", Err(UnknownType)),
            ("b4AQID", Err(UnknownType)),
            ("é", Err(UnknownType)),
        ];
        for (text, expected) in table {
            assert_eq!(Packet::decode(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_message_comes_back_as_it_was(data in any::<String>()) {
            let text = format!("{MESSAGE}{data}");
            prop_assert_eq!(Packet::decode(&text), Ok(Packet::Message(&data)));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let known = text.starts_with(['0', '1', '2', '3', '4', '5', '6']);
            prop_assert_eq!(Packet::decode(&text).is_ok(), known);
        }
    }
}
