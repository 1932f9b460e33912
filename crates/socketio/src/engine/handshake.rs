//! What a request wants, and how it is refused if it may not have it.
//!
//! Source: Engine.IO protocol v4, "Handshake", and the reference server for the order of the checks, the codes and
//! the sentences.

use serde::Serialize;

use crate::{TooMany, Transport};

/// What of a request the verdict depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The query string without `?`.
    pub(crate) query: &'a str,
    pub(crate) method: Method,
    /// Whether the client asks for a WebSocket.
    pub(crate) upgrade: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Other,
}

/// What a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted<S> {
    /// A new session.
    Open(Transport),
    /// To go on with this session.
    Continue(S, Continue),
}

/// How a request goes on with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continue {
    /// It waits for packets.
    Poll,
    /// It brings packets.
    Post,
    /// It is a WebSocket that would take over.
    Upgrade,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownTransport,
    UnknownSid,
    BadMethod,
    BadRequest,
    Forbidden,
    UnsupportedVersion,
    /// The body exceeds what the `open` packet allows.
    TooLarge,
    /// The body does not come.
    TooSlow,
    /// There is no room for a session more.
    TooMany(TooMany),
}

#[derive(Serialize)]
struct Body<'a> {
    code: u8,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl Refusal {
    /// The status of the answer.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::TooMany(why) => why.status.as_u16(),
            Self::Forbidden => 403,
            Self::TooSlow => 408,
            Self::TooLarge => 413,
            Self::UnknownTransport
            | Self::UnknownSid
            | Self::BadMethod
            | Self::BadRequest
            | Self::UnsupportedVersion => 400,
        }
    }

    /// Seconds after which trying again may help.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooMany(why) => Some(why.retry_after),
            _ => None,
        }
    }

    /// The JSON body of the answer, with the codes that clients read. The last three have no code of their own.
    pub(crate) fn body(&self) -> impl Serialize {
        let (code, message) = match self {
            Self::UnknownTransport => (0, "Transport unknown"),
            Self::UnknownSid => (1, "Session ID unknown"),
            Self::BadMethod => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
            Self::Forbidden => (4, "Forbidden"),
            Self::UnsupportedVersion => (5, "Unsupported protocol version"),
            Self::TooLarge => (3, "Payload too large"),
            Self::TooSlow => (3, "Payload too slow"),
            Self::TooMany(why) => (3, why.message.as_str()),
        };
        Body { code, message, retry_after: self.retry_after() }
    }
}

/// Says what a request wants. `find` looks up the session of a sid that can be gone on with; `allowed` is asked last, of what
/// would be let in. (The reference asks for new sessions only: a page of another origin could go on with one of which it has
/// learnt the sid.)
pub(crate) fn check<S>(
    request: Request<'_>,
    transports: &[Transport],
    find: impl FnOnce(&str) -> Option<S>,
    allowed: impl FnOnce() -> bool,
) -> Result<Wanted<S>, Refusal> {
    let transport = parameter(request.query, "transport").and_then(Transport::parse);
    let transport =
        transport.filter(|transport| transports.contains(transport)).ok_or(Refusal::UnknownTransport)?;
    if let Some(sid) = parameter(request.query, "sid").filter(|sid| !sid.is_empty()) {
        let session = find(sid).ok_or(Refusal::UnknownSid)?;
        let how = go_on(request, transport)?;
        return if allowed() { Ok(Wanted::Continue(session, how)) } else { Err(Refusal::Forbidden) };
    }
    if request.method != Method::Get {
        return Err(Refusal::BadMethod);
    }
    if request.upgrade != (transport == Transport::WebSocket) {
        return Err(Refusal::BadRequest);
    }
    if !allowed() {
        return Err(Refusal::Forbidden);
    }
    if parameter(request.query, "EIO") != Some("4") {
        return Err(Refusal::UnsupportedVersion);
    }
    Ok(Wanted::Open(transport))
}

fn go_on(request: Request<'_>, transport: Transport) -> Result<Continue, Refusal> {
    match (transport, request.upgrade, request.method) {
        (Transport::WebSocket, true, Method::Get) => Ok(Continue::Upgrade),
        (Transport::Polling, false, Method::Get) => Ok(Continue::Poll),
        (Transport::Polling, false, Method::Post) => Ok(Continue::Post),
        _ => Err(Refusal::BadRequest),
    }
}

