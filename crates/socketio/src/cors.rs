//! Cross-origin polling: which pages of other origins may read the answers (Fetch standard, "CORS protocol").

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};

/// Seconds for which a browser need not ask again; more than two hours is not granted anywhere.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Which pages of other origins may poll. It says who may read the answers; who may open a session at all is decided by
/// [`Config::allow_request`](crate::Config::allow_request).
#[derive(Debug, Clone, Default)]
pub struct Cors {
    /// Origins as browsers write them: `https://example.org`, without a slash at the end. `*` stands for all.
    pub origins: Vec<String>,
    /// Whether these pages may send cookies and the `Authorization` header of their users.
    pub credentials: bool,
}

impl Cors {
    /// Adds to an answer what lets the page read it, if it may.
    pub(crate) fn apply(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        answer.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = request.get(ORIGIN).filter(|origin| self.allows(origin)) else {
            return;
        };
        // The origin itself even where all are allowed: credentials do not go with `*`.
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// Adds to the answer of a preflight what the page may send.
    pub(crate) fn apply_preflight(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        self.apply(request, answer);
        if !answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(headers) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-a, x-b"));
        headers
    }

    fn cors(origin: &str) -> Cors {
        Cors { origins: vec![origin.to_owned()], credentials: true }
    }

    #[test]
    fn only_configured_origins_may_read() {
        let table = [
            ("https://a.example", "https://a.example", true),
            ("*", "https://b.example", true),
            ("https://a.example", "https://b.example", false),
            ("https://a.example", "http://a.example", false),
            ("https://a.example", "https://a.example.evil", false),
            ("https://a.example", "null", false),
        ];
        for (allowed, origin, may) in table {
            let mut answer = HeaderMap::new();
            cors(allowed).apply(&request(origin), &mut answer);
            let expected = may.then(|| HeaderValue::from_static(origin));
            assert_eq!(answer.get(ACCESS_CONTROL_ALLOW_ORIGIN), expected.as_ref(), "{origin}");
            assert_eq!(answer.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS), may);
            assert_eq!(answer.get(VARY).unwrap(), "Origin");
        }
    }

    #[test]
    fn credentials_are_for_those_who_configure_them() {
        let mut answer = HeaderMap::new();
        Cors { credentials: false, ..cors("*") }.apply(&request("https://a.example"), &mut answer);
        assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }

    #[test]
    fn a_preflight_learns_what_may_be_sent_unless_it_is_refused() {
        let mut answer = HeaderMap::new();
        cors("https://a.example").apply_preflight(&request("https://a.example"), &mut answer);
        assert_eq!(answer.get(ACCESS_CONTROL_ALLOW_METHODS).unwrap(), "GET, POST");
        assert_eq!(answer.get(ACCESS_CONTROL_ALLOW_HEADERS).unwrap(), "x-a, x-b");
        let mut answer = HeaderMap::new();
        cors("https://a.example").apply_preflight(&request("https://b.example"), &mut answer);
        assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_METHODS));
    }
}
