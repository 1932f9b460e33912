use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::contract;
use super::{App, LoggedIn, in_time};

/// How a client talks to the lobby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Plain,
    SocketIo,
}

/// What a client shows of itself.
#[derive(Debug, Clone, Copy)]
pub enum Auth<'a> {
    Nothing,
    /// In the CONNECT auth or the connect frame.
    Token(&'a LoggedIn),
    /// In an `Authorization` header.
    Header(&'a LoggedIn),
    Cookie(&'a LoggedIn),
    /// A token that nobody was given.
    Forged(&'a str),
}

/// A hand-made client: it sends what it is told and hides nothing.
pub struct Connection {
    protocol: Protocol,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_ack: u64,
    /// Came in while something else was waited for.
    waiting: VecDeque<Received>,
    recovery: Recovery,
}

/// What a Socket.IO client remembers, to be recovered by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    pub pid: Option<String>,
    pub offset: Option<String>,
}

/// What came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    Event(String, Value),
    Ack(u64, Value),
    /// Socket.IO's `CONNECT_ERROR`.
    ConnectError(Value),
    /// Socket.IO's DISCONNECT.
    Disconnect,
    /// The socket was closed, with this code and reason.
    Closed(u16, String),
}

impl Connection {
    /// Opens the socket and no more.
    pub async fn open(app: &App, protocol: Protocol, headers: &[(&str, &str)]) -> Result<Self, Error> {
        Self::open_at(app.address(), protocol, headers).await
    }

    async fn open_at(
        address: SocketAddr,
        protocol: Protocol,
        headers: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let path = match protocol {
            Protocol::Plain => "/ws",
            Protocol::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        };
        let request = request(format!("ws://{address}{path}"), headers)?;
        let (stream, _) = in_time("a handshake", connect_async(request)).await?;
        let mut connection =
            Self { protocol, stream, next_ack: 0, waiting: VecDeque::new(), recovery: Recovery::default() };
        if protocol == Protocol::SocketIo {
            let opened = connection.next_text().await.expect("Engine.IO's open packet");
            assert!(opened.starts_with("0{"), "{opened}");
        }
        Ok(connection)
    }

    /// Asks for a WebSocket in place of a long-polling session.
    pub async fn upgrade(app: &App, sid: &str, headers: &[(&str, &str)]) -> Result<(), Error> {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket&sid={sid}", app.address());
        let request = request(url, headers)?;
        in_time("a handshake", connect_async(request)).await?;
        Ok(())
    }

    /// Takes a long-polling session over, to its end.
    pub async fn upgraded(app: &App, sid: &str) -> Self {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket&sid={sid}", app.address());
        let request = request(url, &[]).expect("a request");
        let (stream, _) =
            in_time("a handshake", connect_async(request)).await.expect("it is the same session");
        let (waiting, recovery) = (VecDeque::new(), Recovery::default());
        let mut connection = Self { protocol: Protocol::SocketIo, stream, next_ack: 0, waiting, recovery };
        connection.send_text("2probe").await;
        assert_eq!(connection.next_text().await, Ok("3probe".to_owned()));
        connection.send_text("5").await;
        connection
    }

    /// Opens the socket and says who it is; what comes of it is still to be received.
    pub async fn connecting(app: &App, protocol: Protocol, auth: Auth<'_>) -> Self {
        let header = match auth {
            Auth::Header(user) => vec![("authorization", user.bearer())],
            Auth::Cookie(user) => vec![("cookie", user.cookie())],
            Auth::Nothing | Auth::Token(_) | Auth::Forged(_) => vec![],
        };
        let header: Vec<_> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let data = match auth {
            Auth::Token(user) => json!({"token": user.token}),
            Auth::Forged(token) => json!({"token": token}),
            Auth::Nothing | Auth::Header(_) | Auth::Cookie(_) => json!({}),
        };
        Self::connecting_with(app, protocol, &header, &data).await
    }

    /// The same with these headers, and with this as what it says of itself.
    pub async fn connecting_with(
        app: &App,
        protocol: Protocol,
        headers: &[(&str, &str)],
        data: &Value,
    ) -> Self {
        Self::connecting_at(app.address(), protocol, headers, data).await
    }

    /// The same, where the lobby is reached at another address.
    pub async fn connecting_at(
        address: SocketAddr,
        protocol: Protocol,
        headers: &[(&str, &str)],
        data: &Value,
    ) -> Self {
        let mut connection = Self::open_at(address, protocol, headers).await.expect("a handshake");
        let connect = match protocol {
            Protocol::Plain => json!({"event": "connect", "data": data}).to_string(),
            Protocol::SocketIo => format!("40{data}"),
        };
        connection.send_text(&connect).await;
        connection
    }

    /// Opens the socket, says who it is and is let in; answers with the `session` event too.
    pub async fn enter(app: &App, protocol: Protocol, auth: Auth<'_>) -> (Self, Value) {
        Self::connecting(app, protocol, auth).await.entered().await
    }

    /// The same with this as what it says of itself.
    pub async fn enter_with(app: &App, protocol: Protocol, data: &Value) -> (Self, Value) {
        Self::connecting_with(app, protocol, &[], data).await.entered().await
    }

    /// Is let in; answers with the `session` event too.
    pub async fn entered(mut self) -> (Self, Value) {
        match self.receive().await {
            Received::Event(name, session) if name == "session" => (self, session),
            other => panic!("first of all comes the session, not {other:?}"),
        }
    }

    /// Comes back, as nobody in particular, to go on behind a message of a log; answers with the `session` event too.
    pub async fn resume(app: &App, protocol: Protocol, log: &Value, after: u64) -> (Self, Value) {
        Self::enter_with(app, protocol, &json!({"log": log, "after": after})).await
    }

    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("the socket takes it");
    }

    pub async fn send(&mut self, message: Message) {
        self.stream.send(message).await.expect("the socket takes it");
    }

    /// Leaves in good order, unless the other side has gone already.
    pub async fn close(&mut self) {
        let _gone = self.stream.close(None).await;
        self.closed().await;
    }

    /// Is torn away: the lobby finds a connection that was reset.
    pub fn break_off(self) {
        let MaybeTlsStream::Plain(stream) = self.stream.get_ref() else { panic!("it is not encrypted") };
        stream.set_zero_linger().expect("it is a socket");
    }

    /// Sends an event without asking for an answer.
    pub async fn emit(&mut self, name: &str, data: &Value) {
        let text = match self.protocol {
            Protocol::Plain => json!({"event": name, "data": data}).to_string(),
            Protocol::SocketIo => format!("42{}", json!([name, data])),
        };
        self.send_text(&text).await;
    }

    /// Sends an event that asks for an answer, and answers with the ack's id.
    pub async fn emit_with_ack(&mut self, name: &str, data: &Value) -> u64 {
        let (ack, text) = self.with_ack(name, data);
        self.send_text(&text).await;
        ack
    }

    /// The same where the socket may be closing, and take nothing any more.
    pub async fn try_to_ask(&mut self, name: &str, data: &Value) {
        let (_, text) = self.with_ack(name, data);
        let _closing = self.stream.send(Message::text(text)).await;
    }

    fn with_ack(&mut self, name: &str, data: &Value) -> (u64, String) {
        let ack = self.next_ack;
        self.next_ack += 1;
        let text = match self.protocol {
            Protocol::Plain => json!({"event": name, "data": data, "ack": ack}).to_string(),
            Protocol::SocketIo => format!("42{ack}{}", json!([name, data])),
        };
        (ack, text)
    }

    /// Sends an event and waits for its answer; what comes in between is kept.
    pub async fn ask(&mut self, name: &str, data: &Value) -> Value {
        let ack = self.emit_with_ack(name, data).await;
        self.answer(ack).await
    }

    /// The answer to what was sent with this ack id; what comes in between is kept.
    pub async fn answer(&mut self, ack: u64) -> Value {
        let is_answer = |received: &Received| matches!(received, Received::Ack(id, _) if *id == ack);
        match self.receive_the(is_answer).await {
            Received::Ack(_, answer) => answer,
            other => unreachable!("{other:?} is no ack"),
        }
    }

    /// The data of the next event of this name; what comes in between is kept.
    pub async fn event(&mut self, name: &str) -> Value {
        let is_meant = |received: &Received| matches!(received, Received::Event(is, _) if is == name);
        match self.receive_the(is_meant).await {
            Received::Event(_, data) => data,
            other => unreachable!("{other:?} is no event"),
        }
    }

    /// The contents of the next `count` messages.
    pub async fn messages(&mut self, count: usize) -> Vec<(i64, String)> {
        let mut messages = Vec::with_capacity(count);
        for _ in 0..count {
            let message = self.event("new_message").await;
            let content = message["content"].as_str().expect("a text").to_owned();
            messages.push((message["id"].as_i64().expect("a number"), content));
        }
        messages
    }

    /// All messages up to the one that says `last`, which is left out.
    pub async fn messages_until(&mut self, last: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let message = self.event("new_message").await;
            if message["content"] == last {
                return messages;
            }
            messages.push(message);
        }
    }

    /// Says all this as fast as it goes, and waits until it is stored. Whatever else comes in meanwhile is passed over.
    pub async fn say_all(&mut self, contents: impl IntoIterator<Item = String>) {
        // It hears itself: even the longest messages, unread, are to fit into its outbox.
        const AT_ONCE: usize = 32;

        let (mut waiting, mut contents) = (0, contents.into_iter().peekable());
        while waiting > 0 || contents.peek().is_some() {
            for content in contents.by_ref().take(AT_ONCE - waiting) {
                self.emit_with_ack("send_message", &json!({"content": content})).await;
                waiting += 1;
            }
            match self.receive().await {
                Received::Event(..) => {}
                Received::Ack(_, answer) if answer["id"].is_i64() => waiting -= 1,
                other => panic!("it was to be stored: {other:?}"),
            }
        }
    }

    /// What it has to show to be recovered, if the lobby has given it something.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// How the connection ended; what came before is passed over.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Received::Closed(code, reason) = self.receive().await {
                return (code, reason);
            }
        }
    }

    /// Whatever comes next.
    pub async fn receive(&mut self) -> Received {
        match self.waiting.pop_front() {
            Some(received) => received,
            None => self.receive_new().await,
        }
    }

    async fn receive_the(&mut self, is_meant: impl Fn(&Received) -> bool) -> Received {
        if let Some(at) = self.waiting.iter().position(&is_meant) {
            return self.waiting.remove(at).expect("it was just found");
        }
        loop {
            let received = self.receive_new().await;
            if is_meant(&received) {
                return received;
            }
            assert!(!matches!(received, Received::Closed(..)), "{received:?}");
            self.waiting.push_back(received);
        }
    }

    /// It has to be something that the API page describes.
    async fn receive_new(&mut self) -> Received {
        let received = self.receive_any().await;
        contract::check_event(&received);
        received
    }

    async fn receive_any(&mut self) -> Received {
        loop {
            let text = match self.next_text().await {
                Ok(text) => text,
                Err(closed) => return closed,
            };
            match self.protocol {
                Protocol::Plain => return parse_plain(&text),
                // Engine.IO's ping.
                // Whether that still gets there is seen by what comes next.
                Protocol::SocketIo if text == "2" => drop(self.stream.send(Message::text("3")).await),
                Protocol::SocketIo => {
                    self.recovery.take_from(&text);
                    if let Some(received) = parse_socketio(&text) {
                        return received;
                    }
                }
            }
        }
    }

    async fn next_text(&mut self) -> Result<String, Received> {
        loop {
            match in_time("a frame", self.stream.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(Some(close)))) => {
                    return Err(Received::Closed(close.code.into(), close.reason.to_string()));
                }
                Some(Ok(Message::Close(None))) => return Err(Received::Closed(1005, String::new())),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("the lobby sends text, not {other:?}"),
                Some(Err(_)) | None => return Err(Received::Closed(1006, String::new())),
            }
        }
    }
}

