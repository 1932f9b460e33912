//! Clients that send as little as they can, to keep as many sockets busy as they can (slow loris).

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::harness::{
    Connection, Database, Launch, LoggedIn, PATIENCE, Program, Protocol, http_client, in_time, tell, variable,
};

/// Slow sockets of each form, if nobody says otherwise.
const SOCKETS: usize = 100;

/// What the tests give a head and a body.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a socket is let be at least: actix reads the time from a clock that goes on twice a second, and later where it is busy.
const LEAST: Duration = Duration::from_secs(1);
/// How much later, on a machine that is busy with other tests.
const LATE: Duration = Duration::from_secs(5);

/// How long a normal client may wait in 99 of 100 cases, whatever the slow ones do.
const P99: Duration = Duration::from_millis(50);
/// For how long they do it, in large: who is cut comes again.
const ATTACK: Duration = Duration::from_secs(10);

/// After what nothing comes, or hardly anything.
#[derive(Debug, Clone, Copy)]
enum Form {
    NoByte,
    HalfHead,
    HalfSecondHead,
    HalfBody,
    /// A body where the client would like another protocol, too: it goes past actix's own dispatcher.
    HalfBodyOfUpgrade,
}

impl Form {
    /// What is sent, and that a byte now and then follows, except where it is no byte.
    fn begins(self) -> &'static str {
        match self {
            Self::NoByte => "",
            Self::HalfHead | Self::HalfSecondHead => "GET /health/live HTTP/1.1\r\nHost: lob",
            Self::HalfBody => {
                "POST /login HTTP/1.1\r\nHost: lobby\r\nContent-Type: application/json\r\n\
                 Content-Length: 1000\r\n\r\n{\"pseudonym\": \""
            }
            Self::HalfBodyOfUpgrade => {
                "POST /login HTTP/1.1\r\nHost: lobby\r\nContent-Type: application/json\r\n\
                 Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1000\r\n\r\n{\"pseudonym\": \""
            }
        }
    }

    /// Whether this is what it is told before it is cut.
    fn is_told(self, told: &str) -> bool {
        match self {
            Self::NoByte | Self::HalfHead => told.starts_with("HTTP/1.1 408 "),
            // Half an answer to a request that nobody made would be taken for that to another one.
            Self::HalfSecondHead => told.is_empty(),
            Self::HalfBody | Self::HalfBodyOfUpgrade => told.contains("\"code\":\"body_too_slow\""),
        }
    }
}

/// One slow client: until it is cut. Answers how long it was let be, and with what it was told.
async fn be_slow(address: SocketAddr, form: Form) -> io::Result<(Duration, String)> {
    const A_BYTE_EACH: Duration = Duration::from_millis(200);

    let mut stream = TcpStream::connect(address).await?;
    if matches!(form, Form::HalfSecondHead) {
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: lobby\r\n\r\n").await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"{\"status\":\"live\"}") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
    let begun = Instant::now();
    stream.write_all(form.begins().as_bytes()).await?;
    let (mut reader, mut writer) = stream.split();
    let mut told = Vec::new();
    let drip = async {
        while !form.begins().is_empty() {
            sleep(A_BYTE_EACH).await;
            if writer.write_all(b"x").await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // A reset is an end too.
        _ = reader.read_to_end(&mut told) => {}
        () = drip => {}
    }
    Ok((begun.elapsed(), String::from_utf8_lossy(&told).into_owned()))
}

async fn lobby() -> Program {
    let timeout = || format!("{}s", TIMEOUT.as_secs());
    let settings = vec![
        ("LOBBY_LIMITS__HEAD_TIMEOUT", timeout()),
        ("LOBBY_LIMITS__BODY_TIMEOUT", timeout()),
        ("LOBBY_LIMITS__KEEP_ALIVE", "3s".to_owned()),
        ("LOBBY_LOG__LEVEL", "error".to_owned()),
    ];
    Program::launch(Launch { database: Database::Sqlite, settings, ..Launch::default() }).await
}

/// A normal client: asks who it is and says something, over and over, until it is told to stop; answers with how long each took.
async fn be_normal(address: SocketAddr, stop: &AtomicBool) -> Vec<Duration> {
    const PAUSE: Duration = Duration::from_millis(5);

    let client = http_client();
    let url = |path: &str| format!("http://{address}{path}");
    let log_in = client.post(url("/login")).json(&json!({"pseudonym": "JohnDoe", "claim": true})).send();
    let john = in_time("the log-in", log_in).await.expect("an answer").json::<Value>().await.expect("JSON");
    let john = LoggedIn::from(&john);
    let data = json!({"token": john.token});
    let (mut socket, _) =
        Connection::connecting_at(address, Protocol::Plain, &[], &data).await.entered().await;
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) || took.len() < 20 {
        let begun = Instant::now();
        let asked = client.get(url("/session")).bearer_auth(&john.token).send();
        assert_eq!(in_time("an answer", asked).await.expect("an answer").status(), 200);
        took.push(begun.elapsed());
        let begun = Instant::now();
        assert!(socket.ask("send_message", &json!({"content": "hello"})).await["id"].is_i64());
        took.push(begun.elapsed());
        sleep(PAUSE).await;
    }
    took
}

/// With `make soak` there are more of them, who come again and again.
#[rstest]
#[case::no_byte(Form::NoByte)]
#[case::half_a_head(Form::HalfHead)]
#[case::half_a_second_head(Form::HalfSecondHead)]
#[case::half_a_body(Form::HalfBody)]
#[case::half_a_body_of_an_upgrade(Form::HalfBodyOfUpgrade)]
#[tokio::test]
async fn slow_clients_are_cut_in_time_and_keep_nobody_waiting(#[case] form: Form) {
    let mut lobby = lobby().await;
    let (address, in_large) = (lobby.socket(), variable::<usize>("LOBBY_SOAK_SLOW"));
    let stop = AtomicBool::new(false);
    let attack = async {
        let begun = Instant::now();
        let slow = || async {
            let mut rounds = 0;
            loop {
                let (let_be, told) = timeout(TIMEOUT + PATIENCE, be_slow(address, form))
                    .await
                    .unwrap_or_else(|_| panic!("{form:?} was never cut"))
                    .unwrap_or_else(|error| panic!("{form:?} could not begin: {error}"));
                assert!(let_be <= TIMEOUT + LATE, "{form:?} was cut after {let_be:?}");
                assert!(let_be >= LEAST, "{form:?} was cut after {let_be:?}: {told}");
                assert!(form.is_told(&told), "{form:?}: {told}");
                rounds += 1;
                if in_large.is_none() || begun.elapsed() > ATTACK {
                    return rounds;
                }
            }
        };
        let rounds: usize =
            join_all((0..in_large.unwrap_or(SOCKETS)).map(|_| slow())).await.into_iter().sum();
        stop.store(true, Ordering::Relaxed);
        rounds
    };
    let (rounds, mut took) = tokio::join!(attack, be_normal(address, &stop));
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    tell(&format!(
        "{form:?}: {rounds} slow sockets were cut; of {} requests 99 % took at most {p99:?}",
        took.len()
    ));
    if in_large.is_some() {
        assert!(p99 < P99, "{form:?}: {p99:?}");
    }
    lobby.stop_for_now().await;
}
