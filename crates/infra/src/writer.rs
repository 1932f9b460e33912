//! The one task through which everything goes that somebody says, and that changes who is online because somebody asks for it.
//!
//! It takes commands from a bounded queue, one after the other: so announcements follow commits, and a
//! command that was taken is carried to its end also when the client that sent it has gone. Messages that
//! have queued up while the last commit ran go into the next one together (group commit), and so do those of a crowd that has
//! just been answered: under load latency buys throughput, idle nothing waits.
//!
//! While the storage is away, nobody waits for it: what is queued is refused, and the task looks every second whether it is
//! back.

mod crowd;
mod places;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use lobby_domain::message::Message;
use lobby_domain::ports::{ChangeError, Unavailable};
use lobby_domain::pseudonym::PseudonymKey;
use lobby_domain::session::{Session, SessionId};
use lobby_domain::use_cases::{
    Authenticate, AuthenticateError, LogIn, LogInError, LogInRequest, LogOut, LogOutError, LogOutRequest,
    LoggedIn, Post, PostError, PostMessages,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::metrics::receipts::{self, Written};
use crowd::{Crowd, LATELY, PATIENCE};
pub use places::QueueDepth;
use places::{ACCOUNT_PLACES, Places};

/// The most messages in one transaction. Past this the cost of a commit is already shared by so many that
/// more gain nothing, while all of them wait for the last.
const MAX_BATCH: usize = 256;

/// How often at most others have their turn before the next commit. A turn takes some microseconds, and most have had theirs
/// after three.
const TURNS: u32 = 8;

/// Between two looks whether the storage is back.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the writer does.
pub struct Changes {
    /// Opens sessions.
    pub log_in: LogIn,
    /// Ends them.
    pub log_out: LogOut,
    /// Keeps them alive, claims them and brings them back.
    pub authenticate: Authenticate,
    /// Appends to the log.
    pub post: PostMessages,
}

/// Where commands are handed in. The writer ends when the last one is dropped, after it has done what was
/// queued.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Queued>,
    places: Arc<Places>,
}

/// A command, and its place in the queue until it is taken out.
type Queued = (Command, OwnedSemaphorePermit);

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
    Wake(SessionId, bool, Reply<Session, AuthenticateError>),
    WakeNamed(PseudonymKey, Reply<Option<Session>, ChangeError>),
    /// With the time at which it came in.
    Post(Box<Post>, Instant, Reply<Message, PostError>),
}

type Reply<T, E> = oneshot::Sender<Result<T, E>>;

impl Health {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Whether the last change could be committed, or the last look was fine.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, good: bool) {
        if self.0.swap(good, Ordering::Relaxed) != good {
            if good {
                tracing::info!("the database takes changes again");
            } else {
                tracing::error!("the database takes no changes: they are refused until it does");
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
        let health = Health::new();
        let announced = Written::already();
        let desk = Desk { changes, commands, health: health.clone(), crowd: Crowd::default(), announced };
        (Self { queue, places: Arc::new(Places::new(capacity)) }, health, tokio::spawn(desk.run()))
    }

    /// How much waits for it.
    #[must_use]
    pub fn queue(&self) -> QueueDepth {
        QueueDepth(self.places.clone())
    }

    /// Logs somebody in.
    pub async fn log_in(&self, request: LogInRequest) -> Result<LoggedIn, WriteError<LogInError>> {
        self.submit(&self.places.accounts, |reply| Command::LogIn(request, reply)).await
    }

    /// Logs somebody out.
    pub async fn log_out(&self, request: LogOutRequest) -> Result<Session, WriteError<LogOutError>> {
        self.submit(&self.places.accounts, |reply| Command::LogOut(request, reply)).await
    }

    /// Keeps a session alive that was proved, and claims it if asked to ([`Authenticate::wake`]).
    pub async fn wake(&self, id: SessionId, claim: bool) -> Result<Session, WriteError<AuthenticateError>> {
        self.submit(&self.places.accounts, |reply| Command::Wake(id, claim, reply)).await
    }

    /// Keeps the unclaimed session of a name alive ([`Authenticate::wake_named`]).
    pub async fn wake_named(&self, key: PseudonymKey) -> Result<Option<Session>, WriteError<ChangeError>> {
        self.submit(&self.places.accounts, |reply| Command::WakeNamed(key, reply)).await
    }

    /// Posts a message. Its place in the queue is taken when this is first polled.
    pub async fn post(&self, post: Post) -> Result<Message, WriteError<PostError>> {
        let received = Instant::now();
        self.submit(&self.places.messages, |reply| Command::Post(Box::new(post), received, reply)).await
    }

    async fn submit<T, E>(
        &self,
        places: &Arc<Semaphore>,
        command: impl FnOnce(Reply<T, E>) -> Command,
    ) -> Result<T, WriteError<E>> {
        let place = places.clone().try_acquire_owned().map_err(|_| WriteError::Busy)?;
        let (reply, answer) = oneshot::channel();
        self.queue.try_send((command(reply), place)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::Busy,
            mpsc::error::TrySendError::Closed(_) => WriteError::OutcomeUnknown,
        })?;
        Ok(answer.await.map_err(|_| WriteError::OutcomeUnknown)??)
    }
}

