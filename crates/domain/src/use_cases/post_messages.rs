use std::sync::Arc;

use crate::auth::{AuthMode, Authority, Caller, Forbidden};
use crate::client_id::ClientId;
use crate::event::Event;
use crate::limits::{Exceeded, Place};
use crate::message::{Content, Message};
use crate::ports::{
    Address, Allowance, Announcer, AppendError, Clock, Draft, MessageLog, Posted, Reach, Rejection, Sessions,
    Unavailable,
};
use crate::pseudonym::{Mention, Pseudonym, PseudonymKey};
use crate::recipient::{Addressee, Meant, Unreached};
use crate::session::{Session, SessionId, best_match};

/// Puts messages into the log: as many as have come in, in one transaction.
pub struct PostMessages {
    /// Who needs a token.
    pub mode: AuthMode,
    /// Where names are looked up.
    pub sessions: Arc<dyn Sessions>,
    /// Where messages go.
    pub log: Arc<dyn MessageLog>,
    /// Says when.
    pub clock: Arc<dyn Clock>,
    /// Knows who is listening.
    pub reach: Arc<dyn Reach>,
    /// Hears what was said.
    pub announcer: Arc<dyn Announcer>,
    /// Says how often somebody may speak who has shown nothing.
    pub allowance: Arc<dyn Allowance>,
}

/// Something somebody wants to say.
#[derive(Debug, Clone)]
pub struct Post {
    /// Who the connection belongs to.
    pub caller: Caller,
    /// From where, as far as it is known.
    pub place: Option<Place>,
    /// In whose name. The original's clients always say it; who has shown a token need not.
    pub sender: Option<Mention>,
    /// For whom alone, if it is private.
    pub to: Option<Addressee>,
    /// What.
    pub content: Content,
    /// What makes it safe to repeat.
    pub client_id: Option<ClientId>,
}

impl Post {
    /// Whether a name is not enough for it: anybody may speak in an unclaimed name; nobody but its holder may speak in
    /// private, or use up its client ids.
    #[must_use]
    pub fn needs_proof(&self) -> bool {
        self.to.is_some() || self.client_id.is_some()
    }
}

/// Why a message was not posted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The caller may not speak for that session, or does not say for which; or asks for what only a proved session has.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The sender is not online, or no longer, or has been claimed just now.
    #[error("'{0}' is not connected")]
    NotConnected(String),
    /// Whoever has shown nothing has spoken as that session too often.
    #[error("too many messages of this session")]
    TooOften(Exceeded),
    /// There is nobody to send it to.
    #[error(transparent)]
    Unreached(#[from] Unreached),
    /// The session has used the client id for another message.
    #[error("the client_id '{0}' was used for another message of this session")]
    ClientIdConflict(ClientId),
    /// The storage is away: nothing was posted.
    #[error(transparent)]
    Unavailable(Arc<Unavailable>),
    /// The storage went away while it committed: the message is posted or not.
    #[error("what came of this is not known")]
    OutcomeUnknown(Arc<Unavailable>),
}

/// What is known of the names that a batch of posts mentions.
struct Names {
    /// The sessions that hold them.
    living: Vec<Session>,
    /// Those that nobody holds now, and somebody did.
    used: Vec<Pseudonym>,
}

impl Names {
    fn is_used(&self, key: &PseudonymKey) -> bool {
        self.used.iter().any(|name| name.key().matches(key))
    }
}

/// Who speaks, and by what right.
struct Speaker {
    session: SessionId,
    name: String,
    authority: Authority,
}

impl PostMessages {
    /// Appends what may be said to the log and announces it, all in the order of `posts`; answers in that
    /// order.
    pub async fn execute(&self, posts: Vec<Post>) -> Vec<Result<Message, PostError>> {
        let count = posts.len();
        let refuse_all = |refusal: &dyn Fn() -> PostError| (0..count).map(|_| Err(refusal())).collect();
        match self.try_execute(posts).await {
            Ok(answers) => answers,
            Err(AppendError::Unavailable(error)) => {
                let error = Arc::new(error);
                refuse_all(&|| PostError::Unavailable(error.clone()))
            }
            Err(AppendError::OutcomeUnknown(error)) => {
                let error = Arc::new(error);
                refuse_all(&|| PostError::OutcomeUnknown(error.clone()))
            }
        }
    }

    async fn try_execute(&self, posts: Vec<Post>) -> Result<Vec<Result<Message, PostError>>, AppendError> {
        let names = self.names_in(&posts).await?;
        let speakers: Vec<_> = posts.iter().map(|post| self.speaker_of(post, &names.living)).collect();
        let drafts = posts.into_iter().zip(&speakers);
        let drafts =
            drafts.filter_map(|(post, speaker)| Some(self.draft(post, speaker.as_ref().ok()?, &names)));
        let drafts: Vec<_> = drafts.collect();
        let mut outcomes = self.append_and_announce(&drafts).await?.into_iter();
        let mut outcome_of = |speaker: Result<Speaker, PostError>| {
            let Speaker { name, .. } = speaker?;
            let outcome = outcomes.next().expect("the log answers each draft");
            outcome.map(|posted| posted.message).map_err(|rejection| refusal(rejection, name))
        };
        Ok(speakers.into_iter().map(&mut outcome_of).collect())
    }

