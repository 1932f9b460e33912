//! The door: checks a request, opens the transport, and starts the connection's task.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::header::UPGRADE;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::engine::handshake::{Refusal, Request, check};
use crate::transport::{WebSocket, limits};
use crate::{Config, Handler, Handshake, connection, sid};

/// A Socket.IO server. Make one before the workers start and clone it into them; see the crate's example.
#[derive(Debug, Clone)]
pub struct SocketIo {
    config: Arc<Config>,
}

impl SocketIo {
    /// A server with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config: Arc::new(config) }
    }

    /// The service of one worker, for [`App::service`](actix_web::App::service) or
    /// [`ServiceConfig::service`](web::ServiceConfig::service). It answers at [`Config::path`], relative to the scope
    /// it is put into.
    pub fn service<H: Handler>(&self, handler: H) -> impl HttpServiceFactory + use<H> {
        let path = self.config.path.trim_end_matches('/');
        let patterns = vec![path.to_owned(), format!("{path}/")];
        let (config, handler) = (Arc::clone(&self.config), Rc::new(handler));
        web::resource(patterns).to(move |request: HttpRequest, body: web::Payload| {
            let answer = open(&config, &handler, &request, body).unwrap_or_else(refuse);
            std::future::ready(answer)
        })
    }
}

fn open<H: Handler>(
    config: &Arc<Config>,
    handler: &Rc<H>,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let allowed = || config.allow_request.as_ref().is_none_or(|allow| allow(request.head()));
    let asked = Request {
        query: request.query_string(),
        get: request.method() == Method::GET,
        upgrade: wants_websocket(request),
    };
    check(asked, allowed)?;
    // What is left to refuse here is a bad or missing `Sec-WebSocket-…` header.
    let (response, connection) =
        lobby_websocket::accept(request, body, &limits(config)).map_err(|_| Refusal::BadRequest)?;
    let (handler, config) = (Rc::clone(handler), Arc::clone(config));
    actix_rt::spawn(connection::run(handler, config, handshake(request), WebSocket::new(connection)));
    Ok(response)
}

fn refuse(refusal: Refusal) -> HttpResponse {
    let status = StatusCode::from_u16(refusal.status()).expect("400 and 403 are status codes");
    HttpResponse::build(status).json(refusal.body())
}

fn wants_websocket(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

fn handshake(request: &HttpRequest) -> Handshake {
    Handshake {
        sid: sid::fresh(),
        headers: request.headers().clone(),
        query: request.query_string().to_owned(),
        peer_addr: request.peer_addr(),
    }
}

#[cfg(test)]
mod tests;
