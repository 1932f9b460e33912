//! The plain WebSocket at `/ws`: one JSON text frame an event.
//!
//! Client: `{"event", "data", "ack"?}`, `connect` first. Server: `{"event", "data"}` and `{"ack", "data"}`.

use std::future::ready;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lobby_domain::auth::Credentials;
use lobby_domain::message::{LogId, MessageId};
use lobby_domain::resume::Resume;
use lobby_websocket::{CloseCode, Closed, ClosedBy, Connection, Frame, Incoming, Limits, Outbox};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::Instrument;
use utoipa::ToSchema;
use uuid::Uuid;

use super::encode::{ErrorView, json, plain_event};
use super::gateway::Gateway;
use super::ids::Ids;
use super::participant::Participant;
use super::shard::Membership;
use super::sink::{Sink, UNAUTHENTICATED};
use crate::api::refusals;
use crate::doorman::{Seat, place_of};
use crate::http::origin::{self, OriginPolicy};
use crate::http::{credentials, read};
use crate::metrics::{Door, Ending};
use crate::refusal::{Code, Refusal};
use crate::wire::Object;

/// Closes a connection whose first frame is no `connect`.
const CONNECT_FIRST: CloseCode = CloseCode::private(4400);
/// Closes a connection that does not say `connect` in time.
const CONNECT_TIMEOUT: CloseCode = CloseCode::private(4408);

/// The first code that is an application's own (RFC 6455, section 7.4.2).
const FIRST_OWN: u16 = 4_000;

/// Events of one connection that may be under way; then it is not read until one has been answered.
const MAX_IN_FLIGHT: usize = 64;

/// Settings of plain connections.
#[derive(Debug, Clone)]
pub struct PlainSettings {
    /// Bounds of each connection, and its heartbeat.
    pub limits: Limits,
    /// How long a client may take to say `connect`.
    pub connect_timeout: Duration,
}

/// `GET /ws`. An [`OriginPolicy`] has to be in the app's data.
#[must_use]
pub fn service(gateway: Rc<Gateway>, settings: PlainSettings) -> actix_web::Resource {
    let upgrade = move |request: HttpRequest, body: web::Payload, origins: web::Data<OriginPolicy>| {
        ready(upgrade(&request, body, &origins, gateway.clone(), &settings))
    };
    read("/ws", upgrade)
}

/// Opens a plain WebSocket.
///
/// A handshake by RFC 6455. `/asyncapi.json` describes what goes over it.
#[utoipa::path(
    get,
    path = "/ws",
    operation_id = "open_websocket",
    tag = "sockets",
    responses((status = 101, description = "It is a WebSocket now"), refusals::Upgrade)
)]
pub(crate) fn upgrade(
    request: &HttpRequest,
    body: web::Payload,
    origins: &OriginPolicy,
    gateway: Rc<Gateway>,
    settings: &PlainSettings,
) -> Result<HttpResponse, Refusal> {
    if !origins.allows(request.head()) {
        return Err(origin::forbidden());
    }
    let (response, connection) =
        lobby_websocket::accept(request, body, &settings.limits).map_err(|error| {
            let detail = format!("this is a WebSocket: it takes a handshake by RFC 6455 ({error})");
            Refusal::new(Code::UpgradeRequired, detail)
        })?;
    // What is no handshake takes nothing of its address. Refused, the connection is dropped, and the request answered as any other.
    let seat = gateway.identify.doorman.connection(place_of(request.peer_addr()))?;
    let ids = Ids::of(request.headers());
    let span = ids.debug_span();
    let visit = Visit { ids, shown: credentials::of(request.headers()), seat };
    let serving = serve(connection, visit, gateway, settings.connect_timeout);
    actix_web::rt::spawn(serving.instrument(span));
    Ok(response)
}

/// Who has shaken hands.
struct Visit {
    ids: Ids,
    /// What the handshake showed.
    shown: Credentials,
    /// From where, and that it is counted.
    seat: Seat,
}

/// What a client sends.
#[derive(Deserialize)]
pub(super) struct ClientFrame<'a> {
    event: String,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow)]
    ack: Option<&'a RawValue>,
}

