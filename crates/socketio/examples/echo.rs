//! The server that the official protocol test suites talk to: it sends back what it gets, under `/socket.io/` as
//! Socket.IO (namespaces `/` and `/custom`), under `/engine.io/` as Engine.IO and at `/echo` as a bare WebSocket.
//!
//! The port is the first argument, 3000 by default.

use std::rc::Rc;
use std::time::Duration;

use actix_socketio::{
    Config, ConnectError, ConnectRequest, DisconnectReason, EngineHandler, EngineIo, EngineSocket, Event,
    Handler, Message, Socket, SocketIo,
};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, web};
use lobby_websocket::{Frame, Incoming, Limits};
use serde_json::value::RawValue;

/// Remembers of each socket what it sent along when it joined.
struct Echo;

impl Handler for Echo {
    type Session = Box<RawValue>;

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<Box<RawValue>, ConnectError> {
        match request.namespace {
            "/" | "/custom" => Ok(request.auth.map_or_else(nothing, ToOwned::to_owned)),
            _ => Err(ConnectError::invalid_namespace()),
        }
    }

    async fn connected(&self, socket: &Socket, auth: &Rc<Box<RawValue>>) {
        // The suites listen anew after each message and would miss one that comes in the same read as the CONNECT
        // answer, so this one waits for the next write.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let _gone = socket.emit("auth", &**auth);
    }

    async fn event(&self, socket: &Socket, _: &Rc<Box<RawValue>>, event: Event) {
        let args = event.args.raw();
        // A send fails only because the client has gone; then nobody misses the echo.
        let _gone = match (event.name.as_str(), event.ack) {
            ("message", _) => socket.emit_binary("message-back", &args, event.args.attachments()),
            ("message-with-ack", Some(ack)) => ack.send_binary(&args, event.args.attachments()),
            _ => Ok(()),
        };
    }

    fn disconnected(&self, _: &Socket, _: &Rc<Box<RawValue>>, _: DisconnectReason) {}
}

impl EngineHandler for Echo {
    fn message(&self, socket: &EngineSocket, message: Message) {
        let _gone = socket.send(&message);
    }
}

fn nothing() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("{} is JSON")
}

/// Large enough for WebSocket conformance suites, which send 16 MiB in fragments of 64 bytes.
fn generous() -> Limits {
    let bytes = 16 << 20;
    Limits { max_message: bytes, max_fragments: bytes / 64 + 1, outbox_bytes: 2 * bytes, ..Limits::default() }
}

async fn bare_echo(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
    let (response, mut connection) = lobby_websocket::accept(&request, body, &generous())?;
    actix_web::rt::spawn(async move {
        let outbox = connection.outbox();
        loop {
            let frame = match connection.next().await {
                Incoming::Text(text) => Frame::text(&text),
                Incoming::Binary(data) => Frame::binary(&data),
                Incoming::Closed(_) => break,
            };
            // A failed send is followed by the end of the connection.
            let _gone = outbox.send(&frame);
        }
    });
    Ok(response)
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(3000);
    let config = Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_secs(1),
        ..Config::default()
    };
    let engine = EngineIo::new(Config { path: "/engine.io/".to_owned(), ..config.clone() });
    let io = SocketIo::new(config);
    let app = move || {
        let app = App::new().service(io.service(Echo)).service(engine.service(Echo));
        app.route("/echo", web::get().to(bare_echo))
    };
    let server = HttpServer::new(app).workers(2).h1_allow_half_closed(false).tcp_nodelay(true);
    server.bind(("127.0.0.1", port))?.run().await
}
