use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;

use crate::{Outbox, queue::Taken};

/// The body of the upgrade's response: drains the outbox into the socket.
pub(crate) struct OutboxBody {
    outbox: Outbox,
}

impl OutboxBody {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }
}

impl MessageBody for OutboxBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        match self.outbox.queue().take(cx.waker()) {
            Taken::Chunk(chunk) => Poll::Ready(Some(Ok(chunk))),
            Taken::End => Poll::Ready(None),
            Taken::Nothing => Poll::Pending,
        }
    }
}

impl Drop for OutboxBody {
    fn drop(&mut self) {
        self.outbox.queue().gone();
    }
}