impl<'a> ClientFrame<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(text) {
            Ok(Object(frame)) => Ok(frame),
            Err(error) => {
                let detail =
                    format!("a frame is a JSON object with 'event', 'data' and perhaps 'ack': {error}");
                Err(Refusal::new(Code::InvalidFrame, detail))
            }
        }
    }
}

/// What a client says of itself over `/ws`.
#[derive(Deserialize, ToSchema, Default)]
#[schema(as = Connect)]
pub(crate) struct ConnectData {
    /// The session's token.
    token: Option<String>,
    /// The log that `after` belongs to, as `session` named it.
    log: Option<Uuid>,
    /// The last message that was seen: what follows is sent first.
    after: Option<i64>,
    /// Whether who comes and goes is told in batches.
    #[serde(default)]
    batch: bool,
}

impl ConnectData {
    fn resume(&self) -> Option<Resume> {
        Some(Resume { after: MessageId(self.after?), log: self.log.map(LogId) })
    }
}

#[derive(Serialize)]
struct AckFrame<'a, T> {
    ack: &'a RawValue,
    data: T,
}

async fn serve(
    mut connection: Connection,
    mut visit: Visit,
    gateway: Rc<Gateway>,
    connect_timeout: Duration,
) {
    // Once in a connection's life: its task need not be as large as that for the rest of it.
    let span = visit.ids.span();
    let entered =
        Box::pin(enter(&mut connection, &mut visit, &gateway, connect_timeout).instrument(span)).await;
    match entered {
        Ok(Some((participant, membership))) => {
            let closed = converse(&mut connection, &gateway, &participant, &membership).await;
            let ending = ending(&closed);
            visit.ids.tell_of_end(
                ending,
                &closed.code.map_or_else(|| "no close frame".to_owned(), |code| code.to_string()),
            );
            gateway.metrics.closed(Door::WebSocket, ending);
        }
        Ok(None) => {}
        Err((code, reason)) => {
            visit.ids.tell_of_refusal(reason, [CloseCode::TRY_AGAIN, CloseCode::GOING_AWAY].contains(&code));
            close(connection, code, reason).await;
        }
    }
}

