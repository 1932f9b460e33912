//! Read what was said, and say something, without a socket.

use actix_web::{HttpRequest, HttpResponse, web};
use lobby_domain::message::{LogId, MessageId};
use lobby_domain::ports::Page;
use lobby_domain::resume::Resume;
use lobby_domain::use_cases::{DEFAULT_PAGE, MAX_PAGE, Passage, ReadHistory};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::credentials;
use crate::identify::Identify;
use crate::refusal::Refusal;
use crate::send_message::SendMessage;
use crate::wire::{MessageView, Object};

/// A client's own name for a request that it may repeat.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What these requests need.
pub struct Messages {
    /// Finds out who asks.
    pub identify: Identify,
    /// Reads.
    pub history: ReadHistory,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    after: Option<i64>,
    before: Option<i64>,
    limit: Option<usize>,
    log: Option<Uuid>,
}

#[derive(Serialize)]
struct HistoryView<'a> {
    messages: Vec<MessageView<'a>>,
    has_more: bool,
    log: Uuid,
    first_id: i64,
    last_id: i64,
}

pub(super) async fn list(
    messages: web::Data<Messages>,
    request: HttpRequest,
    query: web::Query<HistoryQuery>,
) -> Result<HttpResponse, Refusal> {
    let caller = messages.identify.listener(&credentials::of(request.headers())).await?;
    let limit = query.limit()?;
    let page = messages.history.execute(&caller, query.passage()?, limit).await?;
    Ok(HttpResponse::Ok().json(HistoryView::from(&page)))
}

pub(super) async fn post(
    messages: web::Data<Messages>,
    request: HttpRequest,
    body: web::Json<Object<SendMessage>>,
) -> Result<HttpResponse, Refusal> {
    let Object(message) = body.into_inner();
    let message = message.with_key(idempotency_key(&request)?)?;
    let caller = messages.identify.caller(&credentials::of(request.headers())).await?;
    let posted = messages.identify.post(message.parse(&caller)?).await?;
    if caller.session().is_none_or(|own| own.id != posted.sender_session) {
        messages.identify.touch(posted.sender_session).await;
    }
    Ok(HttpResponse::Created().json(MessageView::from(&posted)))
}

/// As it is, or between quotes, which the draft of the header asks for.
fn idempotency_key(request: &HttpRequest) -> Result<Option<&str>, Refusal> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let Ok(value) = value.to_str() else {
        return Err(Refusal::bad_request("invalid_client_id", "'Idempotency-Key' has to be plain ASCII"));
    };
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Ok(Some(unquoted.unwrap_or(value)))
}

impl HistoryQuery {
    fn limit(&self) -> Result<usize, Refusal> {
        match self.limit {
            None => Ok(DEFAULT_PAGE),
            Some(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
            Some(limit) => Err(invalid(format!("'limit' is {limit}, and has to be within 1 to {MAX_PAGE}"))),
        }
    }

    fn passage(&self) -> Result<Passage, Refusal> {
        match (self.after, self.before) {
            (Some(_), Some(_)) => Err(invalid("'after' and 'before' exclude each other")),
            (Some(after), None) => {
                Ok(Passage::After(Resume { log: self.log.map(LogId), after: MessageId(after) }))
            }
            (None, _) if self.log.is_some() => Err(invalid("'log' goes with 'after' only")),
            (None, Some(before)) => Ok(Passage::Before(MessageId(before))),
            (None, None) => Ok(Passage::Newest),
        }
    }
}

fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::bad_request("invalid_query", detail)
}

impl<'a> From<&'a Page> for HistoryView<'a> {
    fn from(page: &'a Page) -> Self {
        Self {
            messages: page.messages.iter().map(MessageView::from).collect(),
            has_more: page.has_more,
            log: page.head.log.0,
            first_id: page.head.first_id.0,
            last_id: page.head.last_id.0,
        }
    }
}
