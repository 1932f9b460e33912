//! Which sessions live, and how a request reaches the worker of its session: requests of one session come over many
//! connections, and connections are spread over the workers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use bytestring::ByteString;
use subtle::ConstantTimeEq as _;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::transport::Pipe;
use crate::{DisconnectReason, Permit};

/// Requests that may wait for a session: well-behaved clients have two under way, and a WebSocket.
const MAILBOX: usize = 8;

/// The longest text that is kept to know a request again: clients send a time, or some ten random digits.
const LONGEST_STAMP: usize = 64;

/// Shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    living: AtomicUsize,
    /// Told when the last of them has ended.
    emptied: Notify,
    /// Sessions that began by polling. A std mutex: a look-up under it takes less than a wait for anything.
    entries: Mutex<HashMap<String, Arc<Entry>>>,
}

/// The way to one session.
#[derive(Debug)]
pub(crate) struct Entry {
    mailbox: mpsc::Sender<Request>,
    authorization: Option<Box<[u8]>>,
    posting: AtomicBool,
    /// What tells the last poll and the last POST from all others, where clients say so. A std mutex, held to compare two texts.
    stamps: Mutex<[Option<Box<str>>; 2]>,
}

/// What may come twice: a load balancer that has lost an answer asks again, and does not say so.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Repeatable {
    Poll,
    Post,
}

/// A request on its way to its session. A dropped answer means that it fits no state of the session.
pub(crate) enum Request {
    Poll(oneshot::Sender<Bytes>),
    Post(Post),
    Upgrade(Pipe),
    /// A request has broken a rule.
    End(DisconnectReason),
}

/// The packets of a POST request.
pub(crate) struct Post {
    pub(crate) body: ByteString,
    pub(crate) answer: oneshot::Sender<()>,
    /// Until it is dropped, no other POST is read.
    pub(crate) claim: Claim,
}

/// The right to post.
#[derive(Debug)]
pub(crate) struct Claim(Arc<Entry>);

/// A session counts as long as it has this.
pub(crate) struct Living {
    registry: Arc<Registry>,
    permit: Option<Permit>,
}

/// A session's place in the registry, and its mailbox.
pub(crate) struct Registration {
    registry: Arc<Registry>,
    sid: String,
    pub(crate) mailbox: mpsc::Receiver<Request>,
}

impl Registry {
    /// Sessions that live.
    pub(crate) fn living(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }

    /// Waits until none lives.
    pub(crate) async fn emptied(&self) {
        loop {
            // Made before the look, so that what happens behind it is not missed.
            let emptied = self.emptied.notified();
            if self.living() == 0 {
                return;
            }
            emptied.await;
        }
    }

    pub(crate) fn live(self: &Arc<Self>, permit: Option<Permit>) -> Living {
        self.living.fetch_add(1, Ordering::Relaxed);
        Living { registry: Arc::clone(self), permit }
    }

    /// Makes a session known under `sid`, to those who show the same `Authorization` header as its handshake had, if
    /// that had one.
    pub(crate) fn register(self: &Arc<Self>, sid: &str, authorization: Option<&[u8]>) -> Registration {
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let authorization = authorization.map(Into::into);
        let entry = Entry {
            mailbox: sender,
            authorization,
            posting: AtomicBool::new(false),
            stamps: Mutex::default(),
        };
        self.entries().insert(sid.to_owned(), Arc::new(entry));
        Registration { registry: Arc::clone(self), sid: sid.to_owned(), mailbox }
    }

