//! Pages for people: the web client and the API page, files of `web/client` and `web/docs`, built into the program.
//!
//! Invariant: nothing that a page shows can become code. The policies take scripts and styles from files of ours only.

use std::borrow::Cow;

use actix_web::http::header::{self, ETag, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::{not_found, openapi};
use crate::api::refusals;
use crate::refusal::Refusal;

/// What the web client may do (CSP level 3). `'self'` is the WebSocket of the same host, too; browsers that do not know that yet go
/// on by long-polling. No text can be made into markup.
const CLIENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The same of the API page, but for trusted types: Swagger UI makes markup of the descriptions, which are ours and are cleaned
/// by DOMPurify, and assigns it as text.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "web/client"]
struct ClientFiles;

#[derive(RustEmbed)]
#[folder = "web/docs"]
struct DocsFiles;

/// What there is to read about the interface, and what that leads to, as the repository has it.
const TEXTS: [(&str, &str); 6] = [
    ("api.md", include_str!("../../../../docs/api.md")),
    ("clients.md", include_str!("../../../../docs/clients.md")),
    ("events.md", include_str!("../../../../docs/events.md")),
    ("names.md", include_str!("../../../../docs/names.md")),
    ("security.md", include_str!("../../../../docs/security.md")),
    ("configuration.md", include_str!("../../../../docs/configuration.md")),
];

/// What can be read, and by what it is known.
pub(super) struct Page {
    content: Bytes,
    content_type: String,
    tag: EntityTag,
    policy: &'static str,
}

/// The web client.
#[utoipa::path(
    get,
    path = "/",
    tag = "pages",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html", headers(
            ("ETag", description = "What it is: a browser that has it already is answered 304"),
            ("Cache-Control", description = "`no-cache`: a browser asks again each time"),
            ("Content-Security-Policy", description = "Nothing but the page's own files may run"),
        )),
        (status = 304, description = "The browser has it already, as its `If-None-Match` says"),
        refusals::Page,
    )
)]
pub(super) async fn index(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    serve::<ClientFiles>(request, "index.html", CLIENT_POLICY).await
}

/// A file of the web client.
#[utoipa::path(
    get,
    path = "/client/{path}",
    tag = "pages",
    params(("path" = String, Path, description = "Which file", example = "main.js")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "*/*"),
        (status = 304, description = "The browser has it already"),
        refusals::ClientFile,
    )
)]
pub(super) async fn client_file(
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    serve::<ClientFiles>(request, &path, CLIENT_POLICY).await
}

/// The API page.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "pages",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 304, description = "The browser has it already"),
        refusals::Page,
    )
)]
pub(super) async fn docs(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    serve::<DocsFiles>(request, "index.html", DOCS_POLICY).await
}

/// A file of the API page, or a text about the interface.
#[utoipa::path(
    get,
    path = "/docs/{path}",
    tag = "pages",
    params(("path" = String, Path, description = "Which file", example = "docs.js")),
    responses(
        (status = 200, description = "The file; `clients.md`, `events.md`, `api.md`, `names.md`, `security.md` and `configuration.md` are for people", body = String, content_type = "*/*"),
        (status = 304, description = "The browser has it already"),
        refusals::DocsFile,
    )
)]
pub(super) async fn docs_file(
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    if let Some((_, text)) = TEXTS.iter().find(|(name, _)| **path == **name) {
        // Browsers show plain text, and save what they do not know.
        return Ok(Page::text(*text, "text/plain; charset=utf-8").answer(&request));
    }
    match path.as_str() {
        "" => docs(request).await,
        // Beside the texts, as in the repository.
        "openapi.json" => Ok(openapi::openapi_json(request).await),
        "asyncapi.json" => Ok(openapi::asyncapi_json(request).await),
        file => serve::<DocsFiles>(request, file, DOCS_POLICY).await,
    }
}

async fn serve<Files: RustEmbed>(
    request: HttpRequest,
    path: &str,
    policy: &'static str,
) -> Result<HttpResponse, Refusal> {
    let Some(file) = Files::get(path) else { return not_found(request).await };
    let page = Page {
        content: bytes(file.data),
        content_type: content_type(file.metadata.mimetype()),
        tag: tag(&file.metadata.sha256_hash()),
        policy,
    };
    Ok(page.answer(&request))
}

impl Page {
    /// Something to be read that does nothing.
    pub(super) fn text(text: impl Into<Bytes>, content_type: &str) -> Self {
        let content = text.into();
        Self {
            tag: tag(&Sha256::digest(&content)),
            content,
            content_type: content_type.to_owned(),
            policy: "default-src 'none'; frame-ancestors 'none'",
        }
    }

    /// Browsers ask again each time, so that all files are of one version; what they have already is not sent again.
    pub(super) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let is_known = knows(request, &self.tag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header(ETag(self.tag.clone()))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::CONTENT_SECURITY_POLICY, self.policy))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"));
        if is_known {
            return response.finish();
        }
        response.content_type(self.content_type.as_str()).body(self.content.clone())
    }
}

fn tag(hash: &[u8]) -> EntityTag {
    EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(hash))
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
