//! Measurements that start servers, and end them however they end themselves.

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;

/// Runs a measurement until it is done, or somebody wants it to end: what it has started is dropped with it, and so ended.
pub(crate) fn measure<T>(measurement: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            result = measurement => result,
            _ = interrupt.recv() => Err(Error::Usage("interrupted".to_owned())),
            _ = terminate.recv() => Err(Error::Usage("told to end".to_owned())),
        }
    })
}
