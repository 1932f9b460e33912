//! The web client: files of `web/client`, built into the program.
//!
//! Invariant: nothing that a page shows can become code. The policy takes scripts and styles from files of ours only, and lets no
//! text be made into markup.

use std::borrow::Cow;

use actix_web::http::header::{self, ETag, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::not_found;
use crate::refusal::Refusal;

/// What the page may do (CSP level 3). `'self'` is the WebSocket of the same host, too; browsers that do not know that yet go on
/// by long-polling.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

#[derive(RustEmbed)]
#[folder = "web/client"]
struct Files;

pub(super) async fn index(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    serve(request, "index.html").await
}

pub(super) async fn file(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Refusal> {
    serve(request, &path).await
}

async fn serve(request: HttpRequest, path: &str) -> Result<HttpResponse, Refusal> {
    match Files::get(path) {
        Some(file) => Ok(answer(&request, file)),
        None => not_found(request).await,
    }
}

/// Browsers ask again each time, so that all files are of one version; what they have already is not sent again.
fn answer(request: &HttpRequest, file: EmbeddedFile) -> HttpResponse {
    let tag = EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash()));
    let is_known = knows(request, &tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(ETag(tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    if is_known {
        return response.finish();
    }
    response.content_type(content_type(file.metadata.mimetype())).body(bytes(file.data))
}

/// A header that nobody can read is one that is not there (RFC 9110 §13.1.2).
fn knows(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

/// All of our texts are UTF-8.
fn content_type(mimetype: &str) -> String {
    if mimetype.starts_with("text/") { format!("{mimetype}; charset=utf-8") } else { mimetype.to_owned() }
}

fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => data.into(),
    }
}
