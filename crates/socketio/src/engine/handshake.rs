//! Which requests may open a session, and how the others are answered.
//!
//! Source: Engine.IO protocol v4, "Handshake", and the reference server for the order of the checks, the codes and
//! the sentences.

use serde::Serialize;

/// What of a request the verdict depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The query string without `?`.
    pub(crate) query: &'a str,
    /// Whether the method is GET.
    pub(crate) get: bool,
    /// Whether the client asks for a WebSocket.
    pub(crate) upgrade: bool,
}

/// Why a request is refused; the discriminant is the `code` that clients read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownTransport = 0,
    UnknownSid = 1,
    BadMethod = 2,
    BadRequest = 3,
    Forbidden = 4,
    UnsupportedVersion = 5,
}

#[derive(Serialize)]
struct Body {
    code: u8,
    message: &'static str,
}

impl Refusal {
    /// 403 for a request that is not allowed, 400 for all others.
    pub(crate) fn status(self) -> u16 {
        if self == Self::Forbidden { 403 } else { 400 }
    }

    /// The JSON body of the answer.
    pub(crate) fn body(self) -> impl Serialize {
        Body { code: self as u8, message: self.message() }
    }

    fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSid => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }
}

/// Checks a request that wants to open a session. `allowed` is asked only when the request is otherwise in order.
pub(crate) fn check(request: Request<'_>, allowed: impl FnOnce() -> bool) -> Result<(), Refusal> {
    if parameter(request.query, "transport") != Some("websocket") {
        return Err(Refusal::UnknownTransport);
    }
    // A session on a WebSocket is never continued by another request, so no sid is a known one.
    if parameter(request.query, "sid").is_some_and(|sid| !sid.is_empty()) {
        return Err(Refusal::UnknownSid);
    }
    if !request.get {
        return Err(Refusal::BadMethod);
    }
    if !request.upgrade {
        return Err(Refusal::BadRequest);
    }
    if !allowed() {
        return Err(Refusal::Forbidden);
    }
    if parameter(request.query, "EIO") != Some("4") {
        return Err(Refusal::UnsupportedVersion);
    }
    Ok(())
}

/// The value of a parameter as it stands in the query: those of the protocol are never escaped.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Request<'_> = Request { query: "EIO=4&transport=websocket&t=x", get: true, upgrade: true };

    #[test]
    fn a_websocket_handshake_of_version_4_is_let_in() {
        assert_eq!(check(GOOD, || true), Ok(()));
    }

    #[test]
    fn each_bad_request_gets_the_code_of_the_reference() {
        let table = [
            (Request { query: "", ..GOOD }, Refusal::UnknownTransport),
            (Request { query: "EIO=4", ..GOOD }, Refusal::UnknownTransport),
            (Request { query: "EIO=4&transport=abc", ..GOOD }, Refusal::UnknownTransport),
            (Request { query: "EIO=4&transport=polling", ..GOOD }, Refusal::UnknownTransport),
            (Request { query: "EIO=4&transport=websocket&sid=abc", ..GOOD }, Refusal::UnknownSid),
            (Request { get: false, ..GOOD }, Refusal::BadMethod),
            (Request { upgrade: false, ..GOOD }, Refusal::BadRequest),
            (Request { query: "transport=websocket", ..GOOD }, Refusal::UnsupportedVersion),
            (Request { query: "EIO=3&transport=websocket", ..GOOD }, Refusal::UnsupportedVersion),
            (Request { query: "EIO=abc&transport=websocket", ..GOOD }, Refusal::UnsupportedVersion),
        ];
        for (request, refusal) in table {
            assert_eq!(check(request, || true), Err(refusal), "{request:?}");
        }
    }

    #[test]
    fn who_is_not_allowed_is_told_so_with_403() {
        assert_eq!(check(GOOD, || false), Err(Refusal::Forbidden));
        assert_eq!(Refusal::Forbidden.status(), 403);
    }

    #[test]
    fn the_answer_names_code_and_message() {
        let body = serde_json::to_string(&Refusal::UnsupportedVersion.body()).unwrap();
        assert_eq!(body, r#"{"code":5,"message":"Unsupported protocol version"}"#);
        assert_eq!(Refusal::UnsupportedVersion.status(), 400);
    }
}
