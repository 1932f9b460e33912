//! Refusals as problem details (RFC 9457), with the `error` member that the original's clients read.

use actix_web::error::{JsonPayloadError, QueryPayloadError};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::refusal::Refusal;

/// The media type of RFC 9457 §3.
pub const MEDIA_TYPE: &str = "application/problem+json";

#[derive(Serialize)]
struct Problem<'a> {
    /// `about:blank` (RFC 9457 §4.2.1): what tells problems apart is `code`.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response.content_type(MEDIA_TYPE).json(Problem {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            error: &self.detail,
            retry_after: self.retry_after,
        })
    }
}

/// A body that is not what the path takes.
pub(super) fn invalid_json(error: &JsonPayloadError) -> actix_web::Error {
    let (status, code) = match error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large")
        }
        JsonPayloadError::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
        JsonPayloadError::Deserialize(cause) if cause.is_data() => (StatusCode::BAD_REQUEST, "invalid_body"),
        _ => (StatusCode::BAD_REQUEST, "invalid_json"),
    };
    let detail = match error {
        JsonPayloadError::ContentType => {
            "the body has to be JSON, with 'Content-Type: application/json'".to_owned()
        }
        JsonPayloadError::Deserialize(cause) => format!("the body is not what this path takes: {cause}"),
        other => other.to_string(),
    };
    Refusal::new(status, code, detail).into()
}

/// A query that is not what the path takes.
pub(super) fn invalid_query(error: &QueryPayloadError) -> actix_web::Error {
    Refusal::bad_request("invalid_query", format!("the query is not what this path takes: {error}")).into()
}
