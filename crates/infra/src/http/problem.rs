//! Refusals as problem details (RFC 9457), with the `error` member that the original's clients read.

use actix_web::error::{JsonPayloadError, QueryPayloadError};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::body;
use crate::refusal::{Code, Refusal};

/// The media type of RFC 9457 §3.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    /// `about:blank` (RFC 9457 §4.2.1): what tells problems apart is `code`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status' own phrase.
    title: &'a str,
    /// The status again.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A sentence for people, which may change.
    detail: &'a str,
    /// Stable, for programs.
    code: Code,
    /// The same as `detail`, where the original's clients look for it.
    error: &'a str,
    /// Seconds after which trying again may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u32>,
}

impl<'a> From<&'a Refusal> for Problem<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        let status = refusal.code.status();
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: &refusal.detail,
            code: refusal.code,
            error: &refusal.detail,
            retry_after: refusal.retry_after,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if self.code == Code::UpgradeRequired {
            // RFC 9110 §15.5.22, RFC 6455 §4.4: to what, and by which version of it. The builder's `upgrade` would end the connection
            // behind this answer, without a word of that in it.
            response.insert_header((header::UPGRADE, "websocket"));
            response.insert_header((header::SEC_WEBSOCKET_VERSION, "13"));
        }
        let mut response = response.content_type(MEDIA_TYPE).json(Problem::from(self));
        // For whoever counts what is refused.
        response.extensions_mut().insert(self.code);
        response
    }
}

/// A body that is not what the path takes.
pub(super) fn invalid_json(error: &JsonPayloadError) -> Refusal {
    if matches!(error, JsonPayloadError::Payload(cause) if body::is_late(cause)) {
        return Refusal::for_now(Code::BodyTooSlow, &"the body did not come in time");
    }
    let code = match error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
            Code::BodyTooLarge
        }
        JsonPayloadError::ContentType => Code::UnsupportedMediaType,
        JsonPayloadError::Deserialize(cause) if cause.is_data() => Code::InvalidBody,
        _ => Code::InvalidJson,
    };
    let detail = match error {
        JsonPayloadError::ContentType => {
            "the body has to be JSON, with 'Content-Type: application/json'".to_owned()
        }
        JsonPayloadError::Deserialize(cause) => format!("the body is not what this path takes: {cause}"),
        other => other.to_string(),
    };
    Refusal::new(code, detail)
}

/// A query that is not what the path takes.
pub(super) fn invalid_query(error: &QueryPayloadError) -> Refusal {
    Refusal::new(Code::InvalidQuery, format!("the query is not what this path takes: {error}"))
}
