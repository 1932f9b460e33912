use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_socketio::{Elsewhere, NodeName, Passed, PassedBody, PassedOn};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::future::Either;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::http::uri::PathAndQuery;
use hyper::http::{HeaderName, HeaderValue};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::address::Address;
use super::arrival::is_relayed;
use super::mark::{self, MARK, Marks, Vouched, digest};
use super::nodes::Nodes;
use super::tunnel;
use crate::http::problem::MEDIA_TYPE;

/// How long a node may take to be connected to: they are near each other.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// How long a connection to a node is kept for the next request: less than the 5 s after which that node hangs up. Whoever
/// sends just then does not know whether it arrived.
const KEEP_IDLE: Duration = Duration::from_secs(2);

/// How long a node may take to answer a WebSocket's handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// How long it may take to tell a node that a session is given up.
const GIVE_UP_WITHIN: Duration = Duration::from_secs(2);

/// A heartbeat of the network on connections to nodes: one whose machine is gone is noticed in half a minute.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// The packet with which a client closes its session.
const CLOSE: Bytes = Bytes::from_static(b"1");

/// Headers between two neighbours (RFC 9110 §7.6.1), and those that a request passed on has of its own.
const NOT_PASSED_ON: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    MARK,
];

/// What of an answer the client gets. What belongs to this node, such as who may read it, is added here.
const GIVEN_BACK: [header::HeaderName; 2] = [header::CONTENT_TYPE, header::CACHE_CONTROL];

/// The bounds of what is passed on.
#[derive(Debug, Clone, Copy)]
pub struct RelayLimits {
    /// Requests and sockets that are passed on at a time. Beyond that, sessions of other nodes are unknown.
    pub at_once: usize,
    /// How long a node may take to answer: a poll waits until there is something to tell, or until the next ping.
    pub answer_within: Duration,
    /// The most bytes of an answer.
    pub answer_bytes: usize,
    /// How long written bytes may stay unacknowledged by the network before a connection is cut.
    pub write_timeout: Duration,
}

/// Passes requests on to the nodes that their sessions name. Clones share it.
#[derive(Clone)]
pub struct Relay {
    nodes: Nodes,
    marks: Marks,
    client: Client<HttpConnector, Full<Bytes>>,
    places: Arc<Semaphore>,
    /// Whether the last who came found no place.
    is_full: Arc<AtomicBool>,
    stopping: watch::Sender<bool>,
    limits: RelayLimits,
}

/// Why a request has no answer. Whichever it is, it is not sent again.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("the node cannot be reached: {0}")]
    NotSent(#[source] hyper_util::client::legacy::Error),
    #[error("the node takes nothing from this one: do all have the same SECRET_KEY?")]
    Refused,
    #[error("what came of it is not known: {0}")]
    InDoubt(Box<dyn std::error::Error + Send + Sync>),
}

