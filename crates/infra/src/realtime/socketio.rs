//! Socket.IO at `/socket.io/`: the lobby's events in the main namespace.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix_socketio::{
    Admit, ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Permit, Socket, TooMany,
};
use lobby_domain::auth::{Caller, Credentials};
use lobby_domain::message::{LogId, MessageId};
use lobby_domain::resume::Resume;
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::Instrument;
use utoipa::ToSchema;
use uuid::Uuid;

use super::encode::{ErrorView, NAMESPACE};
use super::gateway::Gateway;
use super::hub::Start;
use super::ids::Ids;
use super::participant::Participant;
use super::recovery::{Pid, Pids};
use super::shard::Membership;
use super::sink::Sink;
use crate::doorman::{Doorman, Seat, place_of};
use crate::http::credentials;
use crate::metrics::{Door, Ending, Metrics};
use crate::refusal::{Code, Refusal};
use crate::wire::Object;

/// Whether there is room for a Socket.IO session, which has its seat from here. It is told at the handshake: from a refusal there all
/// clients come back by themselves.
#[must_use]
pub fn admit(doorman: Doorman, metrics: Metrics) -> Admit {
    Arc::new(move |request| match doorman.connection(place_of(request.peer_addr())) {
        Ok(seat) => Ok(Permit::new(seat)),
        Err(refusal) => {
            metrics.refused(Door::Http, refusal.code);
            Err(TooMany {
                status: refusal.code.status(),
                message: refusal.detail,
                retry_after: refusal.retry_after.unwrap_or(1),
            })
        }
    })
}

/// The lobby as a Socket.IO application, for sessions that [`admit`] has let in.
pub struct LobbyHandler {
    gateway: Rc<Gateway>,
    pids: Pids,
}

/// One socket's state.
pub struct SocketState {
    ids: Ids,
    participant: Participant,
    start: Start,
    /// What its client shows to be recovered, if it wants to be.
    pid: Option<(Pid, String)>,
    /// Whether it wants to be told of who comes and goes in batches.
    in_batches: bool,
    /// From the moment that the socket has been answered until it has gone.
    membership: RefCell<Option<Membership>>,
}

/// What a client says of itself in `auth`. `pid` and `offset` are the doing of its library.
#[derive(Deserialize, ToSchema, Default)]
pub(crate) struct Auth {
    /// The session's token.
    token: Option<String>,
    /// The log that `after` belongs to, as `session` named it.
    log: Option<Uuid>,
    /// The last message that was seen: what follows is sent first.
    after: Option<i64>,
    /// Whether it wants Socket.IO's connection state recovery.
    #[serde(default)]
    recovery: bool,
    /// Whether who comes and goes is told in batches.
    #[serde(default)]
    batch: bool,
    /// What a recovering client was given when it connected first.
    pid: Option<String>,
    /// What came last with the last message that it saw.
    offset: Option<String>,
}

impl Auth {
    fn resume(&self) -> Option<Resume> {
        Some(Resume { after: MessageId(self.after?), log: self.log.map(LogId) })
    }
}

impl LobbyHandler {
    /// For the connections of one worker.
    #[must_use]
    pub fn new(gateway: Rc<Gateway>, pids: Pids) -> Self {
        Self { gateway, pids }
    }

    /// Where a socket begins, and what its client gets to be recovered from there.
    async fn begin(&self, auth: &Auth, caller: &Caller) -> Result<(Start, Option<(Pid, String)>), Refusal> {
        if !auth.recovery {
            return Ok((self.gateway.start(auth.resume()).await?, None));
        }
        let session = caller.session().map(|session| session.id);
        // A pid is good for those only who got it.
        let shown = auth.pid.as_deref().and_then(|text| Some((self.pids.verify(text)?, text.to_owned())));
        let own = shown.filter(|(pid, _)| pid.session == session);
        let resume = match &own {
            Some((pid, _)) => {
                Some(Resume { log: Some(pid.log), after: pid.position(auth.offset.as_deref()) })
            }
            None => auth.resume(),
        };
        match (self.gateway.start(resume).await?, own) {
            (start @ Start::After { .. }, Some(pid)) => {
                self.gateway.shard.hub.supersede(pid.0.number).await;
                Ok((start, Some(pid)))
            }
            (start, _) => {
                let (log, newest) = self.gateway.shard.hub.position();
                let (position, recovered) = match start {
                    Start::After { position, recovered } => (position, recovered),
                    Start::Now => (newest, false),
                };
                let pid = self.pids.issue(log, position, session);
                Ok((Start::After { position, recovered }, Some(pid)))
            }
        }
    }
}