/// The value of a parameter as it stands in the query: those of the protocol are never escaped.
/// What a client gives each request to tell it from all others, so that no cache answers it: the parameter `t`.
pub(crate) fn stamp(query: &str) -> Option<&str> {
    parameter(query, "t")
}

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

    const BOTH: [Transport; 2] = [Transport::Polling, Transport::WebSocket];

    fn get(query: &str) -> Request<'_> {
        Request { query, method: Method::Get, upgrade: query.contains("websocket") }
    }

    fn verdict(request: Request<'_>, transports: &[Transport]) -> Result<Wanted<String>, Refusal> {
        check(request, transports, |sid| (sid == "abc").then(|| sid.to_owned()), || true)
    }

    #[test]
    fn handshakes_of_version_4_are_let_in() {
        let table = [
            ("EIO=4&transport=websocket&t=x", Transport::WebSocket),
            ("EIO=4&transport=polling", Transport::Polling),
            ("EIO=4&transport=polling&sid=", Transport::Polling),
        ];
        for (query, transport) in table {
            assert_eq!(verdict(get(query), &BOTH), Ok(Wanted::Open(transport)));
        }
    }

    #[test]
    fn each_bad_request_gets_the_code_of_the_reference() {
        let websocket = get("EIO=4&transport=websocket");
        let polling = get("EIO=4&transport=polling");
        let table = [
            (get(""), Refusal::UnknownTransport),
            (get("EIO=4"), Refusal::UnknownTransport),
            (get("EIO=4&transport=abc"), Refusal::UnknownTransport),
            (get("EIO=4&transport=websocket&sid=xyz"), Refusal::UnknownSid),
            (get("EIO=4&transport=polling&sid=xyz"), Refusal::UnknownSid),
            (Request { method: Method::Post, ..websocket }, Refusal::BadMethod),
            (Request { method: Method::Post, ..polling }, Refusal::BadMethod),
            (Request { method: Method::Other, ..polling }, Refusal::BadMethod),
            (Request { upgrade: false, ..websocket }, Refusal::BadRequest),
            (Request { upgrade: true, ..polling }, Refusal::BadRequest),
            (get("transport=websocket"), Refusal::UnsupportedVersion),
            (get("EIO=3&transport=websocket"), Refusal::UnsupportedVersion),
            (get("EIO=abc&transport=polling"), Refusal::UnsupportedVersion),
        ];
        for (request, refusal) in table {
            assert_eq!(verdict(request, &BOTH), Err(refusal), "{request:?}");
        }
    }

    #[test]
    fn a_session_is_gone_on_with_by_its_own_transport_or_by_an_upgrade() {
        let poll = get("EIO=4&transport=polling&sid=abc");
        let upgrade = get("EIO=4&transport=websocket&sid=abc");
        let table = [
            (poll, Ok(Continue::Poll)),
            (Request { method: Method::Post, ..poll }, Ok(Continue::Post)),
            (Request { method: Method::Other, ..poll }, Err(Refusal::BadRequest)),
            (Request { upgrade: true, ..poll }, Err(Refusal::BadRequest)),
            (upgrade, Ok(Continue::Upgrade)),
            (Request { upgrade: false, ..upgrade }, Err(Refusal::BadRequest)),
            (Request { method: Method::Post, ..upgrade }, Err(Refusal::BadRequest)),
        ];
        for (request, how) in table {
            assert_eq!(
                verdict(request, &BOTH),
                how.map(|how| Wanted::Continue("abc".to_owned(), how)),
                "{request:?}"
            );
        }
    }

    #[test]
    fn a_transport_that_is_switched_off_is_unknown() {
        for (on, off) in [(Transport::Polling, "websocket"), (Transport::WebSocket, "polling")] {
            let query = format!("EIO=4&transport={off}");
            assert_eq!(verdict(get(&query), &[on]), Err(Refusal::UnknownTransport));
        }
    }

    #[test]
    fn who_is_not_allowed_is_told_so_with_403() {
        let poll = get("EIO=4&transport=polling&sid=abc");
        let post = Request { method: Method::Post, ..poll };
        let requests = [get("EIO=4&transport=polling"), get("EIO=4&transport=websocket"), poll, post];
        for request in requests.into_iter().chain([get("EIO=4&transport=websocket&sid=abc")]) {
            let refused = check(request, &BOTH, |_| Some(()), || false);
            assert_eq!(refused, Err(Refusal::Forbidden), "{request:?}");
        }
        assert_eq!(Refusal::Forbidden.status(), 403);
    }

    #[test]
    fn the_answer_names_code_and_message() {
        let body = serde_json::to_string(&Refusal::UnsupportedVersion.body()).unwrap();
        assert_eq!(body, r#"{"code":5,"message":"Unsupported protocol version"}"#);
        assert_eq!(Refusal::UnsupportedVersion.status(), 400);
    }
}
