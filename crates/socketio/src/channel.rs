//! A channel from one worker to another, bounded by what waits in it: the WebSocket of an upgraded session may live on
//! another worker than the session.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

/// Places that an empty channel keeps; a burst's are given back.
const KEPT_PLACES: usize = 32;
/// There is room while at most one part in so many of the limit is taken, as in a WebSocket's outbox.
const ROOM: usize = 2;
/// What may be left out is added while at most one part in so many of the limit is taken with it, as there.
const SPARE: usize = 8;

/// What an item costs while it waits, in bytes.
pub(crate) trait Weigh {
    fn weight(&self) -> usize;
}

/// A channel in which at most `limit` bytes wait, or one item more where the sender waits for room.
pub(crate) fn channel<T: Weigh>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::new(), bytes: 0, limit, ended: false, reader: None };
    let shared = Shared { state: Mutex::new(state), room: Notify::new() };
    let shared = Arc::new(shared);
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

pub(crate) struct Sender<T: Weigh>(Arc<Shared<T>>);

pub(crate) struct Receiver<T: Weigh>(Arc<Shared<T>>);

/// Why an item was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushError {
    Full,
    Closed,
}

/// A std mutex: what happens under it is a few moves, never a wait.
struct Shared<T> {
    state: Mutex<State<T>>,
    /// Told whenever there is room again, or nothing more is taken.
    room: Notify,
}

struct State<T> {
    items: VecDeque<T>,
    bytes: usize,
    limit: usize,
    /// The last item has been added, or one side is gone: what waits may still be read, nothing is added.
    ended: bool,
    reader: Option<Waker>,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }

    fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        self.room.notify_waiters();
    }

    async fn await_room(&self) {
        loop {
            // Made before the look, so that what happens behind it is not missed.
            let room = self.room.notified();
            if self.lock().has_room() {
                return;
            }
            room.await;
        }
    }
}

impl<T: Weigh> Sender<T> {
    /// Adds an item if it fits.
    pub(crate) fn push(&self, item: T) -> Result<(), PushError> {
        self.add(item, false)
    }

    /// Adds an item whatever waits already: for one after [`Sender::room`]. If the other side is gone, nobody misses it.
    pub(crate) fn force(&self, item: T) {
        let _gone = self.add(item, true);
    }

    /// Adds the last item, whatever waits already.
    pub(crate) fn finish(&self, item: T) {
        self.force(item);
        self.0.end();
    }

    /// Waits until at most half of the limit waits, or nothing is taken any more. Cancel safe, and any number may wait; it
    /// does not keep the channel open.
    pub(crate) fn room(&self) -> impl Future<Output = ()> + use<T> {
        let shared = Arc::clone(&self.0);
        async move { shared.await_room().await }
    }

    /// Bytes that wait for the other side.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.0.lock().bytes
    }

    /// Whether an item of so many bytes may be added that may be left out.
    pub(crate) fn has_to_spare(&self, bytes: usize) -> bool {
        let state = self.0.lock();
        !state.ended && state.bytes + bytes <= state.limit / SPARE
    }

    fn add(&self, item: T, whatever: bool) -> Result<(), PushError> {
        let mut state = self.0.lock();
        if state.ended {
            return Err(PushError::Closed);
        }
        let bytes = state.bytes + item.weight();
        if bytes > state.limit && !whatever {
            return Err(PushError::Full);
        }
        state.bytes = bytes;
        state.items.push_back(item);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Ok(())
    }
}

