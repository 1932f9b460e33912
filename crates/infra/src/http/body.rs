//! How long a request's body may take.

use std::io;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use futures_util::{StreamExt, future, stream};
use tokio::time::sleep;

/// How long the body of a request may take, from its head on.
#[derive(Debug, Clone, Copy)]
pub struct BodyTimeout(pub Duration);

/// Ends a body that does not come in time with an error that [`is_late`] knows. actix waits for as long as it takes.
pub(super) async fn in_time(
    within: web::Data<BodyTimeout>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if !request.method().is_safe() {
        let body = request.take_payload();
        let late =
            stream::once(sleep(within.0)).map(|()| Err(PayloadError::Io(io::ErrorKind::TimedOut.into())));
        let ended = stream::once(future::ready(None));
        let pieces = stream::select(body.map(Some).chain(ended), late.map(Some));
        // Whichever comes first, the end of the body or that of the time, is the end.
        let body = pieces.take_while(|piece| future::ready(piece.is_some())).filter_map(future::ready);
        request.set_payload(Payload::Stream { payload: Box::pin(body) });
    }
    next.call(request).await
}

/// Whether a body ended because it did not come in time.
pub(super) fn is_late(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(cause) if cause.kind() == io::ErrorKind::TimedOut)
}
