//! A lobby that is asked to end while a crowd is connected and talks.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use lobby_server::open_files;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, timeout};

use crate::harness::{
    Connection, Launch, LoggedIn, PATIENCE, Polling, Program, Protocol, Received, http_client, in_time, tell,
    variable,
};

/// How many sockets there are, if nobody says otherwise by `LOBBY_SOAK_SOCKETS`.
const SOCKETS: usize = 400;
/// Of all sockets one in so many polls.
const POLLS: usize = 5;
/// So many of the sockets are somebody's.
const PEOPLE: usize = 12;
/// So many of those talk, without waiting, to the last moment.
const TALKERS: usize = 6;
/// How many connect at a time.
const AT_ONCE: usize = 32;
/// `server.shutdown_timeout`, which is not set here.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Nobody is given up while thousands come in one after the other, and something is heard within what a test waits for.
const SETTINGS: [(&str, &str); 4] = [
    ("LOBBY_SOCKETIO__PING_INTERVAL", "10s"),
    ("LOBBY_SOCKETIO__PING_TIMEOUT", "2m"),
    ("LOBBY_WEBSOCKET__PING_INTERVAL", "10s"),
    ("LOBBY_WEBSOCKET__PING_TIMEOUT", "2m"),
];

/// A client, however it is connected.
enum Socket {
    Stays(Box<Connection>),
    Polls(Box<Polling>),
}

/// How the end came to one socket.
struct Told {
    at: Instant,
    how: Received,
    /// What it has said that was answered.
    acknowledged: usize,
}

/// What somebody outside sees from the signal on.
struct Seen {
    /// The answers to `/health/ready` on a connection that was there before.
    health: Vec<u16>,
    refused: Instant,
}

#[rstest]
#[tokio::test]
async fn all_are_told_in_batches_what_is_committed_is_acknowledged_and_nobody_was_gone(
    #[values("TERM", "INT")] signal: &'static str,
) {
    let sockets = variable("LOBBY_SOAK_SOCKETS").unwrap_or(SOCKETS);
    open_files::raise_limit();
    let settings = SETTINGS.map(|(name, value)| (name, value.to_owned())).to_vec();
    let mut program = Program::launch(Launch { settings, ..Launch::default() }).await;
    let people = log_in(&program).await;
    let crowd = gather(&program, sockets, &people).await;
    let before = users(&program).await;
    assert_eq!(before.len(), PEOPLE);

    let mut telling = JoinSet::new();
    for (number, socket) in crowd.into_iter().enumerate() {
        telling.spawn(Box::pin(until_told(socket, number < TALKERS)));
    }
    let watching = tokio::spawn(watch(TcpStream::connect(program.socket()).await.expect("it listens")));
    talked(&program).await;
    let began = Instant::now();
    program.signal(signal).await;
    let told = in_time("all to be told", telling.join_all()).await;
    let status = program.ended().await;
    let took = began.elapsed();
    let seen = in_time("somebody outside", watching).await.expect("no panic");

    assert!(status.success() && took < SHUTDOWN, "{status} after {took:?}");
    assert_eq!(told.len(), sockets);
    for told in &told {
        let is_goodbye = match &told.how {
            Received::Closed(1001, reason) => {
                ["going_away", "server shutting down"].contains(&reason.as_str())
            }
            // Engine.IO's close packet has neither.
            Received::Closed(1005, reason) => reason.is_empty(),
            _ => false,
        };
        assert!(is_goodbye, "{:?}", told.how);
    }
    let (first, last) = (told.iter().map(|told| told.at).min(), told.iter().map(|told| told.at).max());
    let (first, last) = (first.expect("some"), last.expect("some"));
    // Two workers have half of them each, and pauses are of at least 10 ms.
    let pauses = u32::try_from((sockets / 2).div_ceil(25).min(100)).expect("few") - 1;
    assert!(last - first > Duration::from_millis(8) * pauses, "all within {:?}", last - first);
    assert!(seen.health.first() == Some(&200) && seen.health.last() == Some(&503), "{:?}", seen.health);
    assert!(seen.refused < last, "nobody was refused while others were told");

    program.start_again().await;
    let acknowledged: usize = told.iter().map(|told| told.acknowledged).sum();
    let stored = said(&program).await;
    tell(&format!(
        "{sockets} sockets were told within {:?} to {:?}; it ended after {took:?}; {stored} messages, {acknowledged} acknowledged",
        first - began,
        last - began,
    ));
    assert!(acknowledged >= TALKERS);
    assert_eq!(
        stored, acknowledged,
        "what is in the log has been acknowledged, and what was acknowledged is there"
    );
    let crowd = gather(&program, PEOPLE, &people).await;
    assert_eq!(users(&program).await, before);
    drop(crowd);
    program.stop().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let settings = vec![("LOBBY_SERVER__SHUTDOWN_TIMEOUT", "1h".to_owned())];
    let mut program = Program::launch(Launch { settings, ..Launch::default() }).await;
    // A request that never gets whole keeps it.
    let mut half = TcpStream::connect(program.socket()).await.expect("it listens");
    let head = "POST /login HTTP/1.1\r\nHost: lobby\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{";
    half.write_all(head.as_bytes()).await.expect("it reads");
    served_by(&program).await;
    program.signal("TERM").await;
    refused(&program).await;
    assert!(timeout(Duration::from_millis(300), program.ended()).await.is_err(), "somebody is still served");
    program.signal("TERM").await;
    let status = program.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(!program.log().contains("panicked"));
}

