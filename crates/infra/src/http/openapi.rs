//! The document of all paths, put together from the handlers.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Header, InfoBuilder, LicenseBuilder, OpenApi as Document, PathItem, Ref, RefOr, Required,
    Response, ServerBuilder,
};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::credentials::COOKIE;
use super::pages::Page;
use super::problem::Problem;
use super::requests::{LONGEST_ID, REQUEST_ID};
use super::{accounts, health, listing, messages, pages};
use crate::api::{LICENCE, VERSION, asyncapi, refusals};
use crate::realtime::plain;

const ABOUT: &str = include_str!("openapi.md");

#[derive(OpenApi)]
#[openapi(
    paths(
        accounts::log_in,
        accounts::log_out,
        accounts::session,
        listing::list_users,
        messages::list,
        messages::post,
        health::live,
        health::ready,
        plain::upgrade,
        pages::index,
        pages::client_file,
        pages::docs,
        pages::docs_file,
        openapi_json,
        asyncapi_json,
    ),
    components(schemas(Problem<'_>)),
    tags(
        (name = "people", description = "Log in and out, and see who is online"),
        (name = "messages", description = "Say something, and read what was said"),
        (name = "sockets", description = "Where events come and go; `/asyncapi.json` describes them"),
        (name = "health", description = "For supervisors and load balancers"),
        (name = "pages", description = "For people and their tools"),
    ),
    modifiers(&Frame),
)]
struct Paths;

/// What the handlers do not say.
struct Frame;

impl Modify for Frame {
    fn modify(&self, document: &mut Document) {
        document.info = InfoBuilder::new()
            .title("Lobby")
            .version(VERSION)
            .description(Some(ABOUT))
            .license(Some(LicenseBuilder::new().name(LICENCE).identifier(Some(LICENCE)).build()))
            .build();
        document.servers = Some(vec![ServerBuilder::new().url("/").build()]);
        let components = document.components.get_or_insert_with(Components::new);
        for (status, response) in refusals::Elsewhere::responses() {
            components.responses.insert(format!("elsewhere-{status}"), response);
        }
        components.parameters.insert(REQUEST_ID.to_string(), own_id().into());
        components.headers.insert(REQUEST_ID.to_string(), id().into());
        components.responses.values_mut().for_each(name_answer);
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            let own_id = Ref::new(format!("#/components/parameters/{REQUEST_ID}"));
            operation.parameters.get_or_insert_default().push(RefOr::Ref(own_id));
            operation.responses.responses.values_mut().for_each(name_answer);
        }
        let bearer =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The session's token"));
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
        let cookie = ApiKeyValue::with_description(COOKIE, "The same token, as `POST /login` sets it");
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = path;
    [get, put, post, delete, options, head, patch, trace].into_iter().filter_map(Option::as_mut)
}

fn name_answer(answer: &mut RefOr<Response>) {
    if let RefOr::T(response) = answer {
        let id = Ref::new(format!("#/components/headers/{REQUEST_ID}"));
        response.headers.insert(REQUEST_ID.to_string(), RefOr::Ref(id));
    }
}

/// What comes with every answer.
fn id() -> Header {
    let pattern = format!("^[A-Za-z0-9_.-]{{1,{LONGEST_ID}}}$");
    HeaderBuilder::new()
        .description(Some(
            "Names the request in the log: the id that it has brought, if that is good, or a new one",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))))
        .build()
}

/// What every request may bring.
fn own_id() -> Parameter {
    let good = format!(
        "Names the request, for whoever looks for it in the log: at most {LONGEST_ID} letters, digits, `-`, `_` and `.`. Another is \
         replaced"
    );
    ParameterBuilder::new()
        .name(REQUEST_ID.as_str())
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(good))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// The document, as it is served.
///
/// # Panics
/// Never: what it is made of can always be said in JSON.
#[must_use]
pub fn document() -> String {
    Paths::openapi().to_pretty_json().expect("the document is made of texts and numbers") + "\n"
}

/// The events' document, as it is served.
fn events() -> String {
    format!("{:#}\n", asyncapi::document())
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "pages",
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object, headers(("ETag", description = "What it is"))),
        (status = 304, description = "The asker has it already, as `If-None-Match` says"),
        refusals::Page,
    )
)]
pub(super) async fn openapi_json(request: HttpRequest) -> HttpResponse {
    static PAGE: LazyLock<Page> = LazyLock::new(|| Page::text(document(), "application/json"));
    PAGE.answer(&request)
}

/// The document of the events.
#[utoipa::path(
    get,
    path = "/asyncapi.json",
    tag = "pages",
    responses(
        (status = 200, description = "AsyncAPI 3", body = Object, headers(("ETag", description = "What it is"))),
        (status = 304, description = "The asker has it already, as `If-None-Match` says"),
        refusals::Page,
    )
)]
pub(super) async fn asyncapi_json(request: HttpRequest) -> HttpResponse {
    static PAGE: LazyLock<Page> = LazyLock::new(|| Page::text(events(), "application/json"));
    PAGE.answer(&request)
}
