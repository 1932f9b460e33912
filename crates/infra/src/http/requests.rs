//! What is told of every request, whatever becomes of it: a line in the log, and a number among the metrics.
//!
//! Each has an id, which is in all that is logged on its behalf and in the header `x-request-id` of its answer. Who asks may bring
//! one along, such as a load balancer that has logged it; a request that a node passes on to another keeps its own. The id of a
//! connection is that of the request that has opened it.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use tokio::time::Instant;
use tracing::{Instrument, field};

use crate::clock::random_request_id;
use crate::metrics::{Door, Metrics};
use crate::refusal::Code;

/// Names a request, in it and in its answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from whoever asks.
pub(super) const LONGEST_ID: usize = 64;

/// Tells of a request. It belongs around everything else. [`Metrics`] have to be in the app's data.
pub async fn observe(
    metrics: web::Data<Metrics>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = id_of(&request);
    request.headers_mut().insert(REQUEST_ID, id.clone());
    // The query is left out: a session's `sid` is in it.
    // Of the highest level, so that the ids are with whatever is logged.
    let span = tracing::error_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method = %request.method(),
        path = request.path()
    );
    let began = Instant::now();
    let answered = next.call(request).instrument(span.clone()).await;
    let _in_span = span.enter();
    match answered {
        Ok(mut response) => {
            tell(&metrics, response.response(), began);
            response.headers_mut().insert(REQUEST_ID, id);
            Ok(response)
        }
        Err(error) => {
            let mut response = error.error_response();
            tell(&metrics, &response, began);
            response.headers_mut().insert(REQUEST_ID, id);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// Client's mistakes are no news to whoever runs the lobby, and who waits for the database has been told of in one line.
fn tell<B>(metrics: &Metrics, response: &HttpResponse<B>, began: Instant) {
    let status = response.status();
    let code = response.extensions().get::<Code>().copied();
    metrics.answered(status);
    if let Some(code) = code {
        metrics.refused(Door::Http, code);
    }
    let (took, code) = (began.elapsed(), code.map(Code::as_str));
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        let error = response.error().map(field::display);
        tracing::error!(status = status.as_u16(), code, error, ?took, "a request has failed");
    } else {
        tracing::debug!(status = status.as_u16(), code, ?took, "a request is answered");
    }
}

fn id_of(request: &ServiceRequest) -> HeaderValue {
    let is_good = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=LONGEST_ID).contains(&bytes.len()) && bytes.iter().all(plain)
    };
    request.headers().get(REQUEST_ID).filter(is_good).cloned().unwrap_or_else(new_id)
}

fn new_id() -> HeaderValue {
    let id = random_request_id().simple().to_string();
    HeaderValue::try_from(id).expect("hexadecimal digits are good in a header")
}
