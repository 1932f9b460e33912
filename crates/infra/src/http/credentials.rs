//! What a request shows of its sender. Tokens never come in a URL.

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;
use actix_web::http::header::{self, HeaderMap};
use lobby_domain::auth::Credentials;

use crate::doorman::place_of;
use crate::identify::Identify;
use crate::refusal::Refusal;

/// The cookie that carries a session's token.
pub const COOKIE: &str = "lobby_session";

/// The bearer token and the session's cookie.
#[must_use]
pub fn of(headers: &HeaderMap) -> Credentials {
    Credentials { token: bearer(headers), cookie: cookie(headers) }
}

impl Identify {
    /// What is shown by a request that is neither a log-in nor a message, if one more of those may be made.
    pub(super) fn asking(&self, request: &HttpRequest) -> Result<Credentials, Refusal> {
        let credentials = of(request.headers());
        self.doorman.event(self.visitor(place_of(request.peer_addr()), &credentials))?;
        Ok(credentials)
    }
}

/// RFC 6750 §2.1. Other schemes are none of ours: they may be a proxy's.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';').filter_map(|pair| Cookie::parse(pair.trim()).ok()))
        .find(|cookie| cookie.name() == COOKIE)
        .map(|cookie| cookie.value().to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn shown(headers: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let request = headers.iter().fold(TestRequest::default(), |r, header| r.append_header(*header));
        let credentials = of(request.to_http_request().headers());
        (credentials.token, credentials.cookie)
    }

    #[test]
    fn tokens_are_found_where_they_belong() {
        let none = (None, None);
        let token = |t: &str| (Some(t.to_owned()), None);
        let cookie = |c: &str| (None, Some(c.to_owned()));
        for (headers, expected) in [
            (vec![], none.clone()),
            (vec![("Authorization", "Bearer abc")], token("abc")),
            (vec![("Authorization", "bearer  abc ")], token("abc")),
            (vec![("Authorization", "Bearer ")], token("")),
            (vec![("Authorization", "Basic abc")], none.clone()),
            (vec![("Authorization", "abc")], none.clone()),
            (vec![("Cookie", "lobby_session=abc")], cookie("abc")),
            (vec![("Cookie", "a=b; lobby_session=abc; c=d")], cookie("abc")),
            (vec![("Cookie", "a=b"), ("Cookie", "lobby_session=abc")], cookie("abc")),
            (vec![("Cookie", "xlobby_session=abc; ;=;")], none.clone()),
        ] {
            assert_eq!(shown(&headers), expected, "{headers:?}");
        }
    }
}
