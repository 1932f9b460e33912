//! A server on a port of its own, whose application does what the names of events ask for and notes what it is told.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_socketio::{
    Config, ConnectError, ConnectRequest, DisconnectReason, Event, Handler, Packet, Placeholder, Socket,
    SocketIo,
};
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, rt};
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use tokio::task::unconstrained;

/// What the application was told, in order.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    lines: Arc<Mutex<VecDeque<String>>>,
    written: Arc<Notify>,
}

impl Notes {
    fn write(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push_back(line.into());
        self.written.notify_one();
    }

    pub(crate) async fn next(&self) -> String {
        let read = async {
            loop {
                if let Some(line) = self.lines.lock().unwrap().pop_front() {
                    return line;
                }
                self.written.notified().await;
            }
        };
        tokio::time::timeout(super::PATIENCE, read).await.expect("a note in time")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.lock().unwrap().is_empty()
    }
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) notes: Notes,
    /// What `slow` events and `held` connections wait for.
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) io: SocketIo,
    handle: ServerHandle,
}

impl Server {
    /// On one worker.
    pub(crate) fn start(config: Config) -> Self {
        Self::start_on(1, config)
    }

    /// On two workers, which take connections in turns.
    pub(crate) fn start_on_two(config: Config) -> Self {
        Self::start_on(2, config)
    }

    fn start_on(workers: usize, config: Config) -> Self {
        let (notes, gate) = (Notes::default(), Arc::new(Semaphore::new(0)));
        let io = SocketIo::new(config);
        let probe = (notes.clone(), Arc::clone(&gate));
        let (port, handle) = listen(&io, workers, move || {
            let (notes, gate) = probe.clone();
            Probe { notes, gate, all: RefCell::default() }
        });
        Self { port, notes, gate, io, handle }
    }

    pub(crate) async fn emptied(&self) {
        emptied(&self.io).await;
    }

    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

/// Starts a server on a free port, with a handler for each worker.
pub(crate) fn listen<H: Handler>(
    io: &SocketIo,
    workers: usize,
    handler: impl Fn() -> H + Clone + Send + 'static,
) -> (u16, ServerHandle) {
    let io = io.clone();
    let app = move || App::new().service(io.service(handler()));
    let server = HttpServer::new(app).workers(workers).disable_signals();
    let server = server.h1_allow_half_closed(false).tcp_nodelay(true);
    let server = server.bind(("127.0.0.1", 0)).unwrap();
    let port = server.addrs()[0].port();
    let server = server.run();
    let handle = server.handle();
    rt::spawn(server);
    (port, handle)
}

/// Waits until the server holds no session.
pub(crate) async fn emptied(io: &SocketIo) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let empty = async {
        while io.sessions() > 0 {
            look.tick().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, empty).await.expect("nothing is held for long");
}

struct Probe {
    notes: Notes,
    gate: Arc<Semaphore>,
    all: RefCell<Vec<Socket>>,
}

/// Sends events of 10,000 bytes and more, as fast as the client takes them; notes when that is too slow for the first time.
async fn replay(socket: Socket, notes: Notes, count: usize) {
    let (filler, mut late) = ("x".repeat(10_000), false);
    for n in 0..count {
        if !late && unconstrained(socket.room()).now_or_never().is_none() {
            notes.write("no room");
            late = true;
        }
        socket.room().await;
        if let Err(error) = socket.emit("n", &(n, &filler)) {
            return notes.write(error.to_string());
        }
    }
    notes.write("all sent");
}

/// Notes when a future is dropped before it has finished.
struct Dropped<'a>(&'a Notes, bool);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.write("dropped");
        }
    }
}

impl Probe {
    async fn pass_the_gate(&self) {
        let mut dropped = Dropped(&self.notes, false);
        self.gate.acquire().await.unwrap().forget();
        dropped.1 = true;
    }

    fn flood(socket: &Socket) -> String {
        let sent = (0..).map(|_| socket.emit("drop", &"x".repeat(100))).find_map(Result::err);
        format!("{}, {}", sent.unwrap(), socket.emit("more", &1).unwrap_err())
    }
}

