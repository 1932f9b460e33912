//! Real clients: socket.io-client on Node and python-socketio, unmodified, over each transport. What they ask of the
//! server is written in `tests/clients/`; here are the server, a cable that can be cut, and the verdict.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_socketio::{
    Config, ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Socket, SocketIo,
};
use actix_web::rt;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::PATIENCE;
use crate::server::{emptied, listen};

/// A little more than the programs give themselves.
const PROGRAM_LIMIT: Duration = Duration::from_secs(70);

/// What both programs have to show.
const SCENARIOS: [&str; 12] = [
    "events",
    "acknowledged_by_server",
    "acknowledged_by_client",
    "binary_events",
    "binary_acknowledgements",
    "beyond_ascii",
    "two_namespaces",
    "largest_text",
    "largest_binary",
    "too_large",
    "disconnected_by_server",
    "reconnects",
];

/// What only socket.io-client knows how to do.
const NODE_SCENARIOS: [&str; 1] = ["recovers"];

/// What python-socketio would not survive if it were told otherwise.
const PYTHON_SCENARIOS: [&str; 1] = ["turned_away"];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Node,
    Python,
}

#[rstest]
#[actix_web::test]
async fn real_clients_get_all_that_the_protocol_promises(
    #[values(Kind::Node, Kind::Python)] kind: Kind,
    #[values("polling", "websocket", "polling,websocket")] transports: &str,
) {
    let (io, cut) = (SocketIo::new(heartbeat()), Arc::new(Notify::new()));
    let desk = Arc::clone(&cut);
    let (port, server) = listen(&io, 2, move || Desk { cut: Arc::clone(&desk) });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let relay = rt::spawn(relay(listener, port, cut));

    let run = program(kind).args([url.as_str(), transports]).kill_on_drop(true).output();
    let output = tokio::time::timeout(PROGRAM_LIMIT, run).await.expect("the program ends in time");
    let output = output.expect("the clients are installed: `make clients` does that");

    let (lines, complaint) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    let shown: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected: Vec<Value> =
        scenarios(kind).map(|scenario| json!({ "scenario": scenario, "ok": true })).collect();
    assert_eq!(shown, expected, "{complaint}");
    assert!(output.status.success(), "{}: {complaint}", output.status);
    emptied(&io).await;
    relay.abort();
    server.stop(false).await;
}

/// Only its heartbeat tells that a client is gone whose connection is lost between two polls: within 7 s here.
fn heartbeat() -> Config {
    let (ping_interval, ping_timeout) = (Duration::from_secs(2), Duration::from_secs(5));
    Config { ping_interval, ping_timeout, ..Config::default() }
}

fn scenarios(kind: Kind) -> impl Iterator<Item = &'static str> {
    let more = match kind {
        Kind::Node => &NODE_SCENARIOS[..],
        Kind::Python => &PYTHON_SCENARIOS[..],
    };
    SCENARIOS.iter().chain(more).copied()
}

fn program(kind: Kind) -> Command {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let (sources, installed) = (top.join("tests/clients"), top.join("target/clients"));
    match kind {
        Kind::Node => {
            let mut node = Command::new("node");
            node.env("NODE_PATH", installed.join("node/node_modules")).arg(sources.join("node/protocol.js"));
            node
        }
        Kind::Python => {
            let mut python = Command::new(installed.join("python/bin/python"));
            python.arg(sources.join("python/protocol.py"));
            python
        }
    }
}

/// Between clients and server: whatever is connected is lost at each `cut`, without a word to either side.
async fn relay(listener: TcpListener, server: u16, cut: Arc<Notify>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                connections.spawn(carry(client, server));
            }
            Some(_) = connections.join_next() => {}
            () = cut.notified() => connections.shutdown().await,
        }
    }
}

async fn carry(mut client: TcpStream, server: u16) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Does what the names of some events say, and sends all others back.
struct Desk {
    cut: Arc<Notify>,
}

impl Handler for Desk {
    /// What the client has sent along.
    type Session = Value;

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<Value, ConnectError> {
        match request.namespace {
            "/" | "/other" => {
                Ok(request.auth.map_or(Value::Null, |auth| serde_json::from_str(auth.get()).unwrap()))
            }
            _ => Err(ConnectError::invalid_namespace()),
        }
    }

    /// Whoever wants a `pid` gets one, and keeps it if its offset is known.
    fn pid(&self, auth: &Value) -> Option<String> {
        let known = auth["pid"].as_str().filter(|_| auth["offset"] == "known");
        (auth["recoverable"] == true).then(|| known.map_or_else(fresh_pid, str::to_owned))
    }

    async fn connected(&self, _: &Socket, _: &Rc<Value>) {}

    async fn event(&self, socket: &Socket, auth: &Rc<Value>, event: Event) {
        match event.name.as_str() {
            "auth" => event.ack.unwrap().send(&**auth).unwrap(),
            "ask" => ask(socket, event).await,
            "cut" => self.cut.notify_one(),
            "leave" => {
                socket.emit("last", "words").unwrap();
                socket.disconnect();
            }
            "where" => event.ack.unwrap().send(socket.namespace()).unwrap(),
            _ => send_back(socket, event),
        }
    }

    fn disconnected(&self, _: &Socket, _: &Rc<Value>, _: DisconnectReason) {}
}

/// One that no other is like: there are two workers.
fn fresh_pid() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// Asks the client in turn, and acknowledges with its answer.
async fn ask(socket: &Socket, event: Event) {
    let args = event.args.raw();
    let answer = match event.args.attachments() {
        [] => socket.emit_with_ack("question", args[0], PATIENCE).await,
        data => socket.emit_binary_with_ack("question", &args, data, PATIENCE).await,
    };
    let answer = answer.unwrap();
    event.ack.unwrap().send_binary(&answer.raw(), answer.attachments()).unwrap();
}

fn send_back(socket: &Socket, event: Event) {
    let (args, data) = (event.args.raw(), event.args.attachments());
    match event.ack {
        Some(ack) => ack.send_binary(&args, data).unwrap(),
        None => socket.emit_binary(&event.name, &args, data).unwrap(),
    }
}
