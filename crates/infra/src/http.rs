//! REST: requests in, JSON out, every refusal as problem details (RFC 9457); and the page for people.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`client`] | from where a request comes |
//! | [`credentials`] | what a request shows of its sender |
//! | [`problem`] | refusals as responses, for what handlers refuse and for what never reaches one |
//! | `body` | how long a body may take |
//! | [`origin`] | which pages may act in their visitors' names |
//! | `accounts` | `POST /login`, `POST /logout`, `GET /session` |
//! | `listing` | `GET /users` |
//! | `messages` | `GET /messages`, `POST /messages` |
//! | [`requests`] | what is told of every request |
//! | [`metrics`] | `GET /metrics`, elsewhere |
//! | `health` | `GET /health/live`, `GET /health/ready` |
//! | `pages` | `GET /`, the web client; `GET /docs`, the API page |
//! | [`openapi`] | `GET /openapi.json` and `GET /asyncapi.json`, what the API page shows |
//!
//! Invariant: whatever comes in, the answer has a body that says what was wrong; never a 500 for what a
//! client did.

mod accounts;
mod body;
pub mod client;
pub mod credentials;
mod health;
mod listing;
mod messages;
pub mod metrics;
pub mod openapi;
pub mod origin;
mod pages;
pub mod problem;
pub mod requests;

pub use accounts::Accounts;
pub use body::BodyTimeout;
pub use messages::Messages;
use std::future::ready;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::{ConnectionType, header};
use actix_web::middleware::from_fn;
use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError, Route, guard, web,
};
pub use health::Readiness;

use crate::refusal::{Code, Refusal};

/// What requests and answers look like in JSON, for the examples of the API page.
pub(crate) mod shapes {
    pub(crate) use super::accounts::{LoggedInView, LoggedOutView, SessionView};
    pub(crate) use super::health::{HealthView, ReadyView};
    pub(crate) use super::messages::HistoryView;
}

/// Bytes of a request's body: a log-in is a name and a flag.
const MAX_BODY: usize = 16 * 1024;

/// The same of a message: its 16 KiB take up to 6 times that in JSON's escapes, as at `/ws`.
const MAX_MESSAGE_BODY: usize = 128 * 1024;

/// Adds every REST route and the web client, and answers for all that is no route. [`Accounts`], [`Messages`], [`Readiness`] and
/// [`BodyTimeout`] have to be in the app's data.
pub fn configure(app: &mut web::ServiceConfig) {
    app.app_data(json_of(MAX_BODY))
        .app_data(
            web::QueryConfig::default()
                .error_handler(|error, request| counted(request, problem::invalid_query(&error)).into()),
        )
        .service(act("/login", accounts::log_in))
        .service(read("/users", listing::list_users))
        .service(act("/logout", accounts::log_out))
        .service(read("/session", accounts::session))
        .service(messages())
        .service(read("/health/live", health::live))
        .service(read("/health/ready", health::ready))
        .service(read("/", pages::index))
        .service(read("/client/{path:.*}", pages::client_file))
        .service(read("/docs", pages::docs))
        .service(read("/docs/{path:.*}", pages::docs_file))
        .service(read("/openapi.json", openapi::openapi_json))
        .service(read("/asyncapi.json", openapi::asyncapi_json))
        .default_service(web::to(not_found));
}

/// Answers while there is no database yet: that the process lives, and that everything else has to wait. Nobody keeps the
/// connection, which ends with the waiting.
pub fn configure_waiting(app: &mut web::ServiceConfig) {
    let live = || async { hang_up(health::live().await) };
    let unavailable = |request: HttpRequest| async move {
        let detail = format!("{} has to wait: the database is not there yet", request.path());
        hang_up(Refusal::for_now(Code::Unavailable, &detail).error_response())
    };
    app.service(read("/health/live", live)).default_service(web::to(unavailable));
}

fn hang_up(mut response: HttpResponse) -> HttpResponse {
    response.head_mut().set_connection_type(ConnectionType::Close);
    response
}

fn json_of(most_bytes: usize) -> web::JsonConfig {
    web::JsonConfig::default()
        .limit(most_bytes)
        .error_handler(|error, request| counted(request, problem::invalid_json(&error)).into())
}

/// What is refused before a handler has it is asked for all the same, and may be too much.
fn counted(request: &HttpRequest, refusal: Refusal) -> Refusal {
    let accounts = request.app_data::<web::Data<Accounts>>();
    let too_much = accounts.and_then(|accounts| accounts.identify.asking(request).err());
    too_much.unwrap_or(refusal)
}

fn messages() -> impl HttpServiceFactory {
    let list = web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(messages::list);
    resource("/messages", "GET, HEAD, POST", list)
        .route(web::post().to(messages::post))
        .app_data(json_of(MAX_MESSAGE_BODY))
        .wrap(from_fn(body::in_time))
}

/// What can be read at a path; HEAD gets the same without the body (RFC 9110 §9.3.2).
pub fn read<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let route = web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler);
    resource(path, "GET, HEAD", route)
}

/// What can be done at a path.
fn act<F, Args>(path: &str, handler: F) -> impl HttpServiceFactory + use<F, Args>
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource(path, "POST", web::post().to(handler)).wrap(from_fn(body::in_time))
}

/// Any other method gets a 405 that names those that are taken.
fn resource(path: &str, allowed: &'static str, route: Route) -> Resource {
    let refuse = move |request: HttpRequest| ready(method_not_allowed(&request, allowed));
    web::resource(path).route(route).default_service(web::to(refuse))
}

fn method_not_allowed(request: &HttpRequest, allowed: &'static str) -> HttpResponse {
    let detail = format!("{} takes {allowed}, not {}", request.path(), request.method());
    let refusal = Refusal::new(Code::MethodNotAllowed, detail);
    let mut response = refusal.error_response();
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    response
}

async fn not_found(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let detail = format!("there is nothing at {}", request.path());
    Err(Refusal::new(Code::NotFound, detail))
}
