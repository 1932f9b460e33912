//! Whether this process lives, and whether it should be sent requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use lobby_domain::ports::{Bus, Link, MessageLog, Standing, Unavailable};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::api::{examples, refusals};
use crate::presence::Attendants;
use crate::refusal::{Code, Refusal};
use crate::writer::Health;

/// What readiness depends on. Clones share it.
#[derive(Clone)]
pub struct Readiness {
    log: Arc<dyn MessageLog>,
    writer: Health,
    attendants: Attendants,
    bus: Arc<dyn Bus>,
    draining: Arc<AtomicBool>,
    /// What came of the last look into the database. It counts for a second: however many ask, and anybody may, it is looked no oftener.
    looked: Arc<Mutex<Option<Look>>>,
}

/// When it was looked, and what came of it.
type Look = (Instant, Result<(), Refusal>);

/// For how long a look counts.
const LOOK_COUNTS: Duration = Duration::from_secs(1);

/// That the process runs.
#[derive(Serialize, ToSchema)]
#[schema(as = Alive)]
pub(crate) struct HealthView {
    #[schema(inline)]
    status: Live,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Live {
    Live,
}

/// That requests may be sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
pub(crate) struct ReadyView {
    #[schema(inline)]
    status: Able,
    bus: BusView,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Able {
    Ready,
}

/// How the bus to other nodes is doing: it counts since the start.
#[derive(Serialize, ToSchema)]
#[schema(as = Bus)]
struct BusView {
    state: LinkView,
    /// Told to other nodes.
    published: u64,
    /// Heard of them.
    heard: u64,
    /// Dropped for want of room or of a bus.
    dropped: u64,
    /// Not understood, or not signed by a node.
    skipped: u64,
}

/// `in_process` where there is no bus.
#[derive(Serialize, ToSchema)]
#[schema(as = Link)]
#[serde(rename_all = "snake_case")]
enum LinkView {
    InProcess,
    Connected,
    Away,
}

impl HealthView {
    pub(crate) fn live() -> Self {
        Self { status: Live::Live }
    }
}

impl ReadyView {
    pub(crate) fn with(bus: Standing) -> Self {
        Self { status: Able::Ready, bus: bus.into() }
    }
}

impl From<Standing> for BusView {
    fn from(standing: Standing) -> Self {
        let Standing { link, published, heard, dropped, skipped } = standing;
        let state = match link {
            Link::InProcess => LinkView::InProcess,
            Link::Connected => LinkView::Connected,
            Link::Away => LinkView::Away,
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
        Self { log, writer, attendants, bus, draining: Arc::default(), looked: Arc::default() }
    }

    /// Whether requests may be sent, or why not.
    pub(crate) async fn check(&self) -> Result<(), Refusal> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Refusal::new(Code::Draining, "this node is shutting down"));
        }
        if !self.is_database_up() {
            return Err(Refusal::from(&Unavailable::new("the database takes no changes")));
        }
        if self.attendants.presence_time().is_none() {
            return Err(Refusal::from(&Unavailable::new("the other nodes cannot know of this one yet")));
        }
        if !self.is_in_touch() {
            return Err(Refusal::from(&Unavailable::new("who is here cannot be recorded")));
        }
        self.look().await
    }

    /// Who comes while it is looked waits for what comes of that.
    async fn look(&self) -> Result<(), Refusal> {
        let mut looked = self.looked.lock().await;
        if let Some((_, outcome)) = looked.as_ref().filter(|(at, _)| at.elapsed() < LOOK_COUNTS) {
            return outcome.clone();
        }
        let outcome = self.log.head().await.map(drop).map_err(|error| Refusal::from(&error));
        *looked = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// Whether the database takes changes, as far as the writer knows.
    pub(crate) fn is_database_up(&self) -> bool {
        self.writer.is_good()
    }

    /// See [`Attendants::is_in_touch`].
    pub(crate) fn is_in_touch(&self) -> bool {
        self.attendants.is_in_touch()
    }

    /// From here on never ready again: the node goes away.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

/// Whether the process runs.
///
/// Nothing more: a database that is away is no reason to restart it.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "is_live",
    tag = "health",
    responses(
        (status = 200, description = "It runs", body = HealthView, example = json!(examples::alive())),
        refusals::Live,
    )
)]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(HealthView::live())
}

/// Whether requests may be sent.
///
/// A bus that is away makes nobody unready.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "is_ready",
    tag = "health",
    responses(
        (status = 200, description = "They may", body = ReadyView, example = json!(examples::ready())),
        refusals::Ready,
    )
)]
pub(super) async fn ready(readiness: web::Data<Readiness>) -> Result<HttpResponse, Refusal> {
    readiness.check().await?;
    Ok(HttpResponse::Ok().json(ReadyView::with(readiness.bus.standing())))
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::http::StatusCode;
    use lobby_domain::ports::MockMessageLog;
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

    /// It is nobody's business how often somebody asks.
    #[tokio::test(start_paused = true)]
    async fn however_many_ask_the_database_is_looked_at_once_a_second() {
        let limits = Limits::default();
        let attendants = Attendants::new(&limits);
        attendants.told(Moment::default());
        let mut log = MockMessageLog::new();
        log.expect_head().times(2).returning(|| Err(Unavailable::new("as the test wants it")));
        let readiness =
            Readiness::new(Arc::new(log), Health::new(), attendants, Arc::new(InProcess::default()));
        for _ in 0..2 {
            for _ in 0..1_000 {
                readiness.check().await.expect_err("the database is away");
            }
            advance(LOOK_COUNTS).await;
        }
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
