//! Where clients come in: the address, and what encrypts connections to it.

use std::net::TcpListener;

use lobby_domain::ports::Clock;
use lobby_infra::clock::SystemClock;
use lobby_websocket::Tls;

use crate::settings::Settings;
use crate::tls::{Certificates, TlsError};

/// Why nobody can come in.
#[derive(Debug, thiserror::Error)]
pub enum Shut {
    /// The address is somebody else's, or none of this machine.
    #[error("server.host and server.port: cannot listen on {host}:{port}: {source}")]
    Address {
        /// `server.host`
        host: String,
        /// `server.port`
        port: u16,
        /// What has happened.
        source: std::io::Error,
    },
    /// No TLS with these files.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The address, bound: from here on clients wait instead of being refused.
#[derive(Debug)]
pub struct Front {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Tls>,
    certificates: Option<Certificates>,
}

impl Front {
    /// As the settings say.
    pub fn open(settings: &Settings) -> Result<Self, Shut> {
        let files = settings.tls.files();
        let certificates = files.map(|files| Certificates::load(&files, SystemClock.now())).transpose()?;
        let tls = certificates.as_ref().map(|certificates| certificates.serve(&settings.tls)).transpose()?;
        let (host, port) = (settings.server.host.as_str(), settings.server.port);
        let listener = TcpListener::bind((host, port)).map_err(|source| Shut::Address {
            host: host.to_owned(),
            port,
            source,
        })?;
        Ok(Self { listener, tls, certificates })
    }

    /// What is shown to whoever connects, where there is TLS.
    #[must_use]
    pub fn certificates(&self) -> Option<Certificates> {
        self.certificates.clone()
    }
}
