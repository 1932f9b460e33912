//! Sessions to come in with.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::Error;
use crate::hello::beginning;
use crate::progress::Progress;
use crate::target::Target;

/// Log-ins at the same time: enough for a server that commits them together, and few threads.
const AT_ONCE: usize = 32;

/// How long one may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// No answer to a log-in comes near.
const MAX_ANSWER: u64 = 64 << 10;

/// Opens `count` claimed sessions, at these nodes in turn, and answers with their tokens. Their names are nobody else's: they have the run's number.
pub(crate) fn log_in(
    targets: &[Target],
    run: u32,
    count: usize,
    progress: &mut Progress,
) -> Result<Vec<String>, Error> {
    let done = AtomicUsize::new(0);
    let share = count.div_ceil(AT_ONCE).max(1);
    let starts = (0..count).step_by(share);
    let portions: Vec<Result<Vec<String>, Error>> = thread::scope(|scope| {
        let done = &done;
        let workers = starts.map(|start| {
            let numbers = start..(start + share).min(count);
            scope.spawn(move || {
                let mut clients = targets.iter().map(Client::connect).collect::<Result<Vec<_>, _>>()?;
                let log_in = |number: usize| {
                    let node = number % targets.len();
                    clients[node].log_in(&targets[node], &name(run, number), done)
                };
                numbers.map(log_in).collect()
            })
        });
        let workers: Vec<_> = workers.collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            progress.say("logging in", done.load(Ordering::Relaxed), count);
            thread::park_timeout(Duration::from_millis(10));
        }
        workers.into_iter().map(|worker| worker.join().expect("no log-in panics")).collect()
    });
    Ok(portions.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// Digits alone differ: no two such names look alike.
fn name(run: u32, number: usize) -> String {
    format!("load-{run}-{number}")
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(target: &Target) -> Result<Self, Error> {
        let stream = TcpStream::connect(target.address);
        let stream = stream.map_err(|source| Error::Unreachable { url: target.url.clone(), source })?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn log_in(&mut self, target: &Target, name: &str, done: &AtomicUsize) -> Result<String, Error> {
        let refused = |why| Error::LogIn { url: target.url.clone(), why };
        let body = json!({"pseudonym": name, "claim": true}).to_string();
        target.post(self.0.get_mut(), "/login", &body)?;
        let (status, body) = self.answer().map_err(|error| refused(error.to_string()))?;
        if status != "200" {
            return Err(refused(format!("{status} {}", beginning(&body))));
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        done.fetch_add(1, Ordering::Relaxed);
        let token = answer["token"].as_str().map(ToOwned::to_owned);
        token.ok_or_else(|| refused("the answer has no token; is this a lobby? (--no-login)".to_owned()))
    }

    /// An answer's status and body.
    fn answer(&mut self) -> std::io::Result<(String, Vec<u8>)> {
        let status = self.line()?.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
        }
        let mut body = Vec::new();
        self.0.by_ref().take(std::cmp::min(length, MAX_ANSWER)).read_to_end(&mut body)?;
        Ok((status, body))
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.0.by_ref().take(MAX_ANSWER).read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
