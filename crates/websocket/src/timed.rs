//! How long the head of a request may take. actix sees to the first one of a connection; one of which only a part comes later, it waits
//! for as long as it takes.

use std::{
    cell::{Cell, RefCell},
    io,
    marker::PhantomData,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::{
    Request, Response,
    body::{BodySize, MessageBody},
};
use actix_service::Service;
use actix_web::rt::time::{Instant, Sleep, sleep_until};
use bytes::Bytes;
use futures_core::future::LocalBoxFuture;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{stream::Stream, upgrade::Handover};

/// When the head of the next request has to be there.
pub(crate) struct HeadWatch {
    /// How long a head may take, from its first byte.
    head: Duration,
    /// How long it may take until there is one, after the answer before; actix sees to that too, unless a part of the head came
    /// with the request before.
    idle: Duration,
    /// Requests that are not answered to their end yet.
    under_way: Cell<usize>,
    due: RefCell<Option<Pin<Box<Sleep>>>>,
}

impl HeadWatch {
    fn begin(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        self.due.take();
        UnderWay(Rc::clone(self))
    }

    /// Bytes have come. While a request is under way they may be its body's.
    fn heard(&self) {
        if self.under_way.get() == 0 {
            self.set_at_most(self.head);
        }
    }

    fn set_at_most(&self, within: Duration) {
        let at = Instant::now() + within;
        let mut due = self.due.borrow_mut();
        if due.as_ref().is_none_or(|due| due.deadline() > at) {
            *due = Some(Box::pin(sleep_until(at)));
        }
    }

    fn poll_late(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.due.borrow_mut().as_mut() {
            Some(due) => due.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

/// A request, from its head on to the end of its answer.
struct UnderWay(Rc<HeadWatch>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
        if self.0.under_way.get() == 0 {
            self.0.set_at_most(self.0.idle + self.0.head);
        }
    }
}

/// A connection as actix reads from it: it breaks where a head does not come in time.
pub(crate) struct Timed {
    pub(crate) stream: Stream,
    pub(crate) handover: Handover,
    watch: Rc<HeadWatch>,
}

impl Timed {
    pub(crate) fn new(stream: Stream, handover: Handover, head: Duration, idle: Duration) -> Self {
        let watch = HeadWatch { head, idle, under_way: Cell::new(0), due: RefCell::default() };
        Self { stream, handover, watch: Rc::new(watch) }
    }

    /// What belongs among the connection's data, for [`Watched`] to find.
    pub(crate) fn watch(&self) -> Rc<HeadWatch> {
        Rc::clone(&self.watch)
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut Stream> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match self.as_mut().stream().poll_read(cx, buffer) {
            Poll::Pending => match self.watch.poll_late(cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            },
            read @ Poll::Ready(_) => {
                if buffer.filled().len() > before {
                    self.watch.heard();
                }
                read
            }
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

/// A service whose requests are known to be under way until they are answered.
pub(crate) struct Watched<S, B> {
    inner: S,
    body: PhantomData<fn() -> B>,
}

impl<S, B> Watched<S, B> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, body: PhantomData }
    }
}

impl<S, B> Service<Request> for Watched<S, B>
where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    S::Future: 'static,
    B: MessageBody,
{
    type Response = Response<WatchedBody<B>>;
    type Error = S::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: Request) -> Self::Future {
        let under_way = request.conn_data::<Rc<HeadWatch>>().map(HeadWatch::begin);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?.into();
            Ok(response.map_body(|_, body| WatchedBody { body, under_way }))
        })
    }
}

pin_project! {
    /// The body of an answer, with whose end its request's is.
    pub(crate) struct WatchedBody<B> {
        #[pin]
        body: B,
        under_way: Option<UnderWay>,
    }
}

impl<B: MessageBody> MessageBody for WatchedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.project().body.poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Duration = Duration::from_secs(5);
    const IDLE: Duration = Duration::from_secs(2);

    fn watch() -> Rc<HeadWatch> {
        let watch = HeadWatch { head: HEAD, idle: IDLE, under_way: Cell::new(0), due: RefCell::default() };
        Rc::new(watch)
    }

    /// How long it takes from now until the head is late.
    async fn late(watch: &HeadWatch) -> Option<Duration> {
        let begun = Instant::now();
        let late = std::future::poll_fn(|cx| watch.poll_late(cx));
        let waited = tokio::time::timeout(Duration::from_mins(1), late).await;
        waited.ok().map(|()| begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_from_its_first_byte_on() {
        let watch = watch();
        assert_eq!(late(&watch).await, None, "nothing has come yet");
        watch.heard();
        tokio::time::advance(Duration::from_secs(4)).await;
        watch.heard();
        assert_eq!(late(&watch).await, Some(Duration::from_secs(1)), "a byte more buys no time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_under_way_may_take_as_long_as_it_likes() {
        let watch = watch();
        watch.heard();
        let one = watch.begin();
        let other = watch.begin();
        watch.heard();
        assert_eq!(late(&watch).await, None);
        drop(one);
        watch.heard();
        assert_eq!(late(&watch).await, None, "another is under way");
        drop(other);
        assert_eq!(
            late(&watch).await,
            Some(HEAD + IDLE),
            "the next may have begun already, with the one before"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_head_has_its_own_time_from_its_first_byte_on() {
        let watch = watch();
        drop(watch.begin());
        tokio::time::advance(Duration::from_secs(1)).await;
        watch.heard();
        assert_eq!(late(&watch).await, Some(HEAD));
    }
}
