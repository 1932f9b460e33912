//! Whether this process lives, and whether it should be sent requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use lobby_domain::ports::{Bus, Link, MessageLog, Standing, Unavailable};
use serde::Serialize;

use crate::presence::Attendants;
use crate::refusal::Refusal;
use crate::writer::Health;

/// What readiness depends on. Clones share it.
#[derive(Clone)]
pub struct Readiness {
    log: Arc<dyn MessageLog>,
    writer: Health,
    attendants: Attendants,
    bus: Arc<dyn Bus>,
    draining: Arc<AtomicBool>,
}

#[derive(Serialize)]
struct HealthView {
    status: &'static str,
}

#[derive(Serialize)]
struct ReadyView {
    status: &'static str,
    bus: BusView,
}

#[derive(Serialize)]
struct BusView {
    state: &'static str,
    published: u64,
    heard: u64,
    dropped: u64,
    skipped: u64,
}

impl From<Standing> for BusView {
    fn from(standing: Standing) -> Self {
        let Standing { link, published, heard, dropped, skipped } = standing;
        let state = match link {
            Link::InProcess => "in_process",
            Link::Connected => "connected",
            Link::Away => "away",
        };
        Self { state, published, heard, dropped, skipped }
    }
}

impl Readiness {
    /// Ready from the first beat on that the database has answered, which is when other nodes know of this one and it can tell what
    /// they have signed, and for as long as the log can be read and written, and connections can be let in. How the bus is doing is told and
    /// no more: without it everything goes on.
    #[must_use]
    pub fn new(log: Arc<dyn MessageLog>, writer: Health, attendants: Attendants, bus: Arc<dyn Bus>) -> Self {
        Self { log, writer, attendants, bus, draining: Arc::default() }
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
    if readiness.attendants.presence_time().is_none() {
        return Err(Refusal::from(&Unavailable::new("the other nodes cannot know of this one yet")));
    }
    if !readiness.attendants.is_in_touch() {
        return Err(Refusal::from(&Unavailable::new("who is here cannot be recorded")));
    }
    readiness.log.head().await.map_err(|error| Refusal::from(&error))?;
    let bus = readiness.bus.standing().into();
    Ok(HttpResponse::Ok().json(ReadyView { status: "ready", bus }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::ResponseError;
    use lobby_domain::presence::{Limits, Moment};
    use lobby_domain::testing::MemoryStore;
    use tokio::time::advance;

    use super::*;
    use crate::bus::in_process::InProcess;

    fn readiness(log: Arc<MemoryStore>, attendants: Attendants) -> web::Data<Readiness> {
        web::Data::new(Readiness::new(log, Health::new(), attendants, Arc::new(InProcess::default())))
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_not_ready_before_its_first_beat_is_answered() {
        let limits = Limits::default();
        let attendants = Attendants::new(&limits);
        let readiness = readiness(Arc::new(MemoryStore::new(limits)), attendants.clone());
        let refusal = ready(readiness.clone()).await.expect_err("nobody knows of it");
        assert_eq!(refusal.status_code(), StatusCode::SERVICE_UNAVAILABLE);
        attendants.told(Moment::default());
        assert_eq!(ready(readiness).await.expect("it is ready").status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_whose_beats_nobody_answers_for_a_lease_is_not_ready() {
        let limits = Limits::default();
        let log = Arc::new(MemoryStore::new(limits));
        // It beats once.
        let attendants = Attendants::new(&limits);
        attendants.told(Moment::default());
        let readiness = readiness(log, attendants);
        advance(limits.lease).await;
        assert_eq!(ready(readiness.clone()).await.expect("it is ready").status(), StatusCode::OK);
        advance(Duration::from_millis(1)).await;
        let refusal = ready(readiness).await.expect_err("it is not");
        assert_eq!(refusal.status_code(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
