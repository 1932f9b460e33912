//! Read what was said, and say something, without a socket.

use actix_web::{HttpRequest, HttpResponse, web};
use lobby_domain::message::{LogId, MessageId};
use lobby_domain::ports::Page;
use lobby_domain::resume::Resume;
use lobby_domain::use_cases::{DEFAULT_PAGE, MAX_PAGE, Passage, ReadHistory};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::credentials;
use crate::api::{examples, refusals};
use crate::doorman::place_of;
use crate::identify::Identify;
use crate::refusal::{Code, Refusal};
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

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// What follows this message, from the oldest on; 0 is the beginning of a log that was never pruned.
    #[param(nullable = false)]
    after: Option<i64>,
    /// What came before this message, the newest of that. Not together with `after`.
    #[param(nullable = false)]
    before: Option<i64>,
    /// How many at most; 50 if it is not given.
    #[param(nullable = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// The log that `after` belongs to, as `session` names it. Only together with `after`.
    #[param(nullable = false)]
    log: Option<Uuid>,
}

/// A part of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = History)]
pub(crate) struct HistoryView<'a> {
    /// What may be seen of it, the oldest first.
    messages: Vec<MessageView<'a>>,
    /// Whether there is more in that direction.
    has_more: bool,
    /// Which log this is.
    log: Uuid,
    /// The oldest message that is kept, whoever may see it; `last_id` + 1 where there is none.
    first_id: i64,
    /// The newest message, whoever may see it.
    last_id: i64,
}

/// Reads what was said.
///
/// Public messages, and the private ones of the caller's session, the oldest first: the newest ones, or those that follow `after`, or
/// that came before `before`. Parameters that are not described are refused.
#[utoipa::path(
    get,
    path = "/messages",
    operation_id = "list_messages",
    tag = "messages",
    security((), ("token" = []), ("cookie" = [])),
    params(HistoryQuery),
    responses(
        (status = 200, description = "A part of the log", body = HistoryView<'_>, example = json!(examples::history())),
        refusals::ListMessages,
    )
)]
pub(super) async fn list(
    messages: web::Data<Messages>,
    request: HttpRequest,
    query: web::Query<HistoryQuery>,
) -> Result<HttpResponse, Refusal> {
    let caller = messages.identify.listener(&messages.identify.asking(&request)?).await?;
    let limit = query.limit()?;
    let page = messages.history.execute(&caller, query.passage()?, limit).await?;
    Ok(HttpResponse::Ok().json(HistoryView::from(&page)))
}

/// Says something without a socket.
///
/// What is sent again with its `client_id`, or its `Idempotency-Key`, gets the first answer again. The examples need the sender's token or
/// cookie, and the second one somebody who is online as Bob, with a claim. For a session without one its name as `sender` is enough.
#[utoipa::path(
    post,
    path = "/messages",
    operation_id = "post_message",
    tag = "messages",
    security((), ("token" = []), ("cookie" = [])),
    params((
        "Idempotency-Key" = inline(Option<String>),
        Header,
        description = "The same as `client_id`, with or without quotes",
        nullable = false,
        min_length = 1,
        max_length = 64,
    )),
    request_body(content = SendMessage, examples(
        ("to everybody" = (value = json!({"content": "Hello!", "client_id": "c-1"}))),
        ("to one" = (value = json!({"content": "Only for you.", "to": "Bob"}))),
    )),
    responses(
        (status = 201, description = "The message, as it is stored", body = MessageView<'_>, examples(
            ("to everybody" = (value = json!(examples::message()))),
            ("to one" = (value = json!(examples::private_message()))),
        )),
        refusals::PostMessage,
    )
)]
pub(super) async fn post(
    messages: web::Data<Messages>,
    request: HttpRequest,
    body: web::Json<Object<SendMessage>>,
) -> Result<HttpResponse, Refusal> {
    let (place, credentials) = (place_of(request.peer_addr()), credentials::of(request.headers()));
    messages.identify.doorman.message(messages.identify.visitor(place, &credentials))?;
    let Object(message) = body.into_inner();
    let message = message.with_key(idempotency_key(&request)?)?;
    let caller = messages.identify.caller(&credentials).await?;
    let posted = messages.identify.post(message.parse(&caller, place)?).await?;
    if caller.session().is_none_or(|own| own.id != posted.sender_session) {
        messages.identify.touch(posted.sender_session).await;
    }
    Ok(HttpResponse::Created().json(MessageView::from(&posted)))
}

/// As it is, or between quotes, which the draft of the header asks for.
fn idempotency_key(request: &HttpRequest) -> Result<Option<&str>, Refusal> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let Ok(value) = value.to_str() else {
        return Err(Refusal::new(Code::InvalidClientId, "'Idempotency-Key' has to be plain ASCII"));
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
    Refusal::new(Code::InvalidQuery, detail)
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