    async fn append_and_announce(
        &self,
        drafts: &[Draft],
    ) -> Result<Vec<Result<Posted, Rejection>>, AppendError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let outcomes = self.log.append(drafts, self.clock.now()).await?;
        let new = outcomes.iter().flatten().filter(|posted| !posted.repeated);
        let events: Vec<_> = new.map(|posted| Event::NewMessage(posted.message.clone())).collect();
        if !events.is_empty() {
            self.announcer.announce(events).await;
        }
        Ok(outcomes)
    }

    fn draft(&self, post: Post, speaker: &Speaker, names: &Names) -> Draft {
        let to = post.to.map(|addressee| self.address(addressee, names));
        let Post { content, client_id, .. } = post;
        Draft { sender_session: speaker.session, authority: speaker.authority, to, content, client_id }
    }

    /// Whom the sender means. Whether that session is still alive is seen when the message gets its id.
    fn address(&self, addressee: Addressee, names: &Names) -> Address {
        let session = match &addressee.meant {
            Meant::Session(id) => Ok(*id),
            Meant::Name(name) => match best_match(&names.living, name.key()) {
                Some(session) => Ok(session.id),
                None if names.is_used(name.key()) => Err(Unreached::Offline(addressee.to_string())),
                None => Err(Unreached::Unknown(addressee.to_string())),
            },
        };
        let is_reached = session.as_ref().is_ok_and(|id| self.reach.reaches(*id));
        Address { addressee, session, is_reached }
    }

    /// Looks up all names in which somebody wants to speak without having shown that they are theirs, or to which.
    async fn names_in(&self, posts: &[Post]) -> Result<Names, Unavailable> {
        let keys = posts.iter().flat_map(|post| [unproved_sender(post), named_addressee(post)]);
        let keys = distinct(keys.flatten().collect());
        let living = if keys.is_empty() { Vec::new() } else { self.sessions.named(&keys).await? };
        let is_missing = |key: &PseudonymKey| best_match(&living, key).is_none();
        let missing = distinct(posts.iter().filter_map(named_addressee).filter(is_missing).collect());
        let used = if missing.is_empty() { Vec::new() } else { self.sessions.used_names(&missing).await? };
        Ok(Names { living, used })
    }

    fn speaker_of(&self, post: &Post, named: &[Session]) -> Result<Speaker, PostError> {
        if let Some(session) = proved_sender(post) {
            return Ok(Speaker::new(session, Authority::Token));
        }
        if let Caller::Token(_) = post.caller {
            return Err(Forbidden::NotYourSession.into());
        }
        self.mode.admit(&post.caller)?;
        if post.caller == Caller::Nobody && post.needs_proof() {
            return Err(Forbidden::TokenRequired.into());
        }
        let name = post.sender.as_ref().ok_or(Forbidden::TokenRequired)?;
        let session =
            best_match(named, name.key()).ok_or_else(|| PostError::NotConnected(name.to_string()))?;
        let authority = post.caller.authority_over(self.mode, session)?;
        if authority == Authority::Name && post.needs_proof() {
            return Err(Forbidden::TokenRequired.into());
        }
        // Whoever has shown a session is counted by that, before.
        if post.caller == Caller::Nobody {
            self.allowance.speak_as(session.id, post.place).map_err(PostError::TooOften)?;
        }
        Ok(Speaker::new(session, authority))
    }
}

fn distinct(mut keys: Vec<PseudonymKey>) -> Vec<PseudonymKey> {
    keys.sort_unstable_by(|a, b| a.folded().cmp(b.folded()));
    keys.dedup();
    keys
}

impl Speaker {
    fn new(session: &Session, authority: Authority) -> Self {
        Self { session: session.id, name: session.pseudonym.to_string(), authority }
    }
}

fn refusal(rejection: Rejection, sender: String) -> PostError {
    match rejection {
        Rejection::Silenced => PostError::NotConnected(sender),
        Rejection::ClientIdConflict(client_id) => PostError::ClientIdConflict(client_id),
        Rejection::Unreached(unreached) => unreached.into(),
    }
}

/// The caller's own session, where no look-up is needed to know that it is meant.
///
/// A name said next to a cookie is looked up all the same: the cookie's session may be over by now and the
/// name be held anew, by the same page.
fn proved_sender(post: &Post) -> Option<&Session> {
    match (&post.caller, &post.sender) {
        (Caller::Token(own) | Caller::Cookie(own), None) => Some(own),
        (Caller::Token(own), Some(name)) => name.key().matches(own.pseudonym.key()).then_some(own),
        (Caller::Cookie(_) | Caller::Nobody, _) => None,
    }
}

fn unproved_sender(post: &Post) -> Option<PseudonymKey> {
    match &post.caller {
        Caller::Token(_) => None,
        Caller::Cookie(_) | Caller::Nobody => post.sender.as_ref().map(|name| name.key().clone()),
    }
}

fn named_addressee(post: &Post) -> Option<PseudonymKey> {
    match &post.to.as_ref()?.meant {
        Meant::Session(_) => None,
        Meant::Name(name) => Some(name.key().clone()),
    }
}
