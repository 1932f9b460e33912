use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::{LoggedIn, Protocol, Random, http_client, in_time};
use crate::checker::{Message, Post, Record};

mod link;
mod worker;

use link::Way;
use worker::Worker;

/// Where the lobby is now. One that was started again may be elsewhere.
pub type Address = watch::Receiver<SocketAddr>;

/// A client that listens, posts and comes back by itself, and keeps a record of it.
///
/// It goes on behind what it has seen, and repeats what was not acknowledged before it says anything else.
pub struct Recorder {
    name: String,
    address: Address,
    user: Option<LoggedIn>,
    posts: mpsc::Sender<Post>,
    posted: AtomicUsize,
    progress: watch::Receiver<Progress>,
    running: JoinHandle<Record>,
}

/// How far a recorder is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// How often it was let in.
    pub connections: usize,
    /// How many of its posts are acknowledged, or refused for good.
    pub acknowledged: usize,
    /// The last id that it saw, or behind which it began.
    pub position: u64,
    /// Whether it is connected.
    pub is_here: bool,
    /// The sessions that are online, as it was told.
    pub online: Arc<BTreeSet<String>>,
    /// How often it was told that somebody came or went, also by a list that begins anew.
    pub changes: usize,
}

/// Refusals that pass: the same may be tried again, a post under the same client id.
const PASSING: [&str; 3] = ["busy", "unavailable", "outcome_unknown"];

/// How many posts may wait for those before them.
const QUEUE: usize = 1;

impl Recorder {
    /// Logs in, claims the session and connects.
    pub async fn log_in(address: &Address, protocol: Protocol, name: &str, random: Random) -> Self {
        Self::log_in_with(address, protocol, name, random, None).await
    }

    /// The same where nodes stand still: a connection that has been silent for so long counts as gone, and recipients may be offline.
    pub async fn log_in_with(
        address: &Address,
        protocol: Protocol,
        name: &str,
        random: Random,
        silence: Option<Duration>,
    ) -> Self {
        let url = format!("http://{}/login", *address.borrow());
        let request = http_client().post(url).json(&json!({"pseudonym": name, "claim": true})).send();
        let answer = in_time("a log-in", request).await.expect("an answer");
        assert!(answer.status().is_success(), "{name}: {answer:?}");
        let user: Value = in_time("a log-in", answer.json()).await.expect("JSON");
        Self::start_with(address, protocol, name, Some(LoggedIn::from(&user)), random, silence)
    }

    /// Connects as this session, or as nobody in particular.
    pub fn start(
        address: &Address,
        protocol: Protocol,
        name: &str,
        user: Option<LoggedIn>,
        random: Random,
    ) -> Self {
        Self::start_with(address, protocol, name, user, random, None)
    }

    fn start_with(
        address: &Address,
        protocol: Protocol,
        name: &str,
        user: Option<LoggedIn>,
        random: Random,
        silence: Option<Duration>,
    ) -> Self {
        let (posts, queue) = mpsc::channel(QUEUE);
        let (shown, progress) = watch::channel(Progress::default());
        let session = user.as_ref().map(|user| user.session.clone());
        let record =
            Record { name: name.to_owned(), session, posts: Vec::new(), segments: Vec::new(), until: None };
        let token = user.as_ref().map(|user| user.token.clone());
        let worker =
            Worker::new(address.clone(), Way { protocol, silence }, token, queue, shown, record, random);
        let running = tokio::spawn(worker.run());
        let (name, address) = (name.to_owned(), address.clone());
        Self { name, address, user, posts, posted: AtomicUsize::new(0), progress, running }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn session(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.session.as_str())
    }

    /// Posts this when all before it is acknowledged; waits for its turn to be next.
    pub async fn post(&self, post: Post) {
        self.posted.fetch_add(1, Ordering::Relaxed);
        in_time("the posts before", self.posts.send(post)).await.expect("the recorder has not failed");
    }

    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until it has been let in so often.
    pub async fn connected(&self, times: usize) {
        self.until("a connection", |progress| progress.connections >= times).await;
    }

    /// Whether all that was posted is acknowledged.
    pub fn is_settled(&self) -> bool {
        self.progress.borrow().acknowledged >= self.posted.load(Ordering::Relaxed)
    }

    /// Waits until all that was posted is acknowledged.
    pub async fn settled(&self) {
        let posted = self.posted.load(Ordering::Relaxed);
        self.until("all acknowledgements", |progress| progress.acknowledged >= posted).await;
    }

    /// Waits for one more acknowledgement.
    pub async fn next_acknowledgement(&self) {
        let now = self.progress().acknowledged;
        self.until("an acknowledgement", |progress| progress.acknowledged > now).await;
    }

    /// Waits until it has seen the message with this id, or a later one.
    pub async fn reached(&self, id: u64) {
        self.until("the last message", |progress| progress.position >= id).await;
    }

    async fn until(&self, what: &str, is_so: impl FnMut(&Progress) -> bool) {
        let mut progress = self.progress.clone();
        let what = format!("{what} of {}", self.name);
        in_time(&what, progress.wait_for(is_so)).await.expect("the recorder has not failed");
    }

    /// What is stored behind this id, as far as it may see that.
    pub async fn history(&self, after: u64) -> Vec<Message> {
        let client = http_client();
        let (mut messages, mut last) = (Vec::new(), after);
        loop {
            let page = self.page(&client, last).await;
            let listed = page["messages"].as_array().expect("an array");
            for message in listed.iter().map(Message::from) {
                assert!(message.id > last, "{} comes after {last}", message.id);
                last = message.id;
                messages.push(message);
            }
            if page["has_more"] == false || listed.is_empty() {
                return messages;
            }
        }
    }

    async fn page(&self, client: &Client, after: u64) -> Value {
        let url = format!("http://{}/messages?after={after}&limit=200", *self.address.borrow());
        let mut request = client.get(url);
        if let Some(user) = &self.user {
            request = request.bearer_auth(&user.token);
        }
        let answer = in_time("a page", request.send()).await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        in_time("a page", answer.json()).await.expect("JSON")
    }

    /// Stops it, and answers with its record, when all is acknowledged.
    pub async fn stop(self) -> Record {
        drop(self.posts);
        in_time("the recorder to stop", self.running).await.expect("it has not failed")
    }
}

fn passes(refusal: &Value) -> bool {
    refusal["code"].as_str().is_some_and(|code| PASSING.contains(&code))
}
