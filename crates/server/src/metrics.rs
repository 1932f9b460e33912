//! Serves the metrics, at an address of their own.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, web};
use lobby_infra::http;
use lobby_infra::metrics::Metrics;
use lobby_websocket::Serving;

use crate::settings::Settings;

/// Whoever scrapes takes milliseconds to read it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Prometheus scrapes every minute, where nobody says otherwise, over one connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A server that answers `GET /metrics` until this is dropped: from before there is a database until everything has ended.
pub struct MetricsServer(ServerHandle);

impl MetricsServer {
    /// Starts it, if the settings say where.
    pub fn start(settings: &Settings, metrics: &Metrics) -> Result<Option<Self>, String> {
        let Some(address) = settings.metrics.listen else { return Ok(None) };
        let started = Self::start_at(address, metrics);
        started.map(Some).map_err(|error| format!("metrics.listen: cannot listen on {address}: {error}"))
    }

    fn start_at(address: SocketAddr, metrics: &Metrics) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let serving = Serving {
            workers: Some(1),
            write_timeout: PATIENCE,
            head_timeout: PATIENCE,
            keep_alive: KEEP_ALIVE,
            shutdown_timeout: PATIENCE,
            tls: None,
            gate: None,
        };
        let metrics = web::Data::new(metrics.clone());
        let app = move || App::new().app_data(metrics.clone()).configure(http::metrics::configure);
        let server = lobby_websocket::serve(listener, &serving, app)?;
        let handle = server.handle();
        tokio::spawn(server);
        tracing::info!(%address, "metrics are served");
        Ok(Self(handle))
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        // It is told at once, and nobody has to be waited for.
        drop(self.0.stop(false));
    }
}
