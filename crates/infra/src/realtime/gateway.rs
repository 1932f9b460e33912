//! What a connection may do, whatever its wire format.

use std::rc::Rc;

use lobby_domain::auth::{AuthMode, Caller, Forbidden};
use lobby_domain::limits::Place;
use lobby_domain::resume::Resume;
use lobby_domain::use_cases::Post;
use serde_json::value::RawValue;

use super::hub::{Arrival, Identity, Start};
use super::participant::Participant;
use super::shard::{Entrant, Membership, Shard};
use super::sink::Sink;
use super::typing;
use crate::identify::Identify;
use crate::metrics::Metrics;
use crate::presence::Attendants;
use crate::refusal::{Code, Refusal};
use crate::send_message::SendMessage;
use crate::wire::{Object, PostedView};

/// What the connections of one worker share.
pub struct Gateway {
    /// Finds out who connects.
    pub identify: Identify,
    /// Whose connections are here.
    pub attendants: Attendants,
    /// Where what is refused and what ends is counted.
    pub metrics: Metrics,
    /// Where they are told what happens.
    pub shard: Rc<Shard>,
}

impl Gateway {
    /// Lets a connection in. With a `pid` it may be recovered.
    pub(super) async fn enter(
        &self,
        sink: Sink,
        caller: &Caller,
        start: Start,
        pid: Option<u128>,
        in_batches: bool,
    ) -> Membership {
        let identity = self.identity_of(caller);
        let arrival = Arrival { identity, user: caller.session().cloned(), start };
        self.shard.enter(Entrant { sink, arrival, pid, in_batches }).await
    }

    /// Where a connection begins that wants to go on somewhere, if that can be done.
    pub(super) async fn start(&self, resume: Option<Resume>) -> Result<Start, Refusal> {
        let Some(resume) = resume else { return Ok(Start::Now) };
        let head = self.shard.hub.log.head().await.map_err(|error| Refusal::from(&error))?;
        match resume.check(&head) {
            Ok(()) => Ok(Start::After { position: resume.after, recovered: true }),
            Err(reason) => {
                tracing::debug!(%reason, "a connection begins anew");
                Ok(Start::Now)
            }
        }
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

    /// Does what a client asks for, and answers what an ack carries, if it has one. Its place in the order of what is said
    /// is taken when this is first polled.
    pub(super) async fn handle(
        &self,
        participant: &Participant,
        event: &str,
        data: Option<&RawValue>,
    ) -> Result<Option<PostedView>, Refusal> {
        let doorman = &self.identify.doorman;
        match event {
            "send_message" => {
                doorman.message(participant.visitor)?;
                self.send_message(participant, data).await.map(Some)
            }
            "typing" => {
                doorman.event(participant.visitor)?;
                self.typing(&participant.caller, data).await.map(|()| None)
            }
            unknown => {
                doorman.event(participant.visitor)?;
                let detail = format!("there is no event '{}'", unknown.escape_debug());
                Err(Refusal::new(Code::UnknownEvent, detail))
            }
        }
    }

    async fn typing(&self, caller: &Caller, data: Option<&RawValue>) -> Result<(), Refusal> {
        let to = typing::parse(data)?;
        let session = caller.session().ok_or(Forbidden::TokenRequired)?;
        // The cookie of a session that is over counts as absent.
        if let Caller::Cookie(own) = caller
            && !self.shard.hub.is_online(own.id)
            && !self.identify.is_alive(own.id).await?
        {
            return Err(Forbidden::TokenRequired.into());
        }
        self.shard.hub.tell_typing(session.id, to.as_deref());
        Ok(())
    }

    async fn send_message(
        &self,
        participant: &Participant,
        data: Option<&RawValue>,
    ) -> Result<PostedView, Refusal> {
        let posted =
            self.identify.post(parse_post(data, &participant.caller, participant.visitor.place)?).await?;
        participant.speaks_for(&self.attendants, posted.sender_session);
        Ok(PostedView::from(&posted))
    }
}

/// What a client wants to say by `send_message`.
pub(super) fn parse_post(
    data: Option<&RawValue>,
    caller: &Caller,
    place: Option<Place>,
) -> Result<Post, Refusal> {
    let data = data.map_or("null", RawValue::get);
    let Object(message): Object<SendMessage> = serde_json::from_str(data).map_err(|error| {
        let detail = format!("send_message needs an object with a text 'content': {error}");
        Refusal::new(Code::InvalidPayload, detail)
    })?;
    message.parse(caller, place)
}
