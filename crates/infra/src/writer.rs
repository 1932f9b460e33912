//! The one task through which everything goes that changes who is online or what was said.
//!
//! It takes commands from a bounded queue, one after the other: so announcements follow commits, and a
//! command that was taken is carried to its end also when the client that sent it has gone. Messages that
//! have queued up while the last commit ran go into the next one together (group commit): under load latency
//! buys throughput, idle nothing waits. Under load, too, messages are announced and answered while the next ones are being
//! committed.
//!
//! While the storage is away, nobody waits for it: what is queued is refused, and the task looks every second whether it is
//! back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use lobby_domain::message::Message;
use lobby_domain::ports::Unavailable;
use lobby_domain::session::Session;
use lobby_domain::use_cases::{
    Appended, Authenticate, AuthenticateError, LogIn, LogInError, LogInRequest, LogOut, LogOutError,
    LogOutRequest, LoggedIn, Post, PostError, PostMessages,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

/// The most messages in one transaction. Past this the cost of a commit is already shared by so many that
/// more gain nothing, while all of them wait for the last.
const MAX_BATCH: usize = 256;

/// Places in the queue that messages do not take: whoever logs out in the rush is not told to come back later.
const ACCOUNT_PLACES: usize = 256;

/// Between two looks whether the storage is back.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// A permit for each message that may wait.
    places: Arc<Semaphore>,
}

/// Whether changes can be committed, as far as the writer knows. Clones share it.
#[derive(Debug, Clone)]
pub struct Health(Arc<AtomicBool>);

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
    LogIn(LogInRequest, Reply<LoggedIn, LogInError>),
    LogOut(LogOutRequest, Reply<Session, LogOutError>),
    Claim(Session, Reply<Session, AuthenticateError>),
    Post(Post, OwnedSemaphorePermit, Reply<Message, PostError>),
}

type Reply<T, E> = oneshot::Sender<Result<T, E>>;

impl Health {
    fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Whether the last change could be committed, or the last look was fine.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, good: bool) {
        if self.0.swap(good, Ordering::Relaxed) != good {
            match good {
                true => tracing::info!("the database takes changes again"),
                false => tracing::error!("the database takes no changes: they are refused until it does"),
            }
        }
    }
}

impl Writer {
    /// Starts the task, with a queue of `capacity` messages.
    ///
    /// # Panics
    /// Outside a tokio runtime, or if `capacity` is 0.
    #[must_use]
    pub fn spawn(changes: Changes, capacity: usize) -> (Self, Health, JoinHandle<()>) {
        let (queue, commands) = mpsc::channel(capacity + ACCOUNT_PLACES);
        let places = Arc::new(Semaphore::new(capacity));
        let health = Health::new();
        let desk = Desk { changes: Arc::new(changes), commands, health: health.clone(), telling: None };
        (Self { queue, places }, health, tokio::spawn(desk.run()))
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
        let place = self.places.clone().try_acquire_owned().map_err(|_| WriteError::Busy)?;
        self.submit(|reply| Command::Post(post, place, reply)).await
    }

    async fn submit<T, E>(&self, command: impl FnOnce(Reply<T, E>) -> Command) -> Result<T, WriteError<E>> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::Busy,
            mpsc::error::TrySendError::Closed(_) => WriteError::OutcomeUnknown,
        })?;
        Ok(answer.await.map_err(|_| WriteError::OutcomeUnknown)??)
    }
}

/// The writer's side of the queue.
struct Desk {
    changes: Arc<Changes>,
    commands: mpsc::Receiver<Command>,
    health: Health,
    /// Announces and answers what was committed last.
    telling: Option<JoinHandle<()>>,
}

impl Desk {
    async fn run(mut self) {
        let mut queued = Vec::with_capacity(MAX_BATCH);
        while self.next(&mut queued).await {
            if !self.health.is_good() && !self.look().await {
                self.refuse_all(queued.drain(..));
                continue;
            }
            // A bug in one command must not end the writer: whoever waits for it gets `OutcomeUnknown`.
            let carried_out = AssertUnwindSafe(self.carry_out(queued.drain(..))).catch_unwind().await;
            if carried_out.is_err() {
                report_panic();
            }
            // Who has just been answered and has more to say gets into the next commit, and not into the one after it.
            tokio::task::yield_now().await;
        }
        self.told().await;
    }

