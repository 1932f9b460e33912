use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The one timer of a connection, made when it is first needed.
#[derive(Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready at `at`.
    ///
    /// A later `at` moves the timer only when it rings, so that a message which postpones a deadline costs nothing.
    pub(crate) fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at || (sleep.is_elapsed() && sleep.deadline() < at) {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker, time::Duration};

    use super::*;

    async fn rings_after(alarm: &mut Alarm, wait: Duration) -> Duration {
        let start = Instant::now();
        poll_fn(|cx| alarm.poll(start + wait, cx)).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_again_and_again() {
        let mut alarm = Alarm::default();
        for seconds in [5, 1, 7] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(rings_after(&mut alarm, wait).await, wait);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_it_was_last_told_to() {
        for (first, last) in [(50, 10), (10, 50), (10, 10)] {
            let (mut alarm, start) = (Alarm::default(), Instant::now());
            let at = |seconds| start + Duration::from_secs(seconds);
            assert!(alarm.poll(at(first), &mut Context::from_waker(Waker::noop())).is_pending());
            poll_fn(|cx| alarm.poll(at(last), cx)).await;
            assert_eq!(Instant::now(), at(last));
        }
    }
}