impl Relay {
    /// Passes on to `nodes`, with these marks.
    #[must_use]
    pub fn new(nodes: Nodes, marks: Marks, limits: RelayLimits) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WITHIN));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_keepalive_interval(Some(KEEPALIVE));
        connector.set_keepalive_retries(Some(2));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(limits.write_timeout));
        // What is tried again by itself is only what no byte was sent of.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_IDLE)
            .build(connector);
        let places = Arc::new(Semaphore::new(limits.at_once));
        let stopping = watch::Sender::new(false);
        Self { nodes, marks, client, places, is_full: Arc::default(), stopping, limits }
    }

    /// Ends sockets and polls that are passed on: the node goes away. What clients have sent may still arrive.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    async fn relay(&self, passed: Passed<'_>) -> Option<HttpResponse> {
        let Passed { node, request, body } = passed;
        if is_relayed(request) {
            tracing::debug!("a request that was passed on would have to be passed on again");
            return None;
        }
        let address = self.nodes.find(&node).await?;
        let place = self.place()?;
        match body {
            PassedBody::Whole(body) => self.pass_whole(&node, &address, request, body, place).await,
            PassedBody::Upgrade(body) => self.pass_socket(&address, request, body, place).await,
        }
    }

    /// A place among those that are passed on. The operator hears of it once, however many find none.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = self.places.clone().try_acquire_owned().ok();
        let was_full = self.is_full.swap(place.is_none(), Ordering::Relaxed);
        if place.is_none() && !was_full {
            tracing::warn!(
                "more would be passed on than cluster.forwards: their sessions are taken for unknown"
            );
        }
        place
    }

    async fn pass_whole(
        &self,
        node: &NodeName,
        address: &Address,
        request: &HttpRequest,
        body: Bytes,
        place: OwnedSemaphorePermit,
    ) -> Option<HttpResponse> {
        let outgoing = self.outgoing(address, request, body)?;
        let answer = tokio::select! {
            answer = self.answer(outgoing) => answer,
            () = self.nodes.gone(node) => Err(Unanswered::InDoubt("the node's lease has run out".into())),
            () = self.stopped(), if request.method().is_safe() => Err(Unanswered::InDoubt("this node stops".into())),
        };
        answer.map_err(|unanswered| self.note(&unanswered, address, request, place)).ok()
    }

    /// Tells why there is no answer. A session of which something may have been lost is closed, if that can be said.
    fn note(
        &self,
        unanswered: &Unanswered,
        address: &Address,
        request: &HttpRequest,
        place: OwnedSemaphorePermit,
    ) {
        match unanswered {
            Unanswered::NotSent(_) => tracing::debug!(%unanswered, "a request could not be passed on"),
            Unanswered::Refused => tracing::warn!(%unanswered, "a request could not be passed on"),
            Unanswered::InDoubt(_) => {
                tracing::debug!(%unanswered, "a session of another node is given up");
                self.give_up(address, request, place);
            }
        }
    }

    async fn answer(&self, outgoing: Request<Full<Bytes>>) -> Result<HttpResponse, Unanswered> {
        let answered = timeout(self.limits.answer_within, async {
            let response = self.client.request(outgoing).await.map_err(unsent_or_in_doubt)?;
            self.whole(response).await
        });
        answered.await.unwrap_or_else(|_| Err(Unanswered::InDoubt("no answer in time".into())))
    }

    /// The answer of the other node's door; what comes from in front of it was refused there and has changed nothing.
    async fn whole(&self, response: hyper::Response<Incoming>) -> Result<HttpResponse, Unanswered> {
        let (head, body) = response.into_parts();
        if head.headers.get(header::CONTENT_TYPE.as_str()).is_some_and(|kind| kind == MEDIA_TYPE) {
            return Err(Unanswered::Refused);
        }
        let body =
            Limited::new(body, self.limits.answer_bytes).collect().await.map_err(Unanswered::InDoubt)?;
        let mut answer = HttpResponse::build(status(head.status));
        for name in GIVEN_BACK {
            if let Some(value) = head.headers.get(name.as_str()) {
                answer.insert_header((name, value.as_bytes()));
            }
        }
        Ok(answer.body(body.to_bytes()))
    }

    /// As the client would close it. Nothing depends on that it arrives: the session would run out.
    fn give_up(&self, address: &Address, request: &HttpRequest, place: OwnedSemaphorePermit) {
        let closing = self.to_close(address, request);
        let Some(closing) = closing else { return };
        let client = self.client.clone();
        actix_web::rt::spawn(async move {
            let closed = timeout(GIVE_UP_WITHIN, client.request(closing)).await;
            tracing::debug!(heard = closed.is_ok_and(|closed| closed.is_ok()), "a session was given up");
            drop(place);
        });
    }

    async fn pass_socket(
        &self,
        address: &Address,
        request: &HttpRequest,
        body: web::Payload,
        place: OwnedSemaphorePermit,
    ) -> Option<HttpResponse> {
        let mut outgoing = self.outgoing(address, request, Bytes::new())?;
        for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
            outgoing.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let handshake = async {
            let response = self.client.request(outgoing).await.map_err(unsent_or_in_doubt)?;
            if response.status() == hyper::StatusCode::SWITCHING_PROTOCOLS {
                let opened = tunnel::open(response).await;
                opened.map(Either::Left).map_err(|error| Unanswered::InDoubt(error.into()))
            } else {
                self.whole(response).await.map(Either::Right)
            }
        };
        match timeout(HANDSHAKE_WITHIN, handshake).await {
            Ok(Ok(Either::Left(opened))) => {
                Some(tunnel::serve(opened, body, self.stopping.subscribe(), place))
            }
            Ok(Ok(Either::Right(refused))) => Some(refused),
            // The session goes on as it was: no packet was under way.
            Ok(Err(unanswered)) => {
                tracing::debug!(%unanswered, "a socket could not be passed on");
                None
            }
            Err(_) => None,
        }
    }

    async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        let stopped = stopping.wait_for(|stopping| *stopping).await;
        drop(stopped.expect("the sending half is ours"));
    }

    /// The request for the other node: the client's own, with a mark. `None` where it cannot be said, or signed.
    fn outgoing(
        &self,
        address: &Address,
        request: &HttpRequest,
        body: Bytes,
    ) -> Option<Request<Full<Bytes>>> {
        self.signed(address, request, request.method().as_str(), body)
    }

    /// A POST of the client's that closes its session.
    fn to_close(&self, address: &Address, request: &HttpRequest) -> Option<Request<Full<Bytes>>> {
        self.signed(address, request, "POST", CLOSE)
    }

    fn signed(
        &self,
        address: &Address,
        request: &HttpRequest,
        method: &str,
        body: Bytes,
    ) -> Option<Request<Full<Bytes>>> {
        let target: PathAndQuery = request.uri().path_and_query()?.as_str().parse().ok()?;
        let passed = mark::Passed { method, target: target.as_str() };
        let vouched = Vouched { client: request.peer_addr(), body: digest(&body) };
        let mark = self.marks.make(passed, &vouched)?;
        let mut outgoing = Request::builder().method(method).uri(address.at(target)).header(MARK, mark);
        for (name, value) in request.headers() {
            if !NOT_PASSED_ON.contains(&name.as_str()) {
                outgoing = outgoing.header(renamed(name)?, HeaderValue::from_bytes(value.as_bytes()).ok()?);
            }
        }
        outgoing.body(Full::new(body)).ok()
    }
}

impl Elsewhere for Relay {
    fn pass_on<'a>(&'a self, passed: Passed<'a>) -> PassedOn<'a> {
        Box::pin(self.relay(passed))
    }
}

/// actix and hyper have these from two versions of one crate.
fn renamed(name: &header::HeaderName) -> Option<HeaderName> {
    HeaderName::from_bytes(name.as_ref()).ok()
}

fn status(status: hyper::StatusCode) -> actix_web::http::StatusCode {
    status.as_u16().try_into().expect("a status is one in either version")
}

fn unsent_or_in_doubt(error: hyper_util::client::legacy::Error) -> Unanswered {
    if error.is_connect() { Unanswered::NotSent(error) } else { Unanswered::InDoubt(error.into()) }
}
