//! `GET /metrics`, at an address of its own: who runs the lobby may read them, and nobody else.

use std::future::ready;

use actix_web::{HttpRequest, HttpResponse, ResponseError, http::header, web};

use super::read;
use crate::metrics::{MEDIA_TYPE, Metrics};
use crate::refusal::{Code, Refusal};

/// Adds the one path there is at that address. [`Metrics`] have to be in the app's data.
pub fn configure(app: &mut web::ServiceConfig) {
    let nothing = |request: HttpRequest| {
        let detail = format!("there is nothing at {}: the metrics are at /metrics", request.path());
        ready(Refusal::new(Code::NotFound, detail).error_response())
    };
    app.service(read("/metrics", metrics)).default_service(web::to(nothing));
}

async fn metrics(metrics: web::Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, MEDIA_TYPE)).body(metrics.text().await)
}
