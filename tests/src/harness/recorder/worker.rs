use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::link::{Broken, Link, Way};
use super::{Address, Progress, passes};
use crate::checker::{Message, Post, Record, Segment};
use crate::harness::{Random, Received};

pub(super) struct Worker {
    address: Address,
    way: Way,
    token: Option<String>,
    queue: mpsc::Receiver<Post>,
    progress: watch::Sender<Progress>,
    record: Record,
    /// Which log it has been in, and behind which id it goes on there.
    position: Option<(String, u64)>,
    /// The newest message when its connection began.
    newest: u64,
    backoff: Backoff,
    online: Arc<BTreeSet<String>>,
    changes: usize,
    /// Posts that are not stored, nor in the record.
    refused: usize,
}

impl Worker {
    pub(super) fn new(
        address: Address,
        way: Way,
        token: Option<String>,
        queue: mpsc::Receiver<Post>,
        progress: watch::Sender<Progress>,
        record: Record,
        random: Random,
    ) -> Self {
        let backoff = Backoff { random, limit: Backoff::SHORTEST };
        Self {
            address,
            way,
            token,
            queue,
            progress,
            record,
            position: None,
            newest: 0,
            backoff,
            online: Arc::default(),
            changes: 0,
            refused: 0,
        }
    }

    /// Connects again and again, until there is nothing more to post and to hear.
    pub(super) async fn run(mut self) -> Record {
        while let Err(Broken) = self.visit().await {
            self.progress.send_modify(|progress| progress.is_here = false);
            self.backoff.pause().await;
        }
        self.record
    }

    /// One connection. It ends well when the recorder is stopped.
    async fn visit(&mut self) -> Result<(), Broken> {
        let address = *self.address.borrow();
        let (mut link, session) = Link::enter(address, self.way, &self.auth()).await?;
        self.begin(&session);
        if self.has_unacknowledged() {
            self.send(&mut link).await?;
        }
        loop {
            let may_post = !self.has_unacknowledged();
            tokio::select! {
                received = link.receive() => self.take(received?, &mut link).await?,
                post = self.queue.recv(), if may_post => match post {
                    Some(post) => {
                        self.record.posts.push(post);
                        self.send(&mut link).await?;
                    }
                    None => return Ok(()),
                }
            }
        }
    }

    fn auth(&self) -> Value {
        let mut auth = Map::new();
        if let Some(token) = &self.token {
            auth.insert("token".to_owned(), json!(token));
        }
        if let Some((log, after)) = &self.position {
            auth.insert("log".to_owned(), json!(log));
            auth.insert("after".to_owned(), json!(after));
        }
        auth.into()
    }

    fn begin(&mut self, session: &Value) {
        self.list(session);
        self.newest = session["last_id"].as_u64().expect("a number");
        let after = self.position.as_ref().map(|(_, after)| *after);
        let from = after.filter(|_| session["recovered"] == true).unwrap_or(self.newest);
        self.position = Some((session["log"].as_str().expect("a text").to_owned(), from));
        self.record.segments.push(Segment { after, from, seen: Vec::new() });
        self.backoff.reset();
        self.show();
    }

    async fn take(&mut self, received: Received, link: &mut Link) -> Result<(), Broken> {
        match received {
            Received::Event(name, data) if name == "new_message" => {
                self.saw(Message::from(&data));
            }
            Received::Event(name, data) if name == "user_joined" => {
                Arc::make_mut(&mut self.online).insert(text(&data["user"]["session"]));
                self.changed();
            }
            Received::Event(name, data) if name == "user_left" => {
                Arc::make_mut(&mut self.online).remove(&text(&data["session"]));
                self.changed();
            }
            // The list begins anew, and nothing else.
            Received::Event(name, session) if name == "session" => {
                self.list(&session);
                self.show();
            }
            Received::Ack(index, answer) => {
                let last = self.record.posts.len().checked_sub(1);
                assert_eq!(usize::try_from(index).ok(), last, "this post is not waiting for an answer");
                self.answered(&answer, link).await?;
            }
            other => panic!("nobody expects {other:?}"),
        }
        Ok(())
    }

    fn list(&mut self, session: &Value) {
        let users = session["users"].as_array();
        let online = users.into_iter().flatten().map(|user| text(&user["session"])).collect();
        // The first list changes nothing: before it nobody was known.
        if self.position.is_some() {
            self.changes += self.online.symmetric_difference(&online).count();
        }
        self.online = Arc::new(online);
    }

    fn changed(&mut self) {
        self.changes += 1;
        self.show();
    }

    fn saw(&mut self, message: Message) {
        let (_, position) = self.position.as_mut().expect("a connection begins somewhere");
        *position = message.id.max(*position);
        let segment = self.record.segments.last_mut().expect("a connection begins one");
        segment.seen.push(message);
        self.show();
    }

    async fn answered(&mut self, answer: &Value, link: &mut Link) -> Result<(), Broken> {
        let post = self.record.posts.last_mut().expect("an answer is to a post");
        if let Some(id) = answer["id"].as_u64() {
            post.acknowledged.push(id);
            post.was_stored = id <= self.newest;
            self.backoff.reset();
            self.show();
            return Ok(());
        }
        if self.way.silence.is_some() && answer["code"] == "recipient_offline" {
            // Where nodes stand still that may be so, and nothing is stored then: the checker would find it invented.
            self.record.posts.pop();
            self.refused += 1;
            self.show();
            return Ok(());
        }
        assert!(passes(answer), "{post:?} was refused: {answer}");
        self.backoff.pause().await;
        self.send(link).await
    }

    /// Sends what waits for its acknowledgement.
    async fn send(&mut self, link: &mut Link) -> Result<(), Broken> {
        let ack = self.record.posts.len() - 1;
        let post = &mut self.record.posts[ack];
        post.sent += 1;
        let members = [
            ("content", Some(&post.content)),
            ("to", post.to.as_ref()),
            ("client_id", post.client_id.as_ref()),
        ];
        let given = members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?))));
        link.emit("send_message", &given.collect::<Map<_, _>>().into(), ack).await
    }

    fn has_unacknowledged(&self) -> bool {
        self.record.posts.last().is_some_and(|post| post.acknowledged.is_empty())
    }

    fn show(&self) {
        let acknowledged = self.record.posts.len() - usize::from(self.has_unacknowledged()) + self.refused;
        let connections = self.record.segments.len();
        let position = self.position.as_ref().map_or(0, |(_, id)| *id);
        let (online, changes) = (self.online.clone(), self.changes);
        self.progress.send_replace(Progress {
            connections,
            acknowledged,
            position,
            is_here: true,
            online,
            changes,
        });
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// How long a client waits before it tries again: longer each time, and never as long as the others.
struct Backoff {
    random: Random,
    limit: u64,
}

impl Backoff {
    const SHORTEST: u64 = 20;
    const LONGEST: u64 = 200;

    fn reset(&mut self) {
        self.limit = Self::SHORTEST;
    }

    async fn pause(&mut self) {
        self.limit = (self.limit * 2).min(Self::LONGEST);
        sleep(Duration::from_millis(self.random.within(Self::SHORTEST..self.limit))).await;
    }
}
