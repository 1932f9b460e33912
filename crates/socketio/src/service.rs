//! The Socket.IO server, as applications mount it.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::HttpServiceFactory;
use tracing::Instrument as _;

use crate::connection::Connection;
use crate::door::Door;
use crate::{Config, Handler};

/// A Socket.IO server. Make one before the workers start and clone it into them: requests of one session may land on
/// different workers, and find each other through it. See the crate's example.
#[derive(Debug, Clone)]
pub struct SocketIo {
    door: Door,
}

impl SocketIo {
    /// A server with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { door: Door::new(config) }
    }

    /// The service of one worker, for [`App::service`](actix_web::App::service) or
    /// [`ServiceConfig::service`](actix_web::web::ServiceConfig::service). It answers at [`Config::path`], relative to the
    /// scope it is put into.
    pub fn service<H: Handler>(&self, handler: H) -> impl HttpServiceFactory + use<H> {
        let (door, handler) = (self.door.clone(), Rc::new(handler));
        self.door.service(move |handshake, wire| {
            let (handler, config) = (Rc::clone(&handler), Arc::clone(&door.config));
            let connection = Connection::open(handler, config, handshake, wire);
            actix_rt::spawn(connection.run(door.closed()).instrument(tracing::debug_span!("connection")));
        })
    }

    /// Ends every session on all workers, for clients to reconnect elsewhere: before the HTTP server is stopped, which
    /// would otherwise wait for them. Sessions that are opened afterwards end at once.
    pub fn shut_down(&self) {
        self.door.close();
    }

    /// Waits until no session lives: after [`SocketIo::shut_down`], until all clients have heard of it, or have had the time to. Those that
    /// poll hear of it by their next request, so the HTTP server should serve until then.
    pub async fn emptied(&self) {
        self.door.emptied().await;
    }

    /// Engine.IO sessions that live, on all workers: connected, connecting or about to be closed.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.door.sessions()
    }
}