impl Handler for Probe {
    type Session = Value;

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<Value, ConnectError> {
        let auth: Value = request.auth.map_or(Value::Null, |auth| serde_json::from_str(auth.get()).unwrap());
        match request.namespace {
            "/" | "/custom" if auth["refuse"] == true => {
                Err(ConnectError::new("no").with_data(&json!({ "code": "refused" })).unwrap())
            }
            "/" if auth["close"] == true => Err(ConnectError::new("not now").closing()),
            "/" | "/custom" => Ok(auth),
            "/never" => {
                let _dropped = Dropped(&self.notes, false);
                std::future::pending().await
            }
            _ => Err(ConnectError::invalid_namespace()),
        }
    }

    fn pid(&self, auth: &Value) -> Option<String> {
        auth["pid"].as_str().map(str::to_owned)
    }

    async fn connected(&self, socket: &Socket, auth: &Rc<Value>) {
        self.notes.write(format!("connected {}", socket.namespace()));
        self.all.borrow_mut().push(socket.clone());
        socket.emit("auth", &**auth).unwrap();
        if auth["held"] == true {
            self.pass_the_gate().await;
            self.notes.write("opened");
        }
    }

    async fn event(&self, socket: &Socket, _: &Rc<Value>, event: Event) {
        let args = event.args.raw();
        match event.name.as_str() {
            "message" => socket.emit_binary("message-back", &args, event.args.attachments()).unwrap(),
            "message-with-ack" => event.ack.unwrap().send_binary(&args, event.args.attachments()).unwrap(),
            "sum" => {
                let sum = event.arg::<u32>(0).unwrap() + event.arg::<u32>(1).unwrap();
                event.ack.unwrap().send(&sum).unwrap();
            }
            "slow" => {
                self.notes.write(format!("slow {}", args[0]));
                self.pass_the_gate().await;
                self.notes.write("done");
                event.ack.unwrap().send("done").unwrap();
            }
            "all" => {
                let packet = Packet::event("/", "news", &args);
                let sent = self.all.borrow().iter().filter(|socket| socket.send(&packet).is_ok()).count();
                self.notes.write(format!("sent to {sent}"));
            }
            "ask" => {
                let answer = socket.emit_with_ack("question", &1, Duration::from_secs(5)).await;
                if let Ok(answer) = answer {
                    socket.emit("answered", &answer.raw()).unwrap();
                }
            }
            "ask too much" => {
                let wait = Duration::from_secs(5);
                self.notes.write(socket.emit_with_ack("question", &1, wait).await.unwrap_err().to_string());
            }
            "ask in vain" => {
                let error = socket.emit_with_ack("question", &1, Duration::from_millis(1)).await.unwrap_err();
                socket.emit("unanswered", &error.to_string()).unwrap();
            }
            "ask for binary" => {
                let data = [Bytes::from_static(&[1, 2])];
                let arg = to_raw_value(&Placeholder { num: 0 }).unwrap();
                let wait = Duration::from_secs(5);
                let answer = socket.emit_binary_with_ack("question", &[&arg], &data, wait).await.unwrap();
                socket.emit("answered", answer.binary(1).unwrap().as_ref()).unwrap();
            }
            "count" => {
                for n in 0..event.arg::<u32>(0).unwrap() {
                    socket.emit("n", &n).unwrap();
                }
            }
            "replay" => {
                rt::spawn(replay(socket.clone(), self.notes.clone(), event.arg(0).unwrap()));
            }
            "kick" => {
                socket.emit("last", "words").unwrap();
                socket.disconnect();
                socket.disconnect();
                self.notes.write(socket.emit("too", "late").unwrap_err().to_string());
            }
            "close" => socket.close(),
            "flood" => self.notes.write(Self::flood(socket)),
            name => self.notes.write(format!("event {name}")),
        }
    }

    fn disconnected(&self, socket: &Socket, _: &Rc<Value>, reason: DisconnectReason) {
        self.all.borrow_mut().retain(|other| other.id() != socket.id());
        assert!(!socket.is_connected());
        self.notes.write(format!("disconnected {}: {reason}", socket.namespace()));
    }
}
