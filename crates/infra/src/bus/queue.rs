//! What waits for one who fetches it, up to a bound.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

/// A queue that takes no more than a weight; whoever puts something in never waits. One fetches from it at a time.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// A std mutex: it is held for a push or a pop.
    waiting: Mutex<Waiting<T>>,
    arrived: Notify,
    bound: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(bound: usize) -> Self {
        let waiting = Mutex::new(Waiting { items: VecDeque::new(), weight: 0 });
        Self { waiting, arrived: Notify::new(), bound }
    }

    /// Whether there was room for it.
    #[must_use]
    pub(super) fn push(&self, item: T, weight: usize) -> bool {
        let mut waiting = self.waiting();
        if waiting.weight + weight > self.bound {
            return false;
        }
        waiting.weight += weight;
        waiting.items.push_back((item, weight));
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// The next item.
    pub(super) async fn next(&self) -> T {
        loop {
            if let Some(item) = self.waiting().pop() {
                return item;
            }
            self.arrived.notified().await;
        }
    }

    /// As much as is there, but no more than a weight except of a single item.
    pub(super) async fn batch(&self, most: usize) -> Vec<T> {
        let mut batch = vec![self.next().await];
        let mut waiting = self.waiting();
        let mut room = most;
        while let Some((_, weight)) = waiting.items.front()
            && *weight <= room
        {
            room -= weight;
            batch.extend(waiting.pop());
        }
        batch
    }

    /// Forgets everything, and says how much that was.
    pub(super) fn clear(&self) -> usize {
        let mut waiting = self.waiting();
        waiting.weight = 0;
        let count = waiting.items.len();
        waiting.items.clear();
        count
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().expect("nothing panics while it holds the queue")
    }
}

impl<T> Waiting<T> {
    fn pop(&mut self) -> Option<T> {
        let (item, weight) = self.items.pop_front()?;
        self.weight -= weight;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_is_put_in_comes_out_in_order_up_to_the_bound() {
        let queue = Queue::new(10);
        assert!(queue.push('a', 4) && queue.push('b', 6) && !queue.push('c', 1));
        assert_eq!(queue.next().await, 'a');
        assert!(queue.push('d', 4) && !queue.push('e', 1));
        assert_eq!((queue.next().await, queue.next().await), ('b', 'd'));
        assert_eq!(queue.next().now_or_never(), None);
        assert!(queue.push('f', 10));
    }

    #[tokio::test]
    async fn a_batch_is_what_is_there_within_a_weight() {
        let queue = Queue::new(100);
        for item in 1..=5 {
            assert!(queue.push(item, 10));
        }
        assert_eq!(queue.batch(20).await, [1, 2, 3], "the first is let through whatever it weighs");
        assert_eq!(queue.clear(), 2);
        assert_eq!(queue.batch(20).now_or_never(), None);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let queue = Queue::new(1);
        let (next, pushed) = tokio::join!(queue.next(), async { queue.push(1, 1) });
        assert_eq!((next, pushed), (1, true));
    }
}