/// The writer's side of the queue.
struct Desk {
    changes: Changes,
    commands: mpsc::Receiver<Queued>,
    health: Health,
    crowd: Crowd,
    /// The last announcement.
    announced: Written,
}

/// Until everybody has what was announced, and then a moment for those to speak who have waited for it.
async fn patience(announced: &mut Written) {
    announced.wait().await;
    sleep(PATIENCE).await;
}

impl Desk {
    async fn run(mut self) {
        let mut queued = Vec::with_capacity(MAX_BATCH);
        while self.outlast(&mut queued).await && self.commands.recv_many(&mut queued, MAX_BATCH).await > 0 {
            self.gather(&mut queued).await;
            // A bug in one command must not end the writer: whoever waits for it gets `OutcomeUnknown`.
            let carried_out = AssertUnwindSafe(self.carry_out(commands_of(&mut queued))).catch_unwind().await;
            if carried_out.is_err() {
                tracing::error!(
                    "a command panicked; those it was queued with are answered with an unknown outcome"
                );
            }
            self.let_others_speak().await;
        }
    }

    /// Of a crowd that has just been answered, those who speak again go into one commit, with one announcement to each who listens:
    /// without that they would soon speak one after the other, each in a commit of its own. As long as the announcement before is being written
    /// nobody could hear of a new one, and who waits for theirs says nothing.
    async fn gather(&mut self, queued: &mut Vec<Queued>) {
        let now = Instant::now();
        self.crowd.spoke(queued.len());
        let mut patience = pin!(timeout_at(now + LATELY, patience(&mut self.announced)));
        while self.crowd.is_missed(now) && queued.len() < MAX_BATCH {
            tokio::select! {
                biased;
                more @ 1.. = self.commands.recv_many(queued, MAX_BATCH - queued.len()) => self.crowd.spoke(more),
                _ = &mut patience => return,
            }
        }
    }

