use async_trait::async_trait;
use uuid::Uuid;

use super::{MemoryStore, State};
use crate::auth::Authority;
use crate::message::{LogId, Message, MessageId, Recipient};
use crate::ports::{
    AppendError, Draft, LogHead, MessageLog, Page, PageQuery, Posted, Rejection, Retention, Span,
    Unavailable, Viewer,
};
use crate::recipient::Unreached;
use crate::timestamp::Timestamp;

impl State {
    fn append(&mut self, draft: &Draft, now: Timestamp) -> Result<Posted, Rejection> {
        let sender = self.living(draft.sender_session).cloned().ok_or(Rejection::Silenced)?;
        if sender.claimed && draft.authority == Authority::Name {
            return Err(Rejection::Silenced);
        }
        let used = draft.client_id.clone().map(|client_id| (sender.id, client_id));
        if let Some((first, message)) = used.as_ref().and_then(|used| self.client_ids.get(used)) {
            return repeat(first, draft, message);
        }
        let to = self.recipient(draft)?;
        let (last_id, last_time) = self.last.unwrap_or((MessageId(0), now));
        let message = Message {
            id: MessageId(last_id.0 + 1),
            sender_session: sender.id,
            sender_id: sender.user.id,
            sender: sender.pseudonym,
            to,
            content: draft.content.clone(),
            client_id: draft.client_id.clone(),
            timestamp: last_time.max(now),
        };
        self.last = Some((message.id, message.timestamp));
        self.messages.push(message.clone());
        self.client_ids.extend(used.map(|used| (used, (draft.clone(), message.clone()))));
        Ok(Posted { message, repeated: false })
    }

    fn recipient(&self, draft: &Draft) -> Result<Option<Recipient>, Rejection> {
        let Some(address) = &draft.to else { return Ok(None) };
        let id = address.session.clone().map_err(Rejection::Unreached)?;
        let Some(record) = self.records.get(&id) else {
            return Err(Rejection::Unreached(Unreached::Unknown(address.addressee.to_string())));
        };
        let name = address.addressee.called(record.session.pseudonym.as_str());
        match self.living(id) {
            Some(session) if session.claimed || address.is_reached || id == draft.sender_session => {
                Ok(Some(Recipient { session: id, pseudonym: session.pseudonym.clone() }))
            }
            Some(_) => Err(Rejection::Unreached(Unreached::Unreachable(name))),
            None => Err(Rejection::Unreached(Unreached::Offline(name))),
        }
    }

    fn head(&self) -> LogHead {
        let last_id = self.last.map_or(MessageId(0), |(id, _)| id);
        let first_id = self.messages.first().map_or(MessageId(last_id.0 + 1), |message| message.id);
        LogHead { log: LogId(Uuid::nil()), first_id, last_id }
    }

    fn page(&self, query: PageQuery) -> Page {
        let visible = |message: &&Message| match query.viewer {
            Viewer::Lobby => true,
            Viewer::Nobody => message.audience().includes(None),
            Viewer::Session(id) => message.audience().includes(Some(id)),
        };
        let messages = self.messages.iter().filter(visible).cloned();
        let mut messages: Vec<_> = match query.span {
            Span::After(id) => messages.filter(|message| message.id > id).collect(),
            Span::Before(id) => messages.rev().filter(|message| message.id < id).collect(),
        };
        let has_more = messages.len() > query.limit;
        messages.truncate(query.limit);
        messages.sort_by_key(|message| message.id);
        Page { head: self.head(), messages, has_more }
    }
}

fn repeat(first: &Draft, again: &Draft, message: &Message) -> Result<Posted, Rejection> {
    let addressee = |draft: &Draft| draft.to.as_ref().map(|to| to.addressee.clone());
    if (&first.content, addressee(first)) == (&again.content, addressee(again)) {
        return Ok(Posted { message: message.clone(), repeated: true });
    }
    Err(Rejection::ClientIdConflict(again.client_id.clone().expect("it was looked up")))
}

#[async_trait]
impl MessageLog for MemoryStore {
    async fn append(
        &self,
        drafts: &[Draft],
        now: Timestamp,
    ) -> Result<Vec<Result<Posted, Rejection>>, AppendError> {
        let mut state = self.state();
        Ok(drafts.iter().map(|draft| state.append(draft, now)).collect())
    }

    async fn head(&self) -> Result<LogHead, Unavailable> {
        Ok(self.state().head())
    }

    async fn page(&self, query: PageQuery) -> Result<Page, Unavailable> {
        Ok(self.state().page(query))
    }

    async fn prune(&self, keep: Retention, most: u32) -> Result<bool, Unavailable> {
        let mut state = self.state();
        let last_id = state.head().last_id.0;
        let is_old = |message: &Message| {
            let too_many = keep.at_most.is_some_and(|most| (last_id - message.id.0).unsigned_abs() >= most);
            too_many || keep.since.is_some_and(|since| message.timestamp < since)
        };
        let old = state.messages.iter().take_while(|message| is_old(message)).count();
        let most = usize::try_from(most).expect("a small number");
        state.messages.drain(..old.min(most));
        Ok(old > most)
    }

    async fn forget_client_ids(&self, before: Timestamp, most: u32) -> Result<bool, Unavailable> {
        let mut state = self.state();
        let old = state.client_ids.iter().filter(|(_, (_, message))| message.timestamp < before);
        let old: Vec<_> = old.map(|(used, _)| used.clone()).collect();
        let most = usize::try_from(most).expect("a small number");
        for key in old.iter().take(most) {
            state.client_ids.remove(key);
        }
        Ok(old.len() > most)
    }

    async fn check_writable(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}