fn request(url: String, headers: &[(&str, &str)]) -> Result<Request, Error> {
    let mut request = url.into_client_request()?;
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header's value"));
    }
    Ok(request)
}

impl Recovery {
    /// As socket.io-client does it: from the answer to CONNECT, and from events whose last argument is a text.
    fn take_from(&mut self, text: &str) {
        let text_of = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(answer) = text.strip_prefix("40") {
            let answer: Value = serde_json::from_str(answer).expect("JSON");
            self.pid = text_of(&answer["pid"]);
        } else if let Some(args) = text.strip_prefix("42") {
            let args: Vec<Value> = serde_json::from_str(args).expect("JSON");
            self.offset = args[1..].last().and_then(text_of).or_else(|| self.offset.take());
        }
    }
}

pub(super) fn parse_plain(text: &str) -> Received {
    let frame: Value = serde_json::from_str(text).expect("JSON");
    match (frame["event"].as_str(), frame["ack"].as_u64()) {
        (Some(event), None) => Received::Event(event.to_owned(), frame["data"].clone()),
        (None, Some(ack)) => Received::Ack(ack, frame["data"].clone()),
        _ => panic!("neither an event nor an answer: {text}"),
    }
}

/// `None` for the answer to CONNECT, which says no more than what follows it.
pub(super) fn parse_socketio(text: &str) -> Option<Received> {
    let json_at = text.find(['[', '{']).unwrap_or(text.len());
    let (header, data) = text.split_at(json_at);
    let data = || serde_json::from_str::<Value>(data).expect("JSON");
    match (header.get(..2), header.get(2..)) {
        (Some("40"), _) => None,
        (Some("41"), _) => Some(Received::Disconnect),
        (Some("42"), Some("")) => {
            let data = data();
            Some(Received::Event(data[0].as_str().expect("a name").to_owned(), data[1].clone()))
        }
        (Some("43"), Some(ack)) => Some(Received::Ack(ack.parse().expect("an ack id"), data()[0].clone())),
        (Some("44"), _) => Some(Received::ConnectError(data())),
        _ => panic!("what packet is this: {text}"),
    }
}