/// Why a connection is closed.
type Refused = (CloseCode, &'static str);

/// Lets the client in, if what it says first is right. `None` if it goes away instead.
async fn enter(
    connection: &mut Connection,
    visit: &mut Visit,
    gateway: &Gateway,
    connect_timeout: Duration,
) -> Result<Option<(Participant, Membership)>, Refused> {
    let first = tokio::select! {
        first = tokio::time::timeout(connect_timeout, connection.next()) => first,
        () = gateway.shard.closed() => return Err((CloseCode::GOING_AWAY, "going_away")),
    };
    let first = first.map_err(|_| (CONNECT_TIMEOUT, "connect_timeout"))?;
    let Some(connect) = parse_connect(first)? else { return Ok(None) };
    let (resume, in_batches) = (connect.resume(), connect.batch);
    let entering = async {
        let shown = merge(mem::take(&mut visit.shown), connect);
        gateway.knock(&visit.seat, &shown)?;
        let participant = gateway.recognise(&visit.seat, &shown).await?;
        let start = gateway.start(resume).await?;
        Ok::<_, Refusal>((participant, start))
    };
    let (participant, start) = entering.await.map_err(|refusal| {
        gateway.metrics.refused(Door::WebSocket, refusal.code);
        if refusal.retry_after.is_some() {
            // A close frame has no room for when to come back.
            answer_error(&connection.outbox(), None, &refusal);
        }
        refused(&refusal)
    })?;
    let (sink, caller) = (Sink::Plain(connection.outbox()), &participant.caller);
    let membership = gateway.enter(sink, caller, start, None, in_batches).await;
    Ok(Some((participant, membership)))
}

/// What the client says first. `None` if it goes away instead.
fn parse_connect(first: Incoming) -> Result<Option<ConnectData>, Refused> {
    let not_connect = (CONNECT_FIRST, "connect_first");
    let text = match first {
        Incoming::Text(text) => text,
        Incoming::Binary(_) => return Err((CloseCode::UNSUPPORTED, "text_only")),
        Incoming::Closed(_) => return Ok(None),
    };
    let Object(frame): Object<ClientFrame<'_>> = serde_json::from_str(&text).map_err(|_| not_connect)?;
    if frame.event != "connect" {
        return Err(not_connect);
    }
    let data = frame.data.map_or("null", RawValue::get);
    let connect: Option<Object<ConnectData>> = serde_json::from_str(data).map_err(|_| not_connect)?;
    Ok(Some(connect.map_or_else(ConnectData::default, |Object(connect)| connect)))
}

/// A token in the frame was shown on purpose, more so than one in a header.
fn merge(shown: Credentials, connect: ConnectData) -> Credentials {
    Credentials { token: connect.token.or(shown.token), ..shown }
}

fn refused(refusal: &Refusal) -> Refused {
    (if refusal.code.is_passing() { CloseCode::TRY_AGAIN } else { UNAUTHENTICATED }, refusal.code.as_str())
}

/// Says goodbye and waits for the answer, so that the client gets to read it.
async fn close(mut connection: Connection, code: CloseCode, reason: &str) {
    connection.outbox().close(code, reason);
    while !matches!(connection.next().await, Incoming::Closed(_)) {}
}

/// Until the connection ends, and how. Events are begun in the order they came in, and answered as they get done.
async fn converse(
    connection: &mut Connection,
    gateway: &Gateway,
    participant: &Participant,
    membership: &Membership,
) -> Closed {
    let outbox = connection.outbox();
    // Boxed, for the set holds room for one as long as it lives, and one that is under way is larger than all else of a connection.
    let mut in_flight = FuturesUnordered::<LocalBoxFuture<'_, ()>>::new();
    loop {
        tokio::select! {
            // What was begun comes first, so that an event has its place before the next one is read.
            biased;
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            incoming = connection.next(), if in_flight.len() < MAX_IN_FLIGHT => match incoming {
                Incoming::Text(text) => {
                    let Some(under_way) = membership.begin() else { continue };
                    let handled = handle(gateway, participant, &outbox, text.into_bytes());
                    in_flight.push(handled.map(|()| drop(under_way)).boxed_local());
                }
                Incoming::Binary(_) => outbox.close(CloseCode::UNSUPPORTED, "text_only"),
                Incoming::Closed(closed) => return closed,
            }
        }
    }
}

fn ending(closed: &Closed) -> Ending {
    match (closed.by, closed.code) {
        (ClosedBy::Peer, _) => Ending::Client,
        (ClosedBy::Lost, _) => Ending::Lost,
        (ClosedBy::Us, Some(CloseCode::TRY_AGAIN)) => Ending::TooSlow,
        (ClosedBy::Us, Some(code)) if code == CloseCode::GOING_AWAY || code.get() >= FIRST_OWN => {
            Ending::Server
        }
        (ClosedBy::Us, _) => Ending::Protocol,
    }
}

async fn handle(gateway: &Gateway, participant: &Participant, outbox: &Outbox, text: Bytes) {
    let frame = match ClientFrame::parse(&text) {
        Ok(frame) => frame,
        Err(refusal) => {
            let counted = gateway.identify.doorman.event(participant.visitor);
            let refusal = counted.err().unwrap_or(refusal);
            gateway.metrics.refused(Door::WebSocket, refusal.code);
            return answer_error(outbox, None, &refusal);
        }
    };
    match (gateway.handle(participant, &frame.event, frame.data).await, frame.ack) {
        (Ok(Some(posted)), Some(ack)) => answer(outbox, &AckFrame { ack, data: posted }),
        (Ok(_), _) => {}
        (Err(refusal), ack) => {
            gateway.metrics.refused(Door::WebSocket, refusal.code);
            answer_error(outbox, ack, &refusal);
        }
    }
}

fn answer_error(outbox: &Outbox, ack: Option<&RawValue>, refusal: &Refusal) {
    let data = ErrorView::from(refusal);
    match ack {
        Some(ack) => answer(outbox, &AckFrame { ack, data }),
        None => send(outbox, &plain_event("error", &json(&data))),
    }
}

fn answer(outbox: &Outbox, frame: &impl Serialize) {
    send(outbox, &Frame::text(json(frame).get()));
}

/// An outbox that refuses belongs to a connection that is ending, which is seen where it is read.
fn send(outbox: &Outbox, frame: &Frame) {
    let _ending = outbox.send(frame);
}
