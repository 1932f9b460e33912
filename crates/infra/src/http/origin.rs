//! Which pages may act in their visitors' names.
//!
//! Browsers say in `Origin` which page a request comes from. Requests without one come from programs, which
//! have no visitors' cookies to abuse.

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::body::MessageBody;
use actix_web::dev::{RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::listing::REVISION;
use super::requests::REQUEST_ID;
use crate::refusal::{Code, Refusal};

/// How long a browser may remember what it may send: an hour. Origins change with a restart only.
const PREFLIGHT_SECONDS: usize = 3_600;

/// Which origins are let in besides the server's own.
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy {
    allowed: Arc<[String]>,
}

impl OriginPolicy {
    /// Origins as browsers send them: `https://chat.example`, no path, no slash at the end.
    #[must_use]
    pub fn new(allowed: &[String]) -> Self {
        Self { allowed: allowed.iter().map(|origin| origin.to_ascii_lowercase()).collect() }
    }

    /// Whether a request may act. An origin of `null` (a sandboxed frame, a file) is nobody's, so it may not.
    #[must_use]
    pub fn allows(&self, head: &RequestHead) -> bool {
        let Some(origin) = head.headers().get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str().map(str::to_ascii_lowercase) else { return false };
        let host = head.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        // HTTP/2 has the host in the URI.
        let host = host.or_else(|| head.uri.authority().map(actix_web::http::uri::Authority::as_str));
        self.allowed.contains(&origin)
            || host.is_some_and(|host| is_same(&origin, &host.to_ascii_lowercase()))
    }
}

fn is_same(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let without_default =
        |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_owned();
    without_default(authority) == without_default(host)
}

/// Refuses what would change something, and asking whether one may, for a page that may not act. Sockets ask [`OriginPolicy::allows`]
/// themselves.
pub async fn guard(
    policy: web::Data<OriginPolicy>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let acts = !request.method().is_safe() || request.method() == Method::OPTIONS;
    if acts && !policy.allows(request.head()) {
        return Err(forbidden().into());
    }
    next.call(request).await
}

/// Lets pages of the allowed origins read the answers, and send what is not a plain form (CORS, Fetch
/// standard §3.2).
pub fn cors(policy: &OriginPolicy) -> Cors {
    let policy = policy.clone();
    Cors::default()
        .allowed_origin_fn(move |_, head| policy.allows(head))
        // What is not taken is refused when it comes.
        .allow_any_method()
        .allow_any_header()
        .expose_headers([REVISION, header::LINK, REQUEST_ID])
        .supports_credentials()
        // Other origins are refused by `guard`, in the shape of every refusal.
        .block_on_origin_mismatch(false)
        .max_age(PREFLIGHT_SECONDS)
}

/// The refusal of a page that may not act.
#[must_use]
pub fn forbidden() -> Refusal {
    let detail = "pages of this origin may not use the lobby; 'server.allowed_origins' says which may";
    Refusal::new(Code::OriginNotAllowed, detail)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_the_servers_own_pages_and_those_configured_may_act() {
        let policy = OriginPolicy::new(&["https://Chat.example".to_owned()]);
        for (origin, host, allowed) in [
            (None, "lobby.example", true),
            (Some("http://lobby.example"), "lobby.example", true),
            (Some("https://lobby.example"), "lobby.example", true),
            (Some("HTTPS://Lobby.Example"), "lobby.example:443", true),
            (Some("http://lobby.example:80"), "lobby.example", true),
            (Some("http://127.0.0.1:5000"), "127.0.0.1:5000", true),
            (Some("http://[::1]:5000"), "[::1]:5000", true),
            (Some("https://chat.example"), "lobby.example", true),
            (Some("http://chat.example"), "lobby.example", false),
            (Some("http://127.0.0.1:3000"), "127.0.0.1:5000", false),
            (Some("http://lobby.example:443"), "lobby.example", false),
            (Some("https://evil.example"), "lobby.example", false),
            (Some("https://lobby.example.evil.example"), "lobby.example", false),
            (Some("null"), "lobby.example", false),
            (Some(""), "lobby.example", false),
            (Some("file://"), "", false),
        ] {
            let mut request = TestRequest::default().insert_header((header::HOST, host));
            if let Some(origin) = origin {
                request = request.insert_header((header::ORIGIN, origin));
            }
            assert_eq!(policy.allows(request.to_http_request().head()), allowed, "{origin:?} at {host}");
        }
    }
}
