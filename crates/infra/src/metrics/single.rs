//! Something that takes a while and is the same for all who want it at once: it is done once for them.

use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

/// It goes on for as long as somebody waits for it, whoever that is.
pub(super) struct Single<T: Clone> {
    /// A std lock: it is held to take or to put a pointer.
    under_way: Mutex<Option<WeakShared<BoxFuture<'static, T>>>>,
}

impl<T: Clone> Default for Single<T> {
    fn default() -> Self {
        Self { under_way: Mutex::default() }
    }
}

impl<T: Clone> Single<T> {
    /// What is under way; it begins if nothing is.
    pub(super) fn join<F>(&self, begin: impl FnOnce() -> F) -> Shared<BoxFuture<'static, T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let going_on = under_way.as_ref().and_then(WeakShared::upgrade);
        // Whoever comes after its end wants a new one, also where somebody still has the old one in hand.
        going_on.filter(|going_on| going_on.peek().is_none()).unwrap_or_else(|| {
            let new = begin().boxed().shared();
            *under_way = new.downgrade();
            new
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    /// Says which one it is, when it is let.
    async fn the(number: u32, gate: Arc<Semaphore>) -> u32 {
        gate.acquire().await.expect("it stays open").forget();
        number
    }

    #[tokio::test]
    async fn who_comes_while_it_is_under_way_shares_it_and_who_comes_later_has_another() {
        let (single, gate) = (Single::default(), Arc::new(Semaphore::new(0)));
        let join = |number| single.join(|| the(number, gate.clone()));
        let (mut first, second) = (join(1), join(2));
        assert!((&mut first).now_or_never().is_none());
        // Whoever has begun it may go.
        drop(first);
        gate.add_permits(1);
        assert_eq!(second.clone().await, 1);
        let third = join(3);
        gate.add_permits(1);
        assert_eq!((third.await, second.await), (3, 1));
        // Nobody waits for it any more, so it has ended.
        drop(join(4));
        let fifth = join(5);
        gate.add_permits(1);
        assert_eq!(fifth.await, 5);
    }
}
