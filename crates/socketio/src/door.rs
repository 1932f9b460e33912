//! The door: checks a request, opens a session and starts its task, or passes the request on to its session, wherever
//! that is.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, RETRY_AFTER, UPGRADE};
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use futures_util::StreamExt as _;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::engine::handshake::{self, Continue, Refusal, Request, Wanted, check};
use crate::engine::session::open_packet;
use crate::registry::{self, Entry, Post, Registry, Repeatable};
use crate::transport::{WebSocket, limits, pipe};
use crate::wire::Wire;
use crate::{Config, DisconnectReason, Handshake, NodeName, Passed, PassedBody, Permit, Transport, sid};

/// Where a session is.
enum Found {
    /// On a worker of this server.
    Here(Arc<Entry>),
    /// On another server, if there is one of that name.
    Elsewhere(NodeName),
}

/// What all workers share.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) config: Arc<Config>,
    registry: Arc<Registry>,
    closing: watch::Sender<bool>,
}

impl Door {
    pub(crate) fn new(config: Config) -> Self {
        Self { config: Arc::new(config), registry: Arc::default(), closing: watch::Sender::new(false) }
    }

    /// Sessions that live, on all workers.
    pub(crate) fn sessions(&self) -> usize {
        self.registry.living()
    }

    /// Waits until none lives.
    pub(crate) async fn emptied(&self) {
        self.registry.emptied().await;
    }