impl Handler for LobbyHandler {
    type Session = SocketState;

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<SocketState, ConnectError> {
        let seat = request.handshake.permit.as_ref().and_then(Permit::get::<Seat>);
        let seat = seat.expect("`admit` has given one, or there were no connection");
        let headers = request.handshake.headers();
        let ids = Ids::of(&headers);
        let told = |refusal: &Refusal| {
            self.gateway.metrics.refused(Door::SocketIo, refusal.code);
            ids.tell_of_refusal(refusal.code.as_str(), refusal.code.is_passing());
        };
        let auth = parse_auth(request.auth);
        let shown = credentials::of(&headers);
        let token = auth.as_ref().ok().and_then(|auth| auth.token.clone());
        let credentials = Credentials { token: token.or(shown.token), ..shown };
        let turned_away = |refusal| turned_away(&refusal, &credentials);
        self.gateway.knock(seat, &credentials).inspect_err(told).map_err(turned_away)?;
        if request.namespace != NAMESPACE {
            return Err(ConnectError::invalid_namespace());
        }
        let entering = async {
            let auth = auth?;
            let participant = self.gateway.recognise(seat, &credentials).await?;
            let (start, pid) = self.begin(&auth, &participant.caller).await?;
            Ok::<_, Refusal>((participant, start, pid, auth.batch))
        };
        let entered = entering.instrument(ids.span()).await;
        let (participant, start, pid, in_batches) = entered.inspect_err(told).map_err(turned_away)?;
        let membership = RefCell::default();
        Ok(SocketState { ids, participant, start, pid, in_batches, membership })
    }

    fn pid(&self, state: &SocketState) -> Option<String> {
        state.pid.as_ref().map(|(_, text)| text.clone())
    }

    async fn connected(&self, socket: &Socket, state: &Rc<SocketState>) {
        let (sink, pid) = match &state.pid {
            Some((pid, _)) => (Sink::Recoverable(socket.clone()), Some(pid.number)),
            None => (Sink::SocketIo(socket.clone()), None),
        };
        let membership =
            self.gateway.enter(sink, &state.participant.caller, state.start, pid, state.in_batches).await;
        state.membership.replace(Some(membership));
    }

    async fn event(&self, socket: &Socket, state: &Rc<SocketState>, event: Event) {
        let begun = state.membership.borrow().as_ref().map(Membership::begin);
        // It has been told to go.
        if matches!(begun, Some(None)) {
            return;
        }
        let data: Option<&RawValue> = event.arg(0).ok();
        let outcome = self.gateway.handle(&state.participant, &event.name, data).await;
        if let Err(refusal) = &outcome {
            self.gateway.metrics.refused(Door::SocketIo, refusal.code);
        }
        // A socket that refuses an answer is ending.
        match (outcome, event.ack) {
            (Ok(Some(posted)), Some(ack)) => drop(ack.send(&posted)),
            (Ok(_), _) => {}
            (Err(refusal), Some(ack)) => drop(ack.send(&ErrorView::from(&refusal))),
            (Err(refusal), None) => drop(socket.emit("error", &ErrorView::from(&refusal))),
        }
    }

    fn disconnected(&self, socket: &Socket, state: &Rc<SocketState>, reason: DisconnectReason) {
        let ending = ending(socket, reason);
        state.ids.tell_of_end(ending, &reason);
        self.gateway.metrics.closed(Door::SocketIo, ending);
        drop(state.membership.take());
    }
}

fn ending(socket: &Socket, reason: DisconnectReason) -> Ending {
    match reason {
        _ if socket.was_too_slow() => Ending::TooSlow,
        DisconnectReason::ClientNamespaceDisconnect | DisconnectReason::TransportClose => Ending::Client,
        DisconnectReason::PingTimeout | DisconnectReason::TransportLost => Ending::Lost,
        DisconnectReason::ServerNamespaceDisconnect
        | DisconnectReason::ServerShuttingDown
        | DisconnectReason::ForcedClose => Ending::Server,
        DisconnectReason::TransportError
        | DisconnectReason::ParseError
        | DisconnectReason::ForcedServerClose => Ending::Protocol,
    }
}

fn parse_auth(auth: Option<&RawValue>) -> Result<Auth, Refusal> {
    let auth: Option<Object<Auth>> =
        serde_json::from_str(auth.map_or("null", RawValue::get)).map_err(|error| {
            let detail = format!(
                "in auth 'token' and 'log' are texts, 'after' is a number, 'recovery' and 'batch' are booleans: {error}"
            );
            Refusal::new(Code::InvalidAuth, detail)
        })?;
    Ok(auth.map_or_else(Auth::default, |Object(auth)| auth))
}

/// Programs that show no token were written for the original, which turned nobody away: what passes, they do not wait for, but come
/// back where their connection is closed.
fn turned_away(refusal: &Refusal, shown: &Credentials) -> ConnectError {
    let error = connect_error(refusal);
    if refusal.retry_after.is_some() && shown.token.is_none() { error.closing() } else { error }
}

/// What `connect_error` tells: the sentence as its message, the code in its data.
fn connect_error(refusal: &Refusal) -> ConnectError {
    ConnectError::new(refusal.detail.clone())
        .with_data(&ErrorView::from(refusal))
        .expect("a refusal is made of texts and a number, which JSON can always say")
}