    /// Who has just been answered and has more to say gets into the next commit, and not into the one after it: as long as
    /// there come more, they have their turn.
    async fn let_others_speak(&self) {
        let mut waiting = 0;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
            let queued = self.commands.len();
            if queued == waiting || queued >= MAX_BATCH {
                return;
            }
            waiting = queued;
        }
    }

    /// While the storage is away, refuses what comes: none of it was tried, so nothing was changed. `false` when nothing
    /// will come any more.
    async fn outlast(&mut self, queued: &mut Vec<Queued>) -> bool {
        let mut next_look = Instant::now() + LOOK_EVERY;
        while !self.health.is_good() {
            tokio::select! {
                received = self.commands.recv_many(queued, MAX_BATCH) => match received {
                    0 => return false,
                    _ => commands_of(queued).for_each(Command::refuse),
                },
                () = sleep_until(next_look) => {
                    self.look().await;
                    next_look = Instant::now() + LOOK_EVERY;
                }
            }
        }
        true
    }

    async fn look(&self) {
        self.health.set(self.changes.post.log.check_writable().await.is_ok());
    }

    /// In the order of the queue; messages that follow each other go together. Once the storage is away, those behind are
    /// refused as well: each would only find out for itself.
    async fn carry_out(&mut self, commands: impl Iterator<Item = Command>) {
        let mut posts = Vec::new();
        for command in commands {
            match command {
                Command::Post(post, received, reply) => posts.push((*post, received, reply)),
                account => {
                    self.post_all(std::mem::take(&mut posts)).await;
                    self.carry_out_alone(account).await;
                }
            }
        }
        self.post_all(posts).await;
    }

    async fn carry_out_alone(&mut self, command: Command) {
        if !self.health.is_good() {
            return command.refuse();
        }
        match command {
            Command::LogIn(request, reply) => {
                let outcome = self.changes.log_in.execute(request).await;
                self.note(matches!(outcome, Err(LogInError::Unavailable(_) | LogInError::OutcomeUnknown(_))));
                answer(reply, outcome);
            }
            Command::LogOut(request, reply) => {
                let outcome = self.changes.log_out.execute(request).await;
                self.note(matches!(
                    outcome,
                    Err(LogOutError::Unavailable(_) | LogOutError::OutcomeUnknown(_))
                ));
                answer(reply, outcome);
            }
            Command::Wake(id, claim, reply) => {
                let outcome = self.changes.authenticate.wake(id, claim).await;
                self.note(matches!(
                    outcome,
                    Err(AuthenticateError::Unavailable(_) | AuthenticateError::OutcomeUnknown(_))
                ));
                answer(reply, outcome);
            }
            Command::WakeNamed(key, reply) => {
                let outcome = self.changes.authenticate.wake_named(&key).await;
                self.note(outcome.is_err());
                answer(reply, outcome);
            }
            Command::Post(post, received, reply) => self.post_all(vec![(*post, received, reply)]).await,
        }
    }

    async fn post_all(&mut self, queued: Vec<(Post, Instant, Reply<Message, PostError>)>) {
        if queued.is_empty() {
            return;
        }
        if !self.health.is_good() {
            return queued.into_iter().for_each(|(.., reply)| refuse_post(reply));
        }
        let received = queued.iter().map(|(_, received, _)| *received).collect();
        let (posts, replies): (Vec<_>, Vec<_>) =
            queued.into_iter().map(|(post, _, reply)| (post, reply)).unzip();
        let outcomes;
        (outcomes, self.announced) = receipts::with(received, self.changes.post.execute(posts)).await;
        let is_away = |outcome: &Result<Message, PostError>| {
            matches!(outcome, Err(PostError::Unavailable(_) | PostError::OutcomeUnknown(_)))
        };
        self.note(outcomes.iter().any(is_away));
        self.crowd.answered(outcomes.len(), Instant::now());
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            answer(reply, outcome);
        }
    }

    fn note(&self, is_away: bool) {
        if is_away {
            self.health.set(false);
        }
    }
}

/// They leave the queue: their places are free.
fn commands_of(queued: &mut Vec<Queued>) -> impl Iterator<Item = Command> {
    queued.drain(..).map(|(command, _place)| command)
}

impl Command {
    /// It was not tried, so nothing was changed.
    fn refuse(self) {
        match self {
            Self::LogIn(_, reply) => answer(reply, Err(not_tried().into())),
            Self::LogOut(_, reply) => answer(reply, Err(not_tried().into())),
            Self::Wake(_, _, reply) => answer(reply, Err(not_tried().into())),
            Self::WakeNamed(_, reply) => answer(reply, Err(not_tried().into())),
            Self::Post(.., reply) => refuse_post(reply),
        }
    }
}

fn refuse_post(reply: Reply<Message, PostError>) {
    answer(reply, Err(PostError::Unavailable(Arc::new(not_tried()))));
}

fn not_tried() -> Unavailable {
    Unavailable::new("the database takes no changes")
}

/// Whoever has gone in the meantime misses the answer and nothing else.
fn answer<T>(reply: oneshot::Sender<T>, outcome: T) {
    drop(reply.send(outcome));
}

#[cfg(test)]
mod tests;
