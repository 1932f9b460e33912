//! When messages came in that are about to be announced.
//!
//! The writer knows when, the hub tells everybody, and between them are the rules, which know of no time. So the writer says it on
//! the side: to whatever is done within its own task, which is where the hub is told.

use tokio::time::Instant;

tokio::task_local! {
    static RECEIVED: Vec<Instant>;
}

/// Does something about messages that have come in then, in their order.
pub(crate) async fn with<T>(received: Vec<Instant>, what: impl Future<Output = T>) -> T {
    RECEIVED.scope(received, what).await
}

/// When so many messages came in, which are those that were not refused. Where some were, it is not known which: then all are said to
/// have come with the first, which makes them a little slower than they are. Nothing if nobody has said it.
pub(crate) fn of(count: usize) -> Vec<Instant> {
    let received = RECEIVED.try_with(|received| match received.iter().min() {
        Some(_) if received.len() == count => received.clone(),
        Some(first) => vec![*first; count],
        None => Vec::new(),
    });
    received.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_told_of_messages_can_ask_when_they_came() {
        let first = Instant::now();
        advance(Duration::from_secs(1)).await;
        let second = Instant::now();
        assert!(of(2).is_empty(), "nobody has said it");
        with(vec![first, second], async {
            assert_eq!(of(2), [first, second]);
            assert_eq!(of(1), [first], "one was refused");
        })
        .await;
    }
}
