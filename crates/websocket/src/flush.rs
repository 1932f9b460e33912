use std::{
    cell::RefCell,
    future::poll_fn,
    mem,
    rc::{Rc, Weak},
};

use actix_web::rt::{self, task::JoinHandle};

use crate::{pending::Joined, queue::Queue, stream::Stream};

/// Flushes a queue as often as the socket takes more, until it has taken all, or this is dropped.
pub(crate) struct Refill(JoinHandle<()>);

impl Refill {
    pub(crate) fn start(lane: Stream, queue: Weak<RefCell<Queue>>) -> Self {
        Self(rt::spawn(refill(lane, queue)))
    }
}

impl Drop for Refill {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn refill(lane: Stream, queue: Weak<RefCell<Queue>>) {
    // A broken socket is ready too, and tells what is wrong with it when it is written to.
    while poll_fn(|cx| lane.poll_writable(cx)).await.is_ok() {
        let Some(queue) = queue.upgrade() else { return };
        if queue.borrow_mut().flush(&mut Joined::default()) {
            return;
        }
    }
}

/// Flushes the queue when the tasks that are about to run have run, which may have more for it: one task for all queues of the
/// thread.
pub(crate) fn soon(queue: Weak<RefCell<Queue>>) {
    DUE.with_borrow_mut(|due| {
        due.queues.push(queue);
        // Where the last one ended with its runtime, another begins.
        if due.task.strong_count() == 0 {
            let task = Rc::new(());
            due.task = Rc::downgrade(&task);
            rt::spawn(async move {
                flush_due();
                drop(task);
            });
        }
    });
}

thread_local! {
    static DUE: RefCell<Due> = RefCell::default();
}

/// The queues to be flushed soon: each at most once, so no more than there are connections.
#[derive(Default)]
struct Due {
    queues: Vec<Weak<RefCell<Queue>>>,
    joined: Joined,
    /// Alive while somebody is about to flush them.
    task: Weak<()>,
}

fn flush_due() {
    let (queues, mut joined) =
        DUE.with_borrow_mut(|due| (mem::take(&mut due.queues), mem::take(&mut due.joined)));
    for queue in queues.iter().filter_map(Weak::upgrade) {
        queue.borrow_mut().flush(&mut joined);
    }
    joined.forget();
    DUE.with_borrow_mut(|due| due.joined = joined);
}
