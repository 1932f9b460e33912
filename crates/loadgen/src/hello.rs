//! What is said until a connection is in, as a state machine: texts in, what to do out.

use serde_json::json;

use crate::target::Protocol;

/// How far a connection has come, once its WebSocket is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Socket.IO: Engine.IO's handshake is to come.
    Opening,
    /// Socket.IO: the answer to CONNECT is to come.
    Joining,
    /// The lobby's `session` event is to come.
    Entering,
    /// Everything that is said to all is heard from here on.
    In,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Wait,
    Say(Stage, String),
    MoveTo(Stage),
    /// Engine.IO's heartbeat asks for an answer.
    Pong,
    /// Not in yet, and never will be.
    Refused(String),
    /// One of those that whoever is in hears.
    Event,
}

/// Where a connection begins, and what it says first.
pub(crate) fn begin(protocol: Protocol, token: Option<&str>) -> (Stage, Option<String>) {
    match protocol {
        Protocol::Raw => (Stage::In, None),
        Protocol::Socketio => (Stage::Opening, None),
        Protocol::Ws => (Stage::Entering, Some(json!({"event": "connect", "data": auth(token)}).to_string())),
    }
}

/// Takes a text in.
#[inline]
pub(crate) fn step(protocol: Protocol, stage: Stage, token: Option<&str>, text: &[u8]) -> Step {
    match protocol {
        Protocol::Raw => Step::Event,
        Protocol::Socketio => socketio(stage, token, text),
        Protocol::Ws => ws(stage, text),
    }
}

#[inline]
fn socketio(stage: Stage, token: Option<&str>, text: &[u8]) -> Step {
    match (stage, text) {
        (_, b"2") => Step::Pong,
        (Stage::In, _) => Step::Event,
        (Stage::Opening, [b'0', ..]) => Step::Say(Stage::Joining, format!("40{}", auth(token))),
        // Who has shown a token is told who they are, and only then hears others.
        (Stage::Joining, [b'4', b'0', ..]) => {
            Step::MoveTo(if token.is_some() { Stage::Entering } else { Stage::In })
        }
        (Stage::Entering, text) if text.starts_with(br#"42["session""#) => Step::MoveTo(Stage::In),
        (_, [b'4', b'1' | b'4', ..]) => Step::Refused(beginning(text)),
        _ => Step::Wait,
    }
}

#[inline]
fn ws(stage: Stage, text: &[u8]) -> Step {
    match stage {
        Stage::In => Step::Event,
        _ if text.starts_with(br#"{"event":"session""#) => Step::MoveTo(Stage::In),
        _ if text.starts_with(br#"{"event":"error""#) => Step::Refused(beginning(text)),
        _ => Step::Wait,
    }
}

/// In batches: who comes and goes is no part of a load.
fn auth(token: Option<&str>) -> serde_json::Value {
    match token {
        Some(token) => json!({"token": token, "batch": true}),
        None => json!({}),
    }
}

/// Enough of a text to say what it is.
pub(crate) fn beginning(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(160)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says what a connection comes to that hears these texts.
    fn hears(protocol: Protocol, token: Option<&str>, texts: &[&str]) -> (Stage, Vec<String>) {
        let (mut stage, first) = begin(protocol, token);
        let mut said = Vec::from_iter(first);
        for text in texts {
            match step(protocol, stage, token, text.as_bytes()) {
                Step::Say(next, what) => {
                    stage = next;
                    said.push(what);
                }
                Step::MoveTo(next) => stage = next,
                Step::Pong => said.push("3".to_owned()),
                Step::Refused(why) => said.push(format!("refused: {why}")),
                Step::Wait | Step::Event => {}
            }
        }
        (stage, said)
    }

    #[test]
    fn over_socket_io_a_lobby_is_entered_with_its_session_event() {
        let texts = ["0{\"sid\":\"x\"}", "2", "40{\"sid\":\"y\"}", "42[\"user_joined\",{}]"];
        let said = vec!["40{\"batch\":true,\"token\":\"t\"}".to_owned(), "3".to_owned()];
        assert_eq!(hears(Protocol::Socketio, Some("t"), &texts), (Stage::Entering, said.clone()));
        let texts = [&texts[..], &["42[\"session\",{}]"]].concat();
        assert_eq!(hears(Protocol::Socketio, Some("t"), &texts), (Stage::In, said));
    }

    #[test]
    fn a_socket_io_server_without_log_in_is_entered_with_the_answer_to_connect() {
        assert_eq!(hears(Protocol::Socketio, None, &["0{}", "40{}"]), (Stage::In, vec!["40{}".to_owned()]));
    }

    #[test]
    fn over_ws_connect_is_said_first() {
        let said = vec![r#"{"data":{"batch":true,"token":"t"},"event":"connect"}"#.to_owned()];
        assert_eq!(hears(Protocol::Ws, Some("t"), &[]), (Stage::Entering, said.clone()));
        assert_eq!(hears(Protocol::Ws, Some("t"), &[r#"{"event":"session","data":{}}"#]), (Stage::In, said));
    }

    #[test]
    fn a_refusal_is_told_as_it_came() {
        let (stage, said) = hears(Protocol::Socketio, Some("t"), &["0{}", "44{\"message\":\"no\"}"]);
        assert_eq!((stage, said[1].as_str()), (Stage::Joining, "refused: 44{\"message\":\"no\"}"));
    }
}