/// To whoever asks by a connection that is there, as nobody gets another.
#[tokio::test]
async fn while_it_says_goodbye_it_lives_and_is_not_ready() {
    let settings = vec![("LOBBY_SERVER__SHUTDOWN_TIMEOUT", "1h".to_owned())];
    let mut program = Program::launch(Launch { settings, ..Launch::default() }).await;
    // Whoever does not come for the last words is waited for.
    let mut late = Polling::connecting_at(program.socket(), &json!({})).await;
    late.receive().await;
    let mut kept = BufReader::new(TcpStream::connect(program.socket()).await.expect("it listens"));
    assert_eq!(asked(&mut kept, "/health/ready").await, Some(200));
    program.signal("TERM").await;
    refused(&program).await;
    assert_eq!(asked(&mut kept, "/health/ready").await, Some(503));
    assert_eq!(asked(&mut kept, "/health/live").await, Some(200));
    assert!(program.ended().await.success());
}

/// A request that was sent later has been answered.
async fn served_by(program: &Program) {
    let url = format!("http://{}/health/live", program.socket());
    for _ in 0..2 {
        in_time("an answer", http_client().get(&url).send()).await.expect("an answer");
    }
}

async fn refused(program: &Program) {
    let refused = async { while TcpStream::connect(program.socket()).await.is_ok() {} };
    in_time("clients to be refused", refused).await;
}

async fn log_in(program: &Program) -> Vec<LoggedIn> {
    let url = format!("http://{}/login", program.socket());
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let body = json!({"pseudonym": format!("person-{number}"), "claim": true});
        let answer = http_client().post(&url).json(&body).send().await.expect("an answer");
        people.push(LoggedIn::from(&answer.json().await.expect("JSON")));
    }
    people
}

/// The first ones are the people's.
async fn gather(program: &Program, sockets: usize, people: &[LoggedIn]) -> Vec<Socket> {
    let address = program.socket();
    let connecting = (0..sockets).map(|number| {
        let data = people.get(number).map_or(json!({}), |who| json!({"token": who.token}));
        Box::pin(async move {
            let mut socket = match number % POLLS {
                0 => Socket::Polls(Box::new(Polling::connecting_at(address, &data).await)),
                1 | 2 => Socket::staying(address, Protocol::Plain, &data).await,
                _ => Socket::staying(address, Protocol::SocketIo, &data).await,
            };
            let first = socket.receive().await;
            assert!(matches!(&first, Received::Event(name, _) if name == "session"), "{first:?}");
            socket
        })
    });
    stream::iter(connecting).buffered(AT_ONCE).collect().await
}

impl Socket {
    async fn staying(address: SocketAddr, protocol: Protocol, data: &Value) -> Self {
        Self::Stays(Box::new(Connection::connecting_at(address, protocol, &[], data).await))
    }

    async fn receive(&mut self) -> Received {
        match self {
            Self::Stays(connection) => connection.receive().await,
            Self::Polls(polling) => polling.receive().await,
        }
    }

    /// To somebody who hears it, so that a crowd need not. Whether it still gets there is seen by what comes next.
    async fn say(&mut self) {
        let data = json!({"content": "hello", "to": format!("person-{}", PEOPLE - 1)});
        match self {
            Self::Stays(connection) => connection.try_to_ask("send_message", &data).await,
            Self::Polls(polling) => {
                polling.emit_with_ack("send_message", &data).await;
            }
        }
    }
}

/// Whoever talks says the next thing when the last is answered.
async fn until_told(mut socket: Socket, talks: bool) -> Told {
    let mut acknowledged = 0;
    if talks {
        socket.say().await;
    }
    loop {
        match socket.receive().await {
            Received::Ack(_, answer) => {
                assert!(answer.get("id").is_some(), "{answer}");
                acknowledged += 1;
                socket.say().await;
            }
            Received::Event(..) => {}
            how => return Told { at: Instant::now(), how, acknowledged },
        }
    }
}

/// Waits until there is enough to talk over.
async fn talked(program: &Program) {
    let enough = async { while said(program).await < 20 * TALKERS {} };
    in_time("people to talk", enough).await;
}

async fn said(program: &Program) -> usize {
    let history = get(program, "/messages?limit=1").await;
    usize::try_from(history["last_id"].as_u64().expect("a number")).expect("few")
}

async fn users(program: &Program) -> Vec<Value> {
    get(program, "/users").await.as_array().expect("an array").clone()
}

async fn get(program: &Program, path: &str) -> Value {
    let url = format!("http://{}{path}", program.socket());
    let answer = in_time("an answer", http_client().get(url).send()).await.expect("an answer");
    answer.json().await.expect("JSON")
}

/// Asks on one connection whether the lobby is ready for as long as it answers, and comes again and again until it is refused.
async fn watch(stream: TcpStream) -> Seen {
    let address = stream.peer_addr().expect("it is connected");
    let asking = tokio::spawn(ask(stream));
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        Instant::now()
    };
    let refused = timeout(2 * PATIENCE, refused).await.expect("it refuses at last");
    Seen { health: asking.await.expect("no panic"), refused }
}

async fn ask(stream: TcpStream) -> Vec<u16> {
    let (mut stream, mut answers) = (BufReader::new(stream), Vec::new());
    while let Some(status) = asked(&mut stream, "/health/ready").await {
        answers.push(status);
        sleep(Duration::from_millis(5)).await;
    }
    answers
}

/// The status of the answer, if there is one.
async fn asked(stream: &mut BufReader<TcpStream>, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: lobby\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes()).await.ok()?;
    answer(stream).await
}

/// The status of an answer that is read to its end. `None` where there is none.
async fn answer(stream: &mut BufReader<TcpStream>) -> Option<u16> {
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.split(' ').next()?.parse().ok();
        } else if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.parse().ok()?;
        } else if line.is_empty() {
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            yield_now().await;
            return status;
        }
    }
}
