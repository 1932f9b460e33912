use std::sync::Arc;

use crate::auth::{AuthMode, Authority, Caller, Forbidden};
use crate::event::Event;
use crate::message::{Content, Message};
use crate::ports::{Announcer, Clock, Draft, MessageLog, Sessions, Unavailable};
use crate::pseudonym::{Mention, PseudonymKey};
use crate::session::{Session, best_match};

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
    /// Hears what was said.
    pub announcer: Arc<dyn Announcer>,
}

/// Something somebody wants to say.
#[derive(Debug, Clone)]
pub struct Post {
    /// Who the connection belongs to.
    pub caller: Caller,
    /// In whose name. The original's clients always say it; who has shown a token need not.
    pub sender: Option<Mention>,
    /// What.
    pub content: Content,
}

/// Why a message was not posted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The caller may not speak for that session, or does not say for which.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The sender is not online, or no longer, or has been claimed just now.
    #[error("'{0}' is not connected")]
    NotConnected(String),
    /// The storage is away.
    #[error(transparent)]
    Unavailable(#[from] Arc<Unavailable>),
}

impl PostMessages {
    /// Appends what may be said to the log and announces it, all in the order of `posts`; answers in that
    /// order.
    pub async fn execute(&self, posts: Vec<Post>) -> Vec<Result<Message, PostError>> {
        let count = posts.len();
        match self.try_execute(posts).await {
            Ok(answers) => answers,
            Err(error) => {
                let error = Arc::new(error);
                (0..count).map(|_| Err(error.clone().into())).collect()
            }
        }
    }

    async fn try_execute(&self, posts: Vec<Post>) -> Result<Vec<Result<Message, PostError>>, Unavailable> {
        let named = self.sessions_named_in(&posts).await?;
        let senders: Vec<_> = posts.iter().map(|post| self.sender_of(post, &named)).collect();
        let drafts: Vec<_> = (posts.into_iter().zip(&senders))
            .filter_map(|(post, sender)| {
                let (sender, authority) = sender.as_ref().ok()?;
                Some(Draft { sender_session: sender.id, authority: *authority, content: post.content })
            })
            .collect();
        let mut appended = self.append_and_announce(drafts).await?.into_iter();
        Ok(senders
            .into_iter()
            .map(|sender| {
                let (sender, _) = sender?;
                let message = appended.next().expect("the log answers each draft");
                message.ok_or_else(|| PostError::NotConnected(sender.pseudonym.to_string()))
            })
            .collect())
    }

    async fn append_and_announce(&self, drafts: Vec<Draft>) -> Result<Vec<Option<Message>>, Unavailable> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let appended = self.log.append(drafts, self.clock.now()).await?;
        let events: Vec<_> = appended.iter().flatten().cloned().map(Event::NewMessage).collect();
        if !events.is_empty() {
            self.announcer.announce(events).await;
        }
        Ok(appended)
    }

    /// All living sessions whose names somebody wants to speak in without having shown that it is theirs.
    async fn sessions_named_in(&self, posts: &[Post]) -> Result<Vec<Session>, Unavailable> {
        let mut keys: Vec<_> = posts.iter().filter_map(unproved_sender).collect();
        keys.sort_unstable_by(|a, b| a.folded().cmp(b.folded()));
        keys.dedup();
        if keys.is_empty() { Ok(Vec::new()) } else { self.sessions.named(&keys).await }
    }

    /// Who speaks, and by what right.
    fn sender_of(&self, post: &Post, named: &[Session]) -> Result<(Session, Authority), PostError> {
        if let Some(session) = proved_sender(post) {
            return Ok((session.clone(), Authority::Token));
        }
        if let Caller::Token(_) = post.caller {
            return Err(Forbidden::NotYourSession.into());
        }
        self.mode.admit(&post.caller)?;
        let name = post.sender.as_ref().ok_or(Forbidden::TokenRequired)?;
        let session =
            best_match(named, name.key()).ok_or_else(|| PostError::NotConnected(name.to_string()))?;
        let authority = post.caller.authority_over(self.mode, session)?;
        Ok((session.clone(), authority))
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
