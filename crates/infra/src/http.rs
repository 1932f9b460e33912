//! REST: requests in, JSON out, every refusal as problem details (RFC 9457).
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`credentials`] | what a request shows of its sender |
//! | [`problem`] | refusals as responses, for what handlers refuse and for what never reaches one |
//! | [`origin`] | which pages may act in their visitors' names |
//! | `accounts` | `POST /login`, `GET /users`, `POST /logout`, `GET /session` |
//! | `health` | `GET /health/live`, `GET /health/ready` |
//!
//! Invariant: whatever comes in, the answer has a body that says what was wrong; never a 500 for what a client did.

mod accounts;
pub mod credentials;
mod health;
pub mod origin;
pub mod problem;

pub use accounts::Accounts;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, Route, web};
pub use health::Readiness;

use crate::refusal::Refusal;

/// Bytes of a request's body: a log-in is a name and a flag.
const MAX_BODY: usize = 16 * 1024;

/// Adds every REST route, and answers for all that is no route. [`Accounts`] and [`Readiness`] have to be in the app's data.
pub fn configure(app: &mut web::ServiceConfig) {
    app.app_data(
        web::JsonConfig::default().limit(MAX_BODY).error_handler(|error, _| problem::invalid_json(&error)),
    )
    .app_data(web::QueryConfig::default().error_handler(|error, _| problem::invalid_query(&error)))
    .service(resource("/login", Method::POST, web::post().to(accounts::log_in)))
    .service(resource("/users", Method::GET, web::get().to(accounts::list_users)))
    .service(resource("/logout", Method::POST, web::post().to(accounts::log_out)))
    .service(resource("/session", Method::GET, web::get().to(accounts::session)))
    .service(resource("/health/live", Method::GET, web::get().to(health::live)))
    .service(resource("/health/ready", Method::GET, web::get().to(health::ready)))
    .default_service(web::to(not_found));
}

/// A path with one method: any other gets a 405 that names it.
#[must_use]
pub fn resource(path: &str, method: Method, route: Route) -> actix_web::Resource {
    let refuse = move |request: HttpRequest| {
        let problem = method_not_allowed(&request, &method);
        async move { problem }
    };
    web::resource(path).route(route).default_service(web::to(refuse))
}

fn method_not_allowed(request: &HttpRequest, allowed: &Method) -> HttpResponse {
    let detail = format!("{} takes {allowed}, not {}", request.path(), request.method());
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    let mut response = refusal.error_response();
    let allowed = header::HeaderValue::from_str(allowed.as_str()).expect("a method is a token");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

async fn not_found(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let detail = format!("there is nothing at {}", request.path());
    Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", detail))
}
