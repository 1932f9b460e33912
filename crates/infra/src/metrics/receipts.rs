//! When messages came in that are about to be announced, and who wants to know when everybody has them.
//!
//! The writer knows when, the hub tells everybody, and between them are the rules, which know of no time. So the writer says it on
//! the side: to whatever is done within its own task, which is where the hub is told.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

tokio::task_local! {
    static RECEIVED: (Vec<Instant>, Arc<watch::Sender<()>>);
}

/// Of one message. When the last of those is dropped that came in with it, it is with everybody.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    /// When it came in.
    pub(crate) at: Instant,
    #[expect(dead_code, reason = "it is held, so that its end is seen")]
    until: Arc<watch::Sender<()>>,
}

/// Ends with the last of the receipts.
pub(crate) struct Written(watch::Receiver<()>);

impl Written {
    /// Of nothing.
    pub(crate) fn already() -> Self {
        Self(watch::channel(()).1)
    }

    /// Waits until everybody has it. Cancel safe; once it was so, it stays so.
    pub(crate) async fn wait(&mut self) {
        // Nothing is ever sent.
        while self.0.changed().await.is_ok() {}
    }
}

/// Does something about messages that have come in then, in their order. What comes of it is there before they are with everybody.
pub(crate) async fn with<T>(received: Vec<Instant>, what: impl Future<Output = T>) -> (T, Written) {
    let (until, written) = watch::channel(());
    (RECEIVED.scope((received, Arc::new(until)), what).await, Written(written))
}

/// Receipts of so many messages, which are those that were not refused. Where some were, it is not known which: then all are said to
/// have come with the first, which makes them a little slower than they are. Nothing if nobody has said it.
pub(crate) fn of(count: usize) -> Vec<Receipt> {
    let receipts = RECEIVED.try_with(|(received, until)| {
        let receipt = |at: &Instant| Receipt { at: *at, until: until.clone() };
        match received.iter().min() {
            Some(_) if received.len() == count => received.iter().map(receipt).collect(),
            Some(first) => vec![receipt(first); count],
            None => Vec::new(),
        }
    });
    receipts.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_told_of_messages_can_ask_when_they_came() {
        let first = Instant::now();
        advance(Duration::from_secs(1)).await;
        let second = Instant::now();
        assert!(of(2).is_empty(), "nobody has said it");
        let times = |count| of(count).iter().map(|receipt| receipt.at).collect::<Vec<_>>();
        with(vec![first, second], async {
            assert_eq!(times(2), [first, second]);
            assert_eq!(times(1), [first], "one was refused");
        })
        .await;
    }

    #[tokio::test]
    async fn messages_are_with_everybody_when_the_last_of_their_receipts_is_gone() {
        let now = Instant::now();
        let (mut receipts, mut written) = with(vec![now, now], async { of(2) }).await;
        while receipts.pop().is_some() {
            let is_written = written.wait().now_or_never().is_some();
            assert_eq!(is_written, receipts.is_empty());
        }
        assert!(written.wait().now_or_never().is_some(), "it stays so");
        assert!(Written::already().wait().now_or_never().is_some());
    }
}
