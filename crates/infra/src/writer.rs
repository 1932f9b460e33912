//! The one task through which everything goes that changes who is online or what was said.
//!
//! It takes commands from a bounded queue, one after the other: so announcements follow commits, and a
//! command that was taken is carried to its end also when the client that sent it has gone. Messages that
//! have queued up while the last commit ran go into the next one together (group commit): under load latency
//! buys throughput, idle nothing waits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use lobby_domain::message::Message;
use lobby_domain::session::Session;
use lobby_domain::use_cases::{
    Authenticate, AuthenticateError, LogIn, LogInError, LogInRequest, LogOut, LogOutError, LogOutRequest,
    LoggedIn, Post, PostError, PostMessages,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The most messages in one transaction. Past this the cost of a commit is already shared by so many that
/// more gain nothing, while all of them wait for the last.
const MAX_BATCH: usize = 256;

/// What the writer does.
pub struct Changes {
    /// Opens sessions.
    pub log_in: LogIn,
    /// Ends them.
    pub log_out: LogOut,
    /// Claims them.
    pub authenticate: Authenticate,
    /// Appends to the log.
    pub post: PostMessages,
}

/// Where commands are handed in. The writer ends when the last one is dropped, after it has done what was
/// queued.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Command>,
}

/// Why a command was not carried out, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The queue is full: nothing was changed.
    #[error("the lobby is too busy just now")]
    Busy,
    /// The answer got lost in a failure of the writer: the change may have been made or not.
    #[error("what came of this is not known")]
    OutcomeUnknown,
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] E),
}

enum Command {
    LogIn(LogInRequest, oneshot::Sender<Result<LoggedIn, LogInError>>),
    LogOut(LogOutRequest, oneshot::Sender<Result<Session, LogOutError>>),
    Claim(Session, oneshot::Sender<Result<Session, AuthenticateError>>),
    Post(Post, Reply),
}

type Reply = oneshot::Sender<Result<Message, PostError>>;

impl Writer {
    /// Starts the task, with a queue of `capacity` commands.
    ///
    /// # Panics
    /// Outside a tokio runtime, or if `capacity` is 0.
    #[must_use]
    pub fn spawn(changes: Changes, capacity: usize) -> (Self, JoinHandle<()>) {
        let (queue, commands) = mpsc::channel(capacity);
        (Self { queue }, tokio::spawn(run(Arc::new(changes), commands)))
    }

    /// Logs somebody in.
    pub async fn log_in(&self, request: LogInRequest) -> Result<LoggedIn, WriteError<LogInError>> {
        self.submit(|reply| Command::LogIn(request, reply)).await
    }

    /// Logs somebody out.
    pub async fn log_out(&self, request: LogOutRequest) -> Result<Session, WriteError<LogOutError>> {
        self.submit(|reply| Command::LogOut(request, reply)).await
    }

    /// Claims a session whose token was shown on purpose.
    pub async fn claim(&self, session: Session) -> Result<Session, WriteError<AuthenticateError>> {
        self.submit(|reply| Command::Claim(session, reply)).await
    }

    /// Posts a message. Its place in the queue is taken when this is first polled.
    pub async fn post(&self, post: Post) -> Result<Message, WriteError<PostError>> {
        self.submit(|reply| Command::Post(post, reply)).await
    }

    async fn submit<T, E>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, E>>) -> Command,
    ) -> Result<T, WriteError<E>> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::Busy,
            mpsc::error::TrySendError::Closed(_) => WriteError::OutcomeUnknown,
        })?;
        Ok(answer.await.map_err(|_| WriteError::OutcomeUnknown)??)
    }
}

async fn run(changes: Arc<Changes>, mut commands: mpsc::Receiver<Command>) {
    let mut queued = Vec::with_capacity(MAX_BATCH);
    while commands.recv_many(&mut queued, MAX_BATCH).await > 0 {
        // A bug in one command must not end the writer: whoever waits for it gets `OutcomeUnknown`.
        let carried_out = AssertUnwindSafe(carry_out(&changes, queued.drain(..))).catch_unwind().await;
        if carried_out.is_err() {
            tracing::error!(
                "a command panicked; those it was queued with are answered with an unknown outcome"
            );
        }
    }
}

/// In the order of the queue; messages that follow each other go together.
async fn carry_out(changes: &Changes, commands: impl Iterator<Item = Command>) {
    let mut posts = Vec::new();
    for command in commands {
        match command {
            Command::Post(post, reply) => posts.push((post, reply)),
            Command::LogIn(request, reply) => {
                post_all(changes, std::mem::take(&mut posts)).await;
                answer(reply, changes.log_in.execute(request).await);
            }
            Command::LogOut(request, reply) => {
                post_all(changes, std::mem::take(&mut posts)).await;
                answer(reply, changes.log_out.execute(request).await);
            }
            Command::Claim(session, reply) => {
                post_all(changes, std::mem::take(&mut posts)).await;
                answer(reply, changes.authenticate.claim(session).await);
            }
        }
    }
    post_all(changes, posts).await;
}

async fn post_all(changes: &Changes, posts: Vec<(Post, Reply)>) {
    if posts.is_empty() {
        return;
    }
    let (posts, replies): (Vec<_>, Vec<_>) = posts.into_iter().unzip();
    for (reply, outcome) in replies.into_iter().zip(changes.post.execute(posts).await) {
        answer(reply, outcome);
    }
}

/// Whoever has gone in the meantime misses the answer and nothing else.
fn answer<T>(reply: oneshot::Sender<T>, outcome: T) {
    drop(reply.send(outcome));
}

#[cfg(test)]
mod tests;
