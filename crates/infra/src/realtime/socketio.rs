//! Socket.IO at `/socket.io/`: the lobby's events in the main namespace.

use std::cell::Cell;
use std::rc::Rc;

use actix_socketio::{ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Socket};
use lobby_domain::auth::{Caller, Credentials};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::encode::{ErrorView, NAMESPACE};
use super::gateway::Gateway;
use super::shard::{Membership, Sink};
use crate::http::credentials;
use crate::refusal::Refusal;
use crate::wire::Object;

/// The lobby as a Socket.IO application.
pub struct LobbyHandler {
    gateway: Rc<Gateway>,
}

/// One socket's state.
pub struct SocketState {
    caller: Caller,
    /// From the moment that the socket has been answered until it has gone.
    membership: Cell<Option<Membership>>,
}

#[derive(Deserialize, Default)]
struct Auth {
    token: Option<String>,
}

impl LobbyHandler {
    /// For the connections of one worker.
    #[must_use]
    pub fn new(gateway: Rc<Gateway>) -> Self {
        Self { gateway }
    }
}

impl Handler for LobbyHandler {
    type Session = SocketState;

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<SocketState, ConnectError> {
        if request.namespace != NAMESPACE {
            return Err(ConnectError::invalid_namespace());
        }
        let auth = parse_auth(request.auth).map_err(|refusal| connect_error(&refusal))?;
        let shown = credentials::of(&request.handshake.headers);
        let credentials = Credentials { token: auth.token.or(shown.token), ..shown };
        let caller =
            self.gateway.identify.listener(&credentials).await.map_err(|refusal| connect_error(&refusal))?;
        Ok(SocketState { caller, membership: Cell::default() })
    }

    async fn connected(&self, socket: &Socket, state: &Rc<SocketState>) {
        let membership = self.gateway.enter(Sink::SocketIo(socket.clone()), &state.caller).await;
        state.membership.set(Some(membership));
    }

    async fn event(&self, socket: &Socket, state: &Rc<SocketState>, event: Event) {
        let data: Option<&RawValue> = event.arg(0).ok();
        let outcome = self.gateway.handle(&state.caller, &event.name, data).await;
        // A socket that refuses an answer is ending.
        match (outcome, event.ack) {
            (Ok(posted), Some(ack)) => drop(ack.send(&posted)),
            (Ok(_), None) => {}
            (Err(refusal), Some(ack)) => drop(ack.send(&ErrorView::from(&refusal))),
            (Err(refusal), None) => drop(socket.emit("error", &ErrorView::from(&refusal))),
        }
    }

    fn disconnected(&self, _: &Socket, state: &Rc<SocketState>, reason: DisconnectReason) {
        tracing::debug!(%reason, "a socket has gone");
        drop(state.membership.take());
    }
}

fn parse_auth(auth: Option<&RawValue>) -> Result<Auth, Refusal> {
    let auth: Option<Object<Auth>> =
        serde_json::from_str(auth.map_or("null", RawValue::get)).map_err(|error| {
            Refusal::bad_request("invalid_auth", format!("auth is an object with a text 'token': {error}"))
        })?;
    Ok(auth.map_or_else(Auth::default, |Object(auth)| auth))
}

/// What `connect_error` tells: the sentence as its message, the code in its data.
fn connect_error(refusal: &Refusal) -> ConnectError {
    ConnectError::new(refusal.detail.clone())
        .with_data(&ErrorView::from(refusal))
        .expect("a refusal is made of texts and a number, which JSON can always say")
}
