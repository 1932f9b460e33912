//! `send_message`, and the body of `POST /messages`.

use lobby_domain::auth::Caller;
use lobby_domain::client_id::ClientId;
use lobby_domain::limits::Place;
use lobby_domain::message::Content;
use lobby_domain::pseudonym::Mention;
use lobby_domain::recipient::Addressee;
use lobby_domain::use_cases::Post;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::refusal::{Code, Refusal};

/// What a client sends to say something. `timestamp`, which the original's clients send along, is the
/// server's to set.
#[derive(Deserialize, ToSchema)]
pub struct SendMessage {
    /// What is said: 1 to 4,000 characters once white space at both ends is taken off, at most 16,384 bytes before; no control
    /// characters but newline and tab.
    #[schema(min_length = 1, max_length = 16_384)]
    content: String,
    /// In whose name. Owed where neither token nor cookie was shown; else the session's own name, or left out.
    sender: Option<String>,
    /// For whom alone, who has to be online: a session's id, or a name. Needs token or cookie.
    to: Option<String>,
    /// A name of the client's for this post, no control characters: with it the post can be sent again without a second message
    /// coming of it. Needs token or cookie.
    #[schema(min_length = 1, max_length = 64)]
    client_id: Option<String>,
}

impl SendMessage {
    /// The same, safe to repeat under the key that a header gives. It must not differ from a `client_id` in the body.
    pub fn with_key(mut self, key: Option<&str>) -> Result<Self, Refusal> {
        match (key, &self.client_id) {
            (Some(key), Some(client_id)) if key != client_id => {
                let detail = "'Idempotency-Key' and 'client_id' are the same thing, and these two differ";
                Err(Refusal::new(Code::InvalidClientId, detail))
            }
            (Some(key), _) => {
                self.client_id = Some(key.to_owned());
                Ok(self)
            }
            (None, _) => Ok(self),
        }
    }

    /// Checks everything that can be checked without looking anything up.
    pub fn parse(self, caller: &Caller, place: Option<Place>) -> Result<Post, Refusal> {
        let content = Content::parse(&self.content)?;
        let sender = self.sender.map(|name| Mention::parse(&name).ok_or_else(Refusal::nobody)).transpose()?;
        let unknown = || {
            Refusal::unknown_recipient(
                "nobody has that name: it is too long for one, or has control characters",
            )
        };
        let to = self.to.map(|to| Addressee::parse(&to).ok_or_else(unknown)).transpose()?;
        let client_id = self.client_id.map(|id| ClientId::parse(&id)).transpose()?;
        Ok(Post { caller: caller.clone(), place, sender, to, content, client_id })
    }
}
