//! What a connection may do, whatever its wire format.

use std::rc::Rc;

use actix_web::http::StatusCode;
use lobby_domain::auth::{AuthMode, Caller};
use lobby_domain::message::Content;
use lobby_domain::pseudonym::Mention;
use lobby_domain::use_cases::Post;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::hub::Identity;
use super::shard::{Membership, Shard, Sink};
use crate::identify::Identify;
use crate::refusal::Refusal;
use crate::wire::{Object, PostedView};
use crate::writer::Writer;

/// What the connections of one worker share.
pub struct Gateway {
    /// Finds out who connects.
    pub identify: Identify,
    /// Where what they say goes.
    pub writer: Writer,
    /// Where they are told what happens.
    pub shard: Rc<Shard>,
}

/// What a client sends to say something. `timestamp`, which the original's clients send along, is the
/// server's to set.
#[derive(Deserialize)]
struct SendMessage {
    content: String,
    sender: Option<String>,
    to: Option<IgnoredAny>,
    client_id: Option<IgnoredAny>,
}

impl Gateway {
    /// Lets a connection in.
    pub(super) async fn enter(&self, sink: Sink, caller: &Caller) -> Membership {
        self.shard.enter(sink, self.identity_of(caller)).await
    }

    /// A connection ends with the session whose token it showed. One that only a cookie came along with goes
    /// on as one of nobody's where nobody may listen: a cookie takes no rights away, and the page may log in
    /// anew.
    fn identity_of(&self, caller: &Caller) -> Identity {
        let proved = caller.session().map(|session| session.id);
        let ends_with = match (caller, self.identify.mode) {
            (Caller::Token(_), _) | (_, AuthMode::Token) => proved,
            (Caller::Cookie(_) | Caller::Nobody, AuthMode::Open) => None,
        };
        Identity { proved, ends_with }
    }

    /// Does what a client asks for, and answers what an ack carries. Its place in the order of what is said
    /// is taken when this is first polled.
    pub(super) async fn handle(
        &self,
        caller: &Caller,
        event: &str,
        data: Option<&RawValue>,
    ) -> Result<PostedView, Refusal> {
        match event {
            "send_message" => self.send_message(caller, data).await,
            unknown => {
                let detail = format!("there is no event '{}'", unknown.escape_debug());
                Err(Refusal::bad_request("unknown_event", detail))
            }
        }
    }

    async fn send_message(&self, caller: &Caller, data: Option<&RawValue>) -> Result<PostedView, Refusal> {
        let data = data.map_or("null", RawValue::get);
        let Object(message): Object<SendMessage> = serde_json::from_str(data).map_err(|error| {
            let detail = format!("send_message needs an object with a text 'content': {error}");
            Refusal::bad_request("invalid_payload", detail)
        })?;
        if message.to.is_some() || message.client_id.is_some() {
            let detail = "this server has neither private messages ('to') nor idempotent ones ('client_id')";
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "not_supported", detail));
        }
        let content = Content::parse(&message.content)?;
        let sender = match message.sender {
            Some(name) => Some(Mention::parse(&name).ok_or_else(Refusal::nobody)?),
            None => None,
        };
        let post = Post { caller: caller.clone(), sender, content };
        let posted = self.writer.post(post).await?;
        Ok(PostedView::from(&posted))
    }
}
