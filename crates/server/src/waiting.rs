//! Opens the database, and waits for one that is away: listening, alive, and not ready.

use std::pin::pin;
use std::time::Duration;

use actix_web::App;
use actix_web::dev::ServerHandle;
use lobby_infra::http;
use lobby_infra::persistence::{OpenStoreError, Store, StoreSettings};
use lobby_websocket::Serving;
use tokio::time::{sleep, timeout};

use crate::front::Front;

/// How long the database may take before clients are told to wait: mostly it is there, and nobody has to be told anything.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Between two attempts: at first, and at most. A database is up within seconds, and a refused connection costs nothing.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long somebody who is being told to wait may take to hear it, and how long they may take nothing of it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why nothing more is waited for.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// It does not pass.
    #[error(transparent)]
    Database(#[from] OpenStoreError),
    /// Clients cannot be told to wait.
    #[error("clients cannot be told to wait for the database: {0}")]
    Listening(#[from] std::io::Error),
}

/// Opens the database, however long it is away. Meanwhile `/health/live` is answered with 200, and all else with 503.
pub async fn open(settings: &StoreSettings, front: &Front) -> Result<Store, NotOpened> {
    let mut opening = pin!(keep_trying(settings));
    if let Ok(opened) = timeout(AT_ONCE, &mut opening).await {
        return Ok(opened?);
    }
    let database = settings.shown();
    tracing::warn!(database, "waiting for the database: this node listens, is not ready, and goes on trying");
    let room = WaitingRoom::open(front)?;
    let opened = opening.await;
    room.close().await;
    Ok(opened?)
}

async fn keep_trying(settings: &StoreSettings) -> Result<Store, OpenStoreError> {
    let (mut pause, mut last) = (PAUSE, None);
    loop {
        let error = match Store::open(settings).await {
            Ok(store) => return Ok(store),
            Err(error) if error.may_pass() => error.to_string(),
            Err(error) => return Err(error),
        };
        // Once for each reason, not for each attempt.
        if last.as_ref() != Some(&error) {
            tracing::warn!(%error, "the database is away");
        }
        last = Some(error);
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A server for those who come too early.
struct WaitingRoom(ServerHandle);

impl WaitingRoom {
    fn open(front: &Front) -> std::io::Result<Self> {
        let serving = Serving {
            workers: Some(1),
            write_timeout: LAST_WORDS,
            head_timeout: LAST_WORDS,
            keep_alive: LAST_WORDS,
            shutdown_timeout: LAST_WORDS,
            tls: front.tls.clone(),
            gate: None,
        };
        let app = || App::new().configure(http::configure_waiting);
        let server = lobby_websocket::serve(front.listener.try_clone()?, &serving, app)?;
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self(handle))
    }

    /// Whoever comes from here on waits for the next server on the same address.
    async fn close(self) {
        self.0.stop(true).await;
    }
}