    /// Ends every session, on all workers, those too that are opened from now on.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until [`Door::close`] is called.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut closing = self.closing.subscribe();
        async move {
            // A door that is dropped was not closed.
            if closing.wait_for(|closing| *closing).await.is_err() {
                pending::<()>().await;
            }
        }
    }

    /// The service of one worker; `serve` spawns the task of a new session.
    pub(crate) fn service<S>(&self, serve: S) -> impl HttpServiceFactory + use<S>
    where
        S: Fn(Handshake, Wire) + Clone + 'static,
    {
        let path = self.config.path.trim_end_matches('/');
        let patterns = vec![path.to_owned(), format!("{path}/")];
        let door = self.clone();
        web::resource(patterns).to(move |request: HttpRequest, body: web::Payload| {
            let (door, serve) = (door.clone(), serve.clone());
            async move { door.answer(&request, body, &serve).await }
        })
    }

    async fn answer(
        &self,
        request: &HttpRequest,
        body: web::Payload,
        serve: &impl Fn(Handshake, Wire),
    ) -> HttpResponse {
        let Some(cors) = &self.config.cors else {
            return self.admit(request, body, serve).await.unwrap_or_else(refuse);
        };
        if request.method() == Method::OPTIONS {
            let mut response = HttpResponse::NoContent().finish();
            cors.apply_preflight(request.headers(), response.headers_mut());
            return response;
        }
        let mut response = self.admit(request, body, serve).await.unwrap_or_else(refuse);
        cors.apply(request.headers(), response.headers_mut());
        response
    }

    async fn admit(
        &self,
        request: &HttpRequest,
        body: web::Payload,
        serve: &impl Fn(Handshake, Wire),
    ) -> Result<HttpResponse, Refusal> {
        let find = |sid: &str| self.find(sid, request);
        let allowed = || self.config.allow_request.as_ref().is_none_or(|allow| allow(request.head()));
        match check(asked(request), &self.config.transports, find, allowed)? {
            Wanted::Open(Transport::WebSocket) => self.open_websocket(request, body, serve),
            Wanted::Open(Transport::Polling) => self.open_polling(request, serve),
            Wanted::Continue(Found::Here(entry), Continue::Poll) => {
                refuse_repeated(&entry, Repeatable::Poll, request)?;
                poll(&entry).await
            }
            Wanted::Continue(Found::Here(entry), Continue::Post) => {
                refuse_repeated(&entry, Repeatable::Post, request)?;
                self.post(&entry, request, body).await
            }
            Wanted::Continue(Found::Here(entry), Continue::Upgrade) => self.upgrade(&entry, request, body),
            Wanted::Continue(Found::Elsewhere(node), how) => self.pass_on(node, how, request, body).await,
        }
    }

    /// Where to go on with a session. One that names another server is looked for there, if anybody can do that.
    fn find(&self, sid: &str, request: &HttpRequest) -> Option<Found> {
        if let Some(entry) = self.registry.find(sid, authorization(request)) {
            return Some(Found::Here(entry));
        }
        self.config.elsewhere.as_ref()?;
        let node = sid::node_of(sid).filter(|node| self.config.node.as_ref() != Some(node));
        node.map(Found::Elsewhere)
    }

    /// Has a request answered by the server that its session names. What is refused before, is so within the same bounds as
    /// here; the session it would have ended is out of reach and ends by itself.
    async fn pass_on(
        &self,
        node: NodeName,
        how: Continue,
        request: &HttpRequest,
        body: web::Payload,
    ) -> Result<HttpResponse, Refusal> {
        let elsewhere = self.config.elsewhere.as_ref().ok_or(Refusal::UnknownSid)?;
        let body = match how {
            Continue::Poll => PassedBody::Whole(Bytes::new()),
            Continue::Post => {
                let read = read(request, body, self.config.max_payload, self.config.payload_timeout);
                PassedBody::Whole(read.await?)
            }
            Continue::Upgrade => PassedBody::Upgrade(body),
        };
        elsewhere.pass_on(Passed { node, request, body }).await.ok_or(Refusal::UnknownSid)
    }

    fn open_websocket(
        &self,
        request: &HttpRequest,
        body: web::Payload,
        serve: &impl Fn(Handshake, Wire),
    ) -> Result<HttpResponse, Refusal> {
        let (response, connection) = accept(request, body, &self.config)?;
        // Refused, the connection is dropped, and the request answered as any other.
        let permit = self.permit(request)?;
        let handshake = handshake(request, self.config.node.as_ref(), permit.clone());
        let living = self.registry.live(permit);
        let wire = Wire::websocket(connection, &handshake.sid, &self.config, living);
        serve(handshake, wire);
        Ok(response)
    }

    fn permit(&self, request: &HttpRequest) -> Result<Option<Permit>, Refusal> {
        self.config.admit.as_ref().map(|admit| admit(request)).transpose().map_err(Refusal::TooMany)
    }

    fn open_polling(
        &self,
        request: &HttpRequest,
        serve: &impl Fn(Handshake, Wire),
    ) -> Result<HttpResponse, Refusal> {
        let permit = self.permit(request)?;
        let handshake = handshake(request, self.config.node.as_ref(), permit.clone());
        let registration = self.registry.register(&handshake.sid, authorization(request));
        let mut response = text(open_packet(&handshake.sid, Transport::Polling, &self.config));
        if let Some(mut cookie) = self.config.cookie.clone() {
            cookie.set_value(handshake.sid.clone());
            response.add_cookie(&cookie).expect("a cookie that was built is a valid header");
        }
        serve(handshake, Wire::polling(registration, &self.config, self.registry.live(permit)));
        Ok(response)
    }

    async fn post(
        &self,
        entry: &Arc<Entry>,
        request: &HttpRequest,
        body: web::Payload,
    ) -> Result<HttpResponse, Refusal> {
        let Some(claim) = entry.claim() else {
            return Err(end(entry, DisconnectReason::TransportError, Refusal::BadRequest));
        };
        let body = tokio::select! {
            body = read(request, body, self.config.max_payload, self.config.payload_timeout) => body,
            () = entry.ended() => return Err(Refusal::BadRequest),
        };
        let body = body.map_err(|refusal| end(entry, DisconnectReason::TransportError, refusal))?;
        let body = ByteString::try_from(body)
            .map_err(|_| end(entry, DisconnectReason::ParseError, Refusal::BadRequest))?;
        let (answer, answered) = oneshot::channel();
        entry.pass(registry::Request::Post(Post { body, answer, claim }));
        answered.await.map_err(|_| Refusal::BadRequest)?;
        Ok(text("ok"))
    }

    /// The WebSocket is accepted in any case: one that is not welcome is closed, as the reference does.
    fn upgrade(
        &self,
        entry: &Entry,
        request: &HttpRequest,
        body: web::Payload,
    ) -> Result<HttpResponse, Refusal> {
        let (response, connection) = accept(request, body, &self.config)?;
        let (pipe, pump) = pipe(WebSocket::new(connection), &self.config);
        actix_rt::spawn(pump);
        // Not passed on, the pipe is dropped, which closes the WebSocket.
        entry.pass(registry::Request::Upgrade(pipe));
        Ok(response)
    }
}

