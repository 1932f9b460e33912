//! Whether this process lives, and whether it should be sent requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use lobby_domain::ports::MessageLog;
use serde::Serialize;

use crate::refusal::Refusal;

/// What readiness depends on. Clones share it.
#[derive(Clone)]
pub struct Readiness {
    log: Arc<dyn MessageLog>,
    draining: Arc<AtomicBool>,
}

#[derive(Serialize)]
struct HealthView {
    status: &'static str,
}

impl Readiness {
    /// Ready for as long as the log can be read.
    #[must_use]
    pub fn new(log: Arc<dyn MessageLog>) -> Self {
        Self { log, draining: Arc::default() }
    }

    /// From here on never ready again: the node goes away.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

/// The process runs and answers, nothing more: a database that is away is no reason to restart it.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(HealthView { status: "live" })
}

pub(super) async fn ready(readiness: web::Data<Readiness>) -> Result<HttpResponse, Refusal> {
    if readiness.draining.load(Ordering::Relaxed) {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "this node is shutting down"));
    }
    readiness.log.head().await.map_err(|error| Refusal::from(&error))?;
    Ok(HttpResponse::Ok().json(HealthView { status: "ready" }))
}