    /// The way to a session, for a request with this `Authorization` header.
    pub(crate) fn find(&self, sid: &str, authorization: Option<&[u8]>) -> Option<Arc<Entry>> {
        let entry = self.entries().get(sid).cloned()?;
        let expected = entry.authorization.as_deref();
        let same = expected.is_none_or(|expected| expected.ct_eq(authorization.unwrap_or_default()).into());
        same.then_some(entry)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Arc<Entry>>> {
        // The map is whole whatever panicked elsewhere: nothing under the lock calls foreign code.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Passes a request to the session; `false` if it has ended or is flooded.
    pub(crate) fn pass(&self, request: Request) -> bool {
        self.mailbox.try_send(request).is_ok()
    }

    /// The right to post, unless another request has it.
    pub(crate) fn claim(self: &Arc<Self>) -> Option<Claim> {
        let free = !self.posting.swap(true, Ordering::AcqRel);
        free.then(|| Claim(Arc::clone(self)))
    }

    /// Whether this is the request of before once more, by what its client gives each request that is new.
    pub(crate) fn is_repeated(&self, which: Repeatable, stamp: Option<&str>) -> bool {
        let Some(stamp) = stamp.filter(|stamp| stamp.len() <= LONGEST_STAMP) else { return false };
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        let last = &mut stamps[which as usize];
        if last.as_deref() == Some(stamp) {
            return true;
        }
        *last = Some(stamp.into());
        false
    }

    /// Waits until the session has ended.
    pub(crate) async fn ended(&self) {
        self.mailbox.closed().await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.posting.store(false, Ordering::Release);
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        // Whoever is told that there is one less finds its room.
        drop(self.permit.take());
        if self.registry.living.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.registry.emptied.notify_waiters();
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.entries().remove(&self.sid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_as_long_as_it_is_registered() {
        let registry = Arc::new(Registry::default());
        let registration = registry.register("abc", None);
        assert!(registry.find("abc", None).is_some());
        assert!(
            registry.find("abc", Some(b"Bearer x")).is_some(),
            "who logs in meanwhile is the same client"
        );
        assert!(registry.find("xyz", None).is_none());
        drop(registration);
        assert!(registry.find("abc", None).is_none());
    }

    #[test]
    fn a_session_of_an_authorized_handshake_is_found_with_the_same_header_only() {
        let registry = Arc::new(Registry::default());
        let _registration = registry.register("abc", Some(b"Bearer x"));
        assert!(registry.find("abc", Some(b"Bearer x")).is_some());
        for other in [None, Some(b"Bearer y".as_slice()), Some(b"Bearer"), Some(b"")] {
            assert!(registry.find("abc", other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn only_one_request_may_post_at_a_time() {
        let registry = Arc::new(Registry::default());
        let _registration = registry.register("abc", None);
        let entry = registry.find("abc", None).unwrap();
        let claim = entry.claim().unwrap();
        assert!(entry.claim().is_none());
        drop(claim);
        assert!(entry.claim().is_some());
    }

    #[test]
    fn a_request_is_known_again_by_its_stamp_and_only_right_after_it_came() {
        let registry = Arc::new(Registry::default());
        let _registration = registry.register("abc", None);
        let entry = registry.find("abc", None).unwrap();
        let long = "x".repeat(LONGEST_STAMP + 1);
        let table = [
            (Repeatable::Poll, Some("a"), false),
            (Repeatable::Post, Some("a"), false),
            (Repeatable::Poll, Some("a"), true),
            (Repeatable::Poll, Some("b"), false),
            (Repeatable::Poll, Some("a"), false),
            (Repeatable::Post, Some("a"), true),
            (Repeatable::Poll, None, false),
            (Repeatable::Poll, None, false),
            (Repeatable::Poll, Some(&*long), false),
            (Repeatable::Poll, Some(&*long), false),
        ];
        for (which, stamp, is_repeated) in table {
            assert_eq!(entry.is_repeated(which, stamp), is_repeated, "{which:?} {stamp:?}");
        }
    }

    #[test]
    fn a_flooded_or_ended_session_takes_no_requests() {
        let registry = Arc::new(Registry::default());
        let registration = registry.register("abc", None);
        let entry = registry.find("abc", None).unwrap();
        let end = || Request::End(DisconnectReason::TransportError);
        assert!((0..MAILBOX).all(|_| entry.pass(end())));
        assert!(!entry.pass(end()));
        drop(registration);
        assert!(!entry.pass(end()));
    }

    #[test]
    fn living_sessions_are_counted() {
        let registry = Arc::new(Registry::default());
        let (one, _two) = (registry.live(None), registry.live(None));
        assert_eq!(registry.living(), 2);
        drop(one);
        assert_eq!(registry.living(), 1);
    }
}