/// Somebody between has sent a request again. The packets that answered the poll before are lost, or those of the POST were
/// taken: what its client is missing is not known. It opens a new session.
fn refuse_repeated(entry: &Entry, which: Repeatable, request: &HttpRequest) -> Result<(), Refusal> {
    if entry.is_repeated(which, handshake::stamp(request.query_string())) {
        return Err(end(entry, DisconnectReason::TransportError, Refusal::UnknownSid));
    }
    Ok(())
}

/// What is left to refuse here is a bad or missing `Sec-WebSocket-…` header.
fn accept(
    request: &HttpRequest,
    body: web::Payload,
    config: &Config,
) -> Result<(HttpResponse, lobby_websocket::Connection), Refusal> {
    lobby_websocket::accept(request, body, &limits(config)).map_err(|_| Refusal::BadRequest)
}

async fn poll(entry: &Entry) -> Result<HttpResponse, Refusal> {
    let (answer, answered) = oneshot::channel();
    entry.pass(registry::Request::Poll(answer));
    answered.await.map(text).map_err(|_| Refusal::BadRequest)
}

/// Reads a body of at most `max` bytes within `time`.
async fn read(
    request: &HttpRequest,
    mut body: web::Payload,
    max: usize,
    time: Duration,
) -> Result<Bytes, Refusal> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > max) {
        return Err(Refusal::TooLarge);
    }
    let whole = async {
        let mut bytes = BytesMut::with_capacity(declared.unwrap_or_default());
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|_| Refusal::BadRequest)?;
            if bytes.len() + piece.len() > max {
                return Err(Refusal::TooLarge);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    };
    timeout(time, whole).await.unwrap_or(Err(Refusal::TooSlow))
}

/// A request has broken a rule: the session ends, and the request is refused.
fn end(entry: &Entry, reason: DisconnectReason, refusal: Refusal) -> Refusal {
    entry.pass(registry::Request::End(reason));
    refusal
}

fn text(body: impl Into<Bytes>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type("text/plain; charset=UTF-8");
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    response.body(body.into())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what becomes of it")]
fn refuse(refusal: Refusal) -> HttpResponse {
    let status = StatusCode::from_u16(refusal.status()).expect("refusals have status codes");
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = refusal.retry_after() {
        response.insert_header((RETRY_AFTER, seconds));
    }
    response.json(refusal.body())
}

fn asked(request: &HttpRequest) -> Request<'_> {
    let method = match *request.method() {
        Method::GET => handshake::Method::Get,
        Method::POST => handshake::Method::Post,
        _ => handshake::Method::Other,
    };
    let upgrade = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
    let upgrade = upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    Request { query: request.query_string(), method, upgrade }
}

fn authorization(request: &HttpRequest) -> Option<&[u8]> {
    request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes)
}

fn handshake(request: &HttpRequest, node: Option<&NodeName>, permit: Option<Permit>) -> Handshake {
    Handshake {
        sid: sid::fresh_at(node),
        headers: request.headers().iter().map(|(name, value)| (name.clone(), copied(value))).collect(),
        query: request.query_string().to_owned(),
        peer_addr: request.peer_addr(),
        permit,
    }
}

/// A clone would keep the whole buffer that the request was read to, for as long as the connection lives.
fn copied(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).expect("what was a value is one")
}

#[cfg(test)]
mod tests;
