//! Messages that follow one another, for whom they are sent in one piece.
//!
//! A commit brings many messages at once where much is said. To queue each of them for each of a thousand connections costs more than
//! to write them; joined, they are queued once.

use std::mem;
use std::sync::OnceLock;

use actix_socketio::{Packet, Packets};
use lobby_domain::message::Audience;
use lobby_websocket::Frames;

use super::encode::Encoded;

/// How much is joined, by [`Encoded::weight`]: four times what goes out. A small part of the smallest outbox there may be, so that one
/// piece does what its messages would do one by one.
const MOST: usize = 128 * 1024;

/// Messages in order. Several are all for everybody.
#[derive(Debug)]
pub(super) struct Run {
    each: Vec<Encoded>,
    plain: OnceLock<Frames>,
    socketio: OnceLock<Packets>,
    recoverable: OnceLock<Packets>,
}

impl Run {
    fn new(each: Vec<Encoded>) -> Self {
        Self { each, plain: OnceLock::new(), socketio: OnceLock::new(), recoverable: OnceLock::new() }
    }

    /// Messages in as few runs as may be.
    pub(super) fn split(messages: impl IntoIterator<Item = Encoded>) -> Vec<Self> {
        let (mut runs, mut run, mut weight) = (Vec::new(), Vec::new(), 0);
        for message in messages {
            let is_public = matches!(message.audience, Audience::Everybody);
            weight += message.weight();
            if !run.is_empty() && (!is_public || weight > MOST) {
                runs.push(Self::new(mem::take(&mut run)));
                weight = message.weight();
            }
            run.push(message);
            if !is_public {
                runs.push(Self::new(mem::take(&mut run)));
                weight = 0;
            }
        }
        if !run.is_empty() {
            runs.push(Self::new(run));
        }
        runs
    }

    pub(super) fn each(&self) -> &[Encoded] {
        &self.each
    }

    /// Whether all of it is news, in one piece, to whoever may see what everybody may and is at `position`.
    pub(super) fn is_one_piece_after(&self, position: i64) -> bool {
        self.each.len() > 1 && self.each[0].id > position
    }

    /// For `/ws`.
    pub(super) fn plain(&self) -> &Frames {
        self.plain.get_or_init(|| Frames::join(self.each.iter().map(Encoded::plain)))
    }

    /// For Socket.IO.
    pub(super) fn socketio(&self) -> &Packets {
        self.socketio.get_or_init(|| packets(&self.each, Encoded::socketio))
    }

    /// For Socket.IO clients that recover.
    pub(super) fn recoverable(&self) -> &Packets {
        self.recoverable.get_or_init(|| packets(&self.each, Encoded::recoverable))
    }
}

fn packets(each: &[Encoded], packet: fn(&Encoded) -> &Packet) -> Packets {
    Packets::new(each.iter().map(|message| packet(message).clone()).collect())
}

#[cfg(test)]
mod tests {
    use lobby_domain::session::SessionId;
    use uuid::Uuid;

    use super::*;

    fn message(id: i64, text: &str) -> Encoded {
        let mut message = Encoded::new("new_message", &text);
        message.id = id;
        message
    }

    fn private(id: i64) -> Encoded {
        let session = SessionId(Uuid::nil());
        let mut message = message(id, "x");
        message.audience = Audience::Sessions([session; 2]);
        message
    }

    fn ids(runs: &[Run]) -> Vec<Vec<i64>> {
        runs.iter().map(|run| run.each().iter().map(|message| message.id).collect()).collect()
    }

    #[test]
    fn what_everybody_may_see_is_in_one_piece_and_what_is_private_is_by_itself() {
        let messages =
            [message(1, "a"), message(2, "b"), private(3), message(4, "c"), private(5), private(6)];
        assert_eq!(ids(&Run::split(messages)), [vec![1, 2], vec![3], vec![4], vec![5], vec![6]]);
        assert!(Run::split([]).is_empty());
    }

    #[test]
    fn a_piece_is_small_whatever_is_said_at_once() {
        let long = "x".repeat(10_000);
        let runs = Run::split((1..=10).map(|id| message(id, &long)));
        assert_eq!(ids(&runs), [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8, 9], vec![10]]);
        let huge = "x".repeat(MOST);
        assert_eq!(ids(&Run::split((1..=3).map(|id| message(id, &huge)))), [[1], [2], [3]]);
    }

    #[test]
    fn one_piece_says_what_its_messages_say() {
        let run = Run::split([message(7, "a"), message(8, "b")]).remove(0);
        assert_eq!(*run.plain(), Frames::join(run.each().iter().map(Encoded::plain)));
        assert!(run.is_one_piece_after(6));
        assert!(!run.is_one_piece_after(7), "whoever has had a part of it gets the rest");
        assert!(!Run::split([message(7, "a")])[0].is_one_piece_after(6));
    }
}
