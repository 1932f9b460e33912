//! Whether this process lives, and whether it should be sent requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use lobby_domain::ports::{MessageLog, Unavailable};
use serde::Serialize;

use crate::refusal::Refusal;
use crate::writer::Health;

/// What readiness depends on. Clones share it.
#[derive(Clone)]
pub struct Readiness {
    log: Arc<dyn MessageLog>,
    writer: Health,
    draining: Arc<AtomicBool>,
}

#[derive(Serialize)]
struct HealthView {
    status: &'static str,
}

impl Readiness {
    /// Ready for as long as the log can be read and written.
    #[must_use]
    pub fn new(log: Arc<dyn MessageLog>, writer: Health) -> Self {
        Self { log, writer, draining: Arc::default() }
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
    if !readiness.writer.is_good() {
        return Err(Refusal::from(&Unavailable::new("the database takes no changes")));
    }
    readiness.log.head().await.map_err(|error| Refusal::from(&error))?;
    Ok(HttpResponse::Ok().json(HealthView { status: "ready" }))
}
