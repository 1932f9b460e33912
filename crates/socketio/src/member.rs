//! One socket that has joined, with what the application is doing for it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::{DisconnectReason, Event, Handler, Socket};

type Job = LocalBoxFuture<'static, ()>;

/// Dropping it ends the socket: its futures first, then [`Handler::disconnected`] is told, whatever the way.
pub(crate) struct Member<H: Handler> {
    handler: Rc<H>,
    socket: Socket,
    session: Rc<H::Session>,
    /// [`Handler::connected`], until it has returned.
    opening: Option<Job>,
    /// Events that did not finish at their first poll.
    events: FuturesUnordered<Job>,
    reason: DisconnectReason,
}

impl<H: Handler> Member<H> {
    /// Calls [`Handler::connected`] and polls it once.
    pub(crate) async fn open(handler: &Rc<H>, socket: Socket, session: H::Session) -> Self {
        let mut member = Self {
            handler: Rc::clone(handler),
            socket,
            session: Rc::new(session),
            opening: None,
            events: FuturesUnordered::new(),
            reason: DisconnectReason::ServerShuttingDown,
        };
        let (handler, socket, session) = member.parts();
        let opening = async move { handler.connected(&socket, &session).await };
        member.opening = begun(opening.boxed_local()).await;
        member
    }

    /// Calls [`Handler::event`] and polls it once.
    pub(crate) async fn start(&mut self, event: Event) {
        let (handler, socket, session) = self.parts();
        let job = async move { handler.event(&socket, &session, event).await };
        self.events.extend(begun(job.boxed_local()).await);
    }

    /// Drives what is under way; ready when something of it has finished.
    pub(crate) fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(opening) = &mut self.opening {
            ready!(Pin::new(opening).poll(cx));
            self.opening = None;
            return Poll::Ready(());
        }
        match self.events.poll_next_unpin(cx) {
            Poll::Ready(Some(())) => Poll::Ready(()),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    pub(crate) fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    pub(crate) fn under_way(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Ends the socket for this reason.
    pub(crate) fn end(mut self, reason: DisconnectReason) {
        self.reason = reason;
    }

    fn parts(&self) -> (Rc<H>, Socket, Rc<H::Session>) {
        (Rc::clone(&self.handler), self.socket.clone(), Rc::clone(&self.session))
    }
}

impl<H: Handler> Drop for Member<H> {
    fn drop(&mut self) {
        self.socket.end();
        self.opening = None;
        self.events.clear();
        self.handler.disconnected(&self.socket, &self.session, self.reason);
    }
}

/// Polls a job for the first time; `None` if that was all there was to do.
async fn begun(mut job: Job) -> Option<Job> {
    futures_util::poll!(&mut job).is_pending().then_some(job)
}