    /// Waits for commands; `false` when there will be none. Meanwhile it looks after a storage that is away.
    async fn next(&mut self, queued: &mut Vec<Command>) -> bool {
        loop {
            if self.health.is_good() {
                return self.commands.recv_many(queued, MAX_BATCH).await > 0;
            }
            tokio::select! {
                received = self.commands.recv_many(queued, MAX_BATCH) => return received > 0,
                () = tokio::time::sleep(LOOK_EVERY) => drop(self.look().await),
            }
        }
    }

    async fn look(&self) -> bool {
        let is_back = self.changes.post.log.check_writable().await.is_ok();
        self.health.set(is_back);
        is_back
    }

    /// Nothing of what is queued was tried, so nothing was changed.
    fn refuse_all(&mut self, queued: impl Iterator<Item = Command>) {
        queued.for_each(Command::refuse);
        while let Ok(command) = self.commands.try_recv() {
            command.refuse();
        }
    }

    /// In the order of the queue; messages that follow each other go together.
    async fn carry_out(&mut self, commands: impl Iterator<Item = Command>) {
        let mut posts = Vec::new();
        for command in commands {
            match command {
                Command::Post(post, _place, reply) => posts.push((post, reply)),
                Command::LogIn(request, reply) => {
                    self.post_all(std::mem::take(&mut posts)).await;
                    self.told().await;
                    let outcome = self.changes.log_in.execute(request).await;
                    self.note(matches!(outcome, Err(LogInError::Unavailable(_))));
                    answer(reply, outcome);
                }
                Command::LogOut(request, reply) => {
                    self.post_all(std::mem::take(&mut posts)).await;
                    self.told().await;
                    let outcome = self.changes.log_out.execute(request).await;
                    self.note(matches!(outcome, Err(LogOutError::Unavailable(_))));
                    answer(reply, outcome);
                }
                Command::Claim(session, reply) => {
                    self.post_all(std::mem::take(&mut posts)).await;
                    let outcome = self.changes.authenticate.claim(session).await;
                    self.note(matches!(outcome, Err(AuthenticateError::Unavailable(_))));
                    answer(reply, outcome);
                }
            }
        }
        self.post_all(posts).await;
    }

    async fn post_all(&mut self, posts: Vec<(Post, Reply<Message, PostError>)>) {
        if posts.is_empty() {
            return;
        }
        let (posts, replies): (Vec<_>, Vec<_>) = posts.into_iter().unzip();
        let appended = self.changes.post.append(posts).await;
        let is_away = |answer: &Result<Message, PostError>| {
            matches!(answer, Err(PostError::Unavailable(_) | PostError::OutcomeUnknown(_)))
        };
        self.note(appended.answers.iter().any(is_away));
        self.told().await;
        let telling = tell(self.changes.clone(), appended, replies);
        if self.commands.is_empty() {
            telling.await;
        } else {
            self.telling = Some(tokio::spawn(telling));
        }
    }

    /// Everybody has heard of what was committed before.
    async fn told(&mut self) {
        if let Some(telling) = self.telling.take()
            && telling.await.is_err()
        {
            report_panic();
        }
    }

    fn note(&self, is_away: bool) {
        if is_away {
            self.health.set(false);
        }
    }
}

impl Command {
    fn refuse(self) {
        let away = || Unavailable::new("the database takes no changes");
        match self {
            Self::LogIn(_, reply) => answer(reply, Err(away().into())),
            Self::LogOut(_, reply) => answer(reply, Err(away().into())),
            Self::Claim(_, reply) => answer(reply, Err(away().into())),
            Self::Post(_, _, reply) => answer(reply, Err(PostError::Unavailable(Arc::new(away())))),
        }
    }
}

async fn tell(changes: Arc<Changes>, appended: Appended, replies: Vec<Reply<Message, PostError>>) {
    for (reply, outcome) in replies.into_iter().zip(changes.post.announce(appended).await) {
        answer(reply, outcome);
    }
}

fn report_panic() {
    tracing::error!("a command panicked; those it was queued with are answered with an unknown outcome");
}

/// Whoever has gone in the meantime misses the answer and nothing else.
fn answer<T>(reply: oneshot::Sender<T>, outcome: T) {
    drop(reply.send(outcome));
}

#[cfg(test)]
mod tests;
