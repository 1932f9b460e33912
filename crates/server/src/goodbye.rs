//! How a server stops serving: nobody is turned away without a word who could be told one.

use std::net::TcpListener;
use std::time::Duration;

use actix_socketio::SocketIo;
use actix_web::dev::ServerHandle;
use lobby_infra::cluster::Relay;
use lobby_infra::realtime::hub::Hub;
use tokio::time::{sleep, timeout};

/// actix does not say when it has ceased to accept connections. It takes a moment of some microseconds; should it take longer, all that comes
/// of it is a line in the log.
const CEASING: Duration = Duration::from_millis(20);

/// What is kept for committing what is queued, after the workers have gone.
const COMMITTING: Duration = Duration::from_secs(2);

/// What the workers have at least.
const LEAST_TO_LEAVE: Duration = Duration::from_secs(1);

/// How the time for a shutdown is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Telling everybody.
    telling: Duration,
    /// Waiting for answers to those who wait for one, and then for clients to come for the last words.
    waiting: Duration,
    /// Until then the workers have to be gone.
    pub(crate) leaving: Duration,
}

/// What says goodbye, and to whom.
pub(crate) struct Goodbye<'a> {
    pub(crate) server: ServerHandle,
    /// The one that the server listens to.
    pub(crate) listener: TcpListener,
    pub(crate) hub: &'a Hub,
    pub(crate) socketio: &'a SocketIo,
    pub(crate) relay: Option<&'a Relay>,
    pub(crate) schedule: Schedule,
}

impl Schedule {
    pub(crate) fn of(shutdown_timeout: Duration) -> Self {
        let (telling, waiting) = (shutdown_timeout / 5, shutdown_timeout / 10);
        let leaving = shutdown_timeout.saturating_sub(telling + 2 * waiting + COMMITTING).max(LEAST_TO_LEAVE);
        Self { telling, waiting, leaving }
    }
}

impl Goodbye<'_> {
    /// Connections that are there are served until they have been told; then requests that are under way are, and the workers end.
    pub(crate) async fn say(self) {
        let Schedule { telling, waiting, .. } = self.schedule;
        self.server.pause().await;
        sleep(CEASING).await;
        lobby_websocket::refuse(self.listener);
        if timeout(telling + waiting, self.hub.say_goodbye(telling)).await.is_err() {
            tracing::warn!("connections are closed that still wait for an answer");
            self.hub.close_all().await;
        }
        // Those that are no members of the hub yet.
        self.socketio.shut_down();
        // Those that belong to other nodes.
        if let Some(relay) = self.relay {
            relay.stop();
        }
        // Who polls comes for the last words by a request of its own, for which the server has to be there. Who does not come has had the time.
        let _late = timeout(waiting, self.socketio.emptied()).await;
        self.server.stop(true).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_done_fits_into_the_time_for_it() {
        for seconds in [3, 5, 10, 60, 3_600] {
            let whole = Duration::from_secs(seconds);
            let Schedule { telling, waiting, leaving } = Schedule::of(whole);
            assert!(CEASING + telling + 2 * waiting + leaving < whole, "{seconds}");
            assert!(leaving >= LEAST_TO_LEAVE);
        }
        assert_eq!(Schedule::of(Duration::from_secs(10)).leaving, Duration::from_secs(4));
    }
}
