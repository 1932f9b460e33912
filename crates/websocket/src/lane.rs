use std::{
    cell::RefCell,
    io::{self, ErrorKind, IoSlice, Write as _},
    mem,
    net::TcpStream as Socket,
    rc::{Rc, Weak},
};

use actix_web::rt::{self, net::TcpStream, task::JoinHandle};
use socket2::SockRef;
use tokio::io::Interest;

use crate::queue::Queue;

/// A second handle of a connection's socket, to write to without a task, a buffer and a wake-up for each connection.
#[derive(Clone)]
pub(crate) struct Lane(Rc<Socket>);

impl Lane {
    /// It costs a file descriptor. `None` where there is none to be had; then the server writes, as it does without.
    pub(crate) fn to(stream: &TcpStream) -> Option<Self> {
        SockRef::from(stream).try_clone().ok().map(|socket| Self(Rc::new(socket.into())))
    }

    /// Never waits: the socket is the server's, which made it so.
    pub(crate) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [one] => (&*self.0).write(one),
            several => (&*self.0).write_vectored(several),
        }
    }

    /// Flushes the queue as often as the socket takes more, until it has taken all.
    pub(crate) fn refill(&self, queue: Weak<RefCell<Queue>>) -> Refill {
        Refill(rt::spawn(refill(self.clone(), queue)))
    }
}

/// Goes on until it is dropped or through.
pub(crate) struct Refill(JoinHandle<()>);

impl Drop for Refill {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn refill(lane: Lane, queue: Weak<RefCell<Queue>>) {
    if wait_and_flush(lane, &queue).await.is_err()
        && let Some(queue) = queue.upgrade()
    {
        queue.borrow_mut().cannot_wait();
    }
}

/// The runtime wants a descriptor of its own to watch: only while the socket takes no more is there a third.
async fn wait_and_flush(lane: Lane, queue: &Weak<RefCell<Queue>>) -> io::Result<()> {
    let socket = TcpStream::from_std(lane.0.try_clone()?)?;
    drop(lane);
    loop {
        socket.writable().await?;
        let Some(queue) = queue.upgrade() else { return Ok(()) };
        let flush = || if queue.borrow_mut().flush() { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) };
        if socket.try_io(Interest::WRITABLE, flush).is_ok() {
            return Ok(());
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
    static DUE: RefCell<Due> = const { RefCell::new(Due { queues: Vec::new(), task: Weak::new() }) };
}

/// The queues to be flushed soon: each at most once, so no more than there are connections.
struct Due {
    queues: Vec<Weak<RefCell<Queue>>>,
    /// Alive while somebody is about to flush them.
    task: Weak<()>,
}

fn flush_due() {
    for queue in DUE.with_borrow_mut(|due| mem::take(&mut due.queues)) {
        if let Some(queue) = queue.upgrade() {
            queue.borrow_mut().flush();
        }
    }
}
