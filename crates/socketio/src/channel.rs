//! A channel from one worker to another, bounded by what waits in it: the WebSocket of an upgraded session may live on
//! another worker than the session.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// Places that an empty channel keeps; a burst's are given back.
const KEPT_PLACES: usize = 32;

/// What an item costs while it waits, in bytes.
pub(crate) trait Weigh {
    fn weight(&self) -> usize;
}

/// A channel in which at most `limit` bytes wait, or one item more where the sender waits for room.
pub(crate) fn channel<T: Weigh>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::new(), bytes: 0, limit, closed: false, reader: None, writer: None };
    let shared = Shared { state: Mutex::new(state) };
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
}

struct State<T> {
    items: VecDeque<T>,
    bytes: usize,
    limit: usize,
    /// One side is gone: what waits may still be read, nothing is added.
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let wakers = (state.reader.take(), state.writer.take());
        drop(state);
        wake(wakers.0);
        wake(wakers.1);
    }
}

impl<T: Weigh> Sender<T> {
    /// Adds an item if it fits.
    pub(crate) fn push(&self, item: T) -> Result<(), PushError> {
        self.add(item, false)
    }

    /// Adds an item whatever waits already: for one after [`Sender::room`], and for the last. If the other side is gone,
    /// nobody misses it.
    pub(crate) fn force(&self, item: T) {
        let _gone = self.add(item, true);
    }

    /// Waits until less than the limit waits, or nobody reads any more.
    pub(crate) async fn room(&self) {
        poll_fn(|cx| self.poll_room(cx)).await;
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.closed || state.bytes < state.limit {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn add(&self, item: T, whatever: bool) -> Result<(), PushError> {
        let mut state = self.0.lock();
        if state.closed {
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
        self.0.close();
    }
}

impl<T: Weigh> Receiver<T> {
    /// The next item; `None` when there will be none. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll(cx, State::take_one)).await
    }

    /// All that waits, at least one item; `None` when there will be none. Cancel safe.
    pub(crate) async fn all(&mut self) -> Option<VecDeque<T>> {
        poll_fn(|cx| self.poll(cx, State::take_all)).await
    }

    fn poll<R>(
        &mut self,
        cx: &Context<'_>,
        take: impl FnOnce(&mut State<T>) -> Option<R>,
    ) -> Poll<Option<R>> {
        let mut state = self.0.lock();
        if let Some(taken) = take(&mut state) {
            let writer = state.writer.take();
            drop(state);
            wake(writer);
            return Poll::Ready(Some(taken));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T: Weigh> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.close();
        let items = std::mem::take(&mut self.0.lock().items);
        drop(items);
    }
}

impl<T: Weigh> State<T> {
    fn take_one(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.bytes -= item.weight();
        if self.items.is_empty() {
            self.items.shrink_to(KEPT_PLACES);
        }
        Some(item)
    }

    fn take_all(&mut self) -> Option<VecDeque<T>> {
        self.bytes = 0;
        let items = std::mem::take(&mut self.items);
        (!items.is_empty()).then_some(items)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    impl Weigh for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    #[tokio::test]
    async fn items_come_out_in_order_one_by_one_or_all_at_once() {
        let (sender, mut receiver) = channel(10);
        for item in [1, 2, 3] {
            sender.push(item).unwrap();
        }
        assert_eq!(receiver.next().await, Some(1));
        assert_eq!(receiver.all().await.unwrap(), [2, 3]);
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
        assert_eq!(receiver.all().await.unwrap(), [5, 100]);
    }

    #[tokio::test]
    async fn whoever_waits_for_room_goes_on_when_something_was_read() {
        let (sender, mut receiver) = channel(10);
        sender.room().await;
        sender.force(100);
        assert!(sender.room().now_or_never().is_none());
        let ((), read) = futures_util::future::join(sender.room(), receiver.next()).await;
        assert_eq!(read, Some(100));
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
            for item in 0..2_000 {
                sender.room().await;
                sender.force(item);
            }
        });
        drop(sender);
        assert_eq!(thread.join().unwrap(), (0..2_000).collect::<Vec<_>>());
    }
}