impl<T: Weigh> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<T: Weigh> Receiver<T> {
    /// The next item; `None` when there will be none. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Waits until nothing more is added, whatever there still is to be read. Cancel safe.
    pub(crate) async fn ended(&mut self) {
        poll_fn(|cx| self.poll_ended(cx)).await;
    }

    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        let full = !state.has_room();
        if let Some(item) = state.take() {
            let emptied = full && state.has_room();
            drop(state);
            if emptied {
                self.0.room.notify_waiters();
            }
            return Poll::Ready(Some(item));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_ended(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.ended {
            return Poll::Ready(());
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T: Weigh> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.end();
        let items = std::mem::take(&mut self.0.lock().items);
        drop(items);
    }
}

impl<T> State<T> {
    fn has_room(&self) -> bool {
        self.ended || self.bytes <= self.limit / ROOM
    }
}

impl<T: Weigh> State<T> {
    fn take(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.bytes -= item.weight();
        if self.items.is_empty() {
            self.items.shrink_to(KEPT_PLACES);
        }
        Some(item)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, poll};

    use super::*;

    impl Weigh for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    #[tokio::test]
    async fn items_come_out_in_order() {
        let (sender, mut receiver) = channel(10);
        for item in [1, 2, 3] {
            sender.push(item).unwrap();
        }
        for item in [1, 2, 3] {
            assert_eq!(receiver.next().await, Some(item));
        }
        assert_eq!(receiver.next().now_or_never(), None);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_and_fits_once_there_is_room() {
        let (sender, mut receiver) = channel(10);
        sender.push(6).unwrap();
        assert_eq!(sender.push(5), Err(PushError::Full));
        receiver.next().await;
        sender.push(5).unwrap();
        sender.force(100);
        assert_eq!((receiver.next().await, receiver.next().await), (Some(5), Some(100)));
    }

    #[tokio::test]
    async fn there_is_room_up_to_half_of_the_limit() {
        let (sender, _receiver) = channel(10);
        sender.push(5).unwrap();
        assert!(sender.room().now_or_never().is_some());
        sender.push(1).unwrap();
        assert!(sender.room().now_or_never().is_none());
    }

    #[tokio::test]
    async fn what_may_be_left_out_has_an_eighth_of_the_limit() {
        let (sender, mut receiver) = channel(80);
        assert!(sender.has_to_spare(10) && !sender.has_to_spare(11));
        sender.push(8).unwrap();
        assert!(sender.has_to_spare(2) && !sender.has_to_spare(3));
        receiver.next().await;
        assert!(sender.has_to_spare(10));
        drop(receiver);
        assert!(!sender.has_to_spare(0));
    }

    #[tokio::test]
    async fn all_who_wait_for_room_go_on_when_enough_was_read_except_those_who_have_given_up() {
        let (sender, mut receiver) = channel(10);
        for item in [1, 3, 5] {
            sender.push(item).unwrap();
        }
        let (mut one, mut other) = (Box::pin(sender.room()), Box::pin(sender.room()));
        for _ in 0..3 {
            assert!(poll!(Box::pin(sender.room())).is_pending());
        }
        assert!(poll!(&mut one).is_pending() && poll!(&mut other).is_pending());
        receiver.next().await;
        assert!(poll!(&mut one).is_pending());
        receiver.next().await;
        assert!(poll!(&mut one).is_ready());
        sender.push(5).unwrap();
        assert!(poll!(&mut other).is_pending(), "another has taken the room");
        receiver.next().await;
        assert!(poll!(&mut other).is_ready());
    }

    #[tokio::test]
    async fn no_room_is_waited_for_behind_the_last_item_or_where_nobody_reads() {
        let ways_out: [fn(Sender<usize>, Receiver<usize>); 3] = [
            |sender, _| sender.finish(1),
            |sender, _receiver| drop(sender),
            |_sender, receiver| drop(receiver),
        ];
        for leave in ways_out {
            let (sender, receiver) = channel(10);
            sender.force(100);
            let mut room = Box::pin(sender.room());
            assert!(poll!(&mut room).is_pending());
            leave(sender, receiver);
            assert!(poll!(&mut room).is_ready());
        }
    }

    #[tokio::test]
    async fn nothing_follows_the_last_item_of_which_the_reader_learns_in_front_of_what_waits() {
        let (sender, mut receiver) = channel(10);
        sender.push(1).unwrap();
        assert!(receiver.ended().now_or_never().is_none());
        sender.finish(100);
        sender.force(7);
        assert_eq!(sender.push(7), Err(PushError::Closed));
        receiver.ended().await;
        assert_eq!((receiver.next().await, receiver.next().await), (Some(1), Some(100)));
        assert_eq!(receiver.next().await, None);
    }

    #[tokio::test]
    async fn each_side_learns_that_the_other_is_gone() {
        let (sender, mut receiver) = channel(10);
        sender.push(1).unwrap();
        drop(sender);
        assert_eq!(receiver.next().await, Some(1));
        assert_eq!(receiver.next().await, None);
        let (sender, receiver) = channel(10);
        drop(receiver);
        assert_eq!(sender.push(1), Err(PushError::Closed));
        sender.room().await;
    }

    #[test]
    fn it_works_between_threads() {
        let (sender, mut receiver) = channel(100);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let mut all = Vec::new();
                while let Some(item) = receiver.next().await {
                    all.push(item);
                }
                all
            })
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for item in 0..20_000 {
                sender.room().await;
                sender.push(item % 50).unwrap();
            }
        });
        drop(sender);
        assert_eq!(thread.join().unwrap(), (0..20_000).map(|item| item % 50).collect::<Vec<_>>());
    }
}
