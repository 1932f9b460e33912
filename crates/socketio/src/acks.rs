//! Acknowledgements: ours of the client's events, and the client's of ours.

use std::cell::RefCell;
use std::collections::HashMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::packet::encode;
use crate::{Args, SendError, Socket};

/// The answer that a client's event asks for. It is given once; dropped, no answer is given.
#[derive(Debug)]
pub struct Ack {
    socket: Socket,
    id: u64,
}

impl Ack {
    pub(crate) fn new(socket: Socket, id: u64) -> Self {
        Self { socket, id }
    }

    /// Answers with one argument, whatever its type: a tuple or an array arrives as one array.
    pub fn send<T: Serialize + ?Sized>(self, arg: &T) -> Result<(), SendError> {
        let arg = serde_json::to_string(arg)?;
        self.answer(&[&arg], &[])
    }

    /// Answers with any number of arguments, which are JSON already.
    pub fn send_raw(self, args: &[&RawValue]) -> Result<(), SendError> {
        self.send_binary(args, &[])
    }

    /// As [`Ack::send_raw`], with binary data: a [`Placeholder`](crate::Placeholder) stands in `args` for each of the
    /// `attachments`.
    pub fn send_binary(self, args: &[&RawValue], attachments: &[Bytes]) -> Result<(), SendError> {
        self.answer(&encode::texts(args), attachments)
    }

    fn answer(self, args: &[&str], attachments: &[Bytes]) -> Result<(), SendError> {
        self.socket.send(&encode::ack(self.socket.namespace(), self.id, args, attachments))
    }
}

/// Why an event of ours got no answer.
#[derive(Debug, Error)]
pub enum AckError {
    /// The event could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The client did not answer in time.
    #[error("the client did not acknowledge in time")]
    Timeout,
    /// The socket ended before the answer came.
    #[error("the socket ended before the acknowledgement came")]
    Disconnected,
    /// [`Config::max_pending_acks`](crate::Config::max_pending_acks) events wait for their answers already.
    #[error("too many events wait for their acknowledgements")]
    TooMany,
}

/// The answers that one client owes us. Ids are never given out twice, so a late answer is not taken for another's.
#[derive(Debug)]
pub(crate) struct PendingAcks {
    max: usize,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    waiting: HashMap<u64, oneshot::Sender<Args>>,
}

impl PendingAcks {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, state: RefCell::default() }
    }

    /// Room for one more answer, or `None` if too many are owed.
    pub(crate) fn expect(&self) -> Option<Pending<'_>> {
        let mut state = self.state.borrow_mut();
        if state.waiting.len() >= self.max {
            return None;
        }
        let id = state.next;
        state.next += 1;
        let (sender, answer) = oneshot::channel();
        state.waiting.insert(id, sender);
        Some(Pending { id, answer, acks: self })
    }

    /// Takes an answer; one that nobody waits for (any more) is dropped, as the reference does.
    pub(crate) fn resolve(&self, id: u64, args: Args) {
        let waiting = self.state.borrow_mut().waiting.remove(&id);
        if let Some(sender) = waiting {
            // Whoever waited may have been dropped in this very moment; then nobody misses the answer.
            let _dropped = sender.send(args);
        }
    }

    /// The socket has ended: no answer will come.
    pub(crate) fn abandon(&self) {
        let waiting = std::mem::take(&mut self.state.borrow_mut().waiting);
        drop(waiting);
    }
}

/// One answer that is owed. Dropping it gives its place back.
pub(crate) struct Pending<'a> {
    pub(crate) id: u64,
    answer: oneshot::Receiver<Args>,
    acks: &'a PendingAcks,
}

impl Pending<'_> {
    pub(crate) async fn answer(&mut self) -> Result<Args, AckError> {
        (&mut self.answer).await.map_err(|_| AckError::Disconnected)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.acks.state.borrow_mut().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use super::*;

    fn args(json: &'static str) -> Args {
        let message = ByteString::from_static(json);
        Args::of_ack(&message, &message)
    }

    #[tokio::test]
    async fn answers_find_their_questions_in_any_order() {
        let acks = PendingAcks::new(2);
        let (mut first, mut second) = (acks.expect().unwrap(), acks.expect().unwrap());
        acks.resolve(second.id, args("[2]"));
        acks.resolve(first.id, args("[1]"));
        assert_eq!(first.answer().await.unwrap().get::<u8>(0).unwrap(), 1);
        assert_eq!(second.answer().await.unwrap().get::<u8>(0).unwrap(), 2);
    }

    #[test]
    fn no_more_answers_can_be_owed_than_allowed_and_given_up_ones_make_room() {
        let acks = PendingAcks::new(1);
        let first = acks.expect().unwrap();
        assert!(acks.expect().is_none());
        let old = first.id;
        drop(first);
        assert_ne!(acks.expect().unwrap().id, old);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_asked_for_is_dropped() {
        let acks = PendingAcks::new(1);
        let mut owed = acks.expect().unwrap();
        acks.resolve(owed.id + 1, args("[1]"));
        acks.resolve(owed.id, args("[7]"));
        acks.resolve(owed.id, args("[8]"));
        assert_eq!(owed.answer().await.unwrap().get::<u8>(0).unwrap(), 7);
    }

    #[tokio::test]
    async fn whoever_waits_learns_that_the_socket_has_ended() {
        let acks = PendingAcks::new(1);
        let mut owed = acks.expect().unwrap();
        acks.abandon();
        assert!(matches!(owed.answer().await, Err(AckError::Disconnected)));
    }
}
