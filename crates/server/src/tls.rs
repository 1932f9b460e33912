//! TLS: the certificate and its key, which can be changed while the lobby runs.
//!
//! Invariant: what is in the key's file is in no sentence and in no log.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use lobby_domain::ports::Clock;
use lobby_domain::timestamp::Timestamp;
use lobby_infra::clock::SystemClock;
use lobby_websocket::Tls;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::reload::{Prepared, Reloadable};
use crate::settings;

/// All that is spoken: over HTTP/2 there would be no socket, and browsers that are offered both open one connection more for theirs.
const PROTOCOL: &[u8] = b"http/1.1";

/// Why there is no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No such file, no permission, or no PEM.
    #[error("{setting}: the file '{file}' cannot be read: {why}")]
    Unreadable {
        /// `tls.certificate` or `tls.key`.
        setting: &'static str,
        /// Which file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file of something else.
    #[error(
        "tls.certificate: there is no certificate in '{0}': it has to have PEM sections 'CERTIFICATE', the server's own first"
    )]
    NoCertificate(String),
    /// The same of the key.
    #[error(
        "tls.key: there is no private key in '{0}': it has to have a PEM section 'PRIVATE KEY' without a passphrase"
    )]
    NoKey(String),
    /// A certificate that makes no sense.
    #[error("tls.certificate: the certificate in '{0}' is not understood: {1}")]
    BadCertificate(String, String),
    /// A key of a kind that is not spoken.
    #[error(
        "tls.key: the key in '{0}' is of no kind that can be used here: an RSA key of at least 2048 bits, ECDSA P-256 or P-384, Ed25519"
    )]
    BadKey(String),
    /// Two files that do not belong together.
    #[error("tls.key: the key in '{key}' is not that of the certificate in '{certificate}'")]
    Mismatch {
        /// The file of the certificate.
        certificate: String,
        /// The file of the key.
        key: String,
    },
    /// Nobody would connect.
    #[error(
        "tls.certificate: the certificate in '{file}' is good from {from} until {until}, and now is {now}"
    )]
    OutOfTime {
        /// Which file.
        file: String,
        /// Its first moment.
        from: String,
        /// Its last.
        until: String,
        /// Now.
        now: String,
    },
    /// No randomness.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// What the lobby shows to whoever connects. Clones are the same.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Shown>);

struct Shown {
    /// A std lock: it is held to take or to put a pointer.
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads both files, and checks that they can be used now.
    pub fn load(files: &settings::Files, now: Timestamp) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(Shown { current: RwLock::new(read(files, now)?) })))
    }

    /// TLS 1.2 and 1.3 with this certificate. Who comes back is known by a ticket, which the server does not keep: it is encrypted with a
    /// key in memory that changes every few hours. What is sent before the handshake is done (0-RTT), and could be sent again by somebody
    /// else, is not taken.
    pub fn serve(&self, settings: &settings::Tls) -> Result<Tls, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = builder.with_cert_resolver(self.0.clone());
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.ticketer = Ticketer::new()?;
        Ok(Tls { config: Arc::new(config), handshake_timeout: settings.handshake_timeout })
    }
}

/// Both files are read again. Whoever connects from then on is shown the new certificate; connections that are there go on as they are. If there
/// is anything wrong with the new one, the old one stays.
impl Reloadable for Certificates {
    fn keys(&self) -> &'static [&'static str] {
        &["tls.certificate", "tls.key"]
    }

    fn prepare<'a>(&'a self, settings: &settings::Settings) -> Result<Prepared<'a>, String> {
        let files = settings.tls.files();
        let files = files.ok_or("tls.certificate: TLS is not ended while the lobby runs")?;
        let new = read(&files, SystemClock.now()).map_err(|error| error.to_string())?;
        Ok(Box::new(move || *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = new))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn read(files: &settings::Files, now: Timestamp) -> Result<Arc<CertifiedKey>, TlsError> {
    let (certificate, key) = (shown(&files.certificate), shown(&files.key));
    let unreadable = |setting, file: &str| {
        let file = file.to_owned();
        move |error| TlsError::Unreadable { setting, file, why: sentence(&error) }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable("tls.certificate", &certificate))?;
    let own = chain.first().ok_or_else(|| TlsError::NoCertificate(certificate.clone()))?;
    check_time(own, &certificate, now)?;
    let its_key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey(key.clone()),
        error => unreadable("tls.key", &key)(error),
    })?;
    match CertifiedKey::from_der(chain, its_key, &default_provider()) {
        Ok(pair) => Ok(Arc::new(pair)),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Mismatch { certificate, key })
        }
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(TlsError::BadCertificate(certificate, format!("{error:?}")))
        }
        Err(_) => Err(TlsError::BadKey(key)),
    }
}

/// What is wrong with a file. The library's own sentences quote the file where its lines are not what they should be, as in a key whose
/// line breaks have been lost.
fn sentence(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::MissingSectionEnd { .. } => "a PEM section has no line that ends it".to_owned(),
        pem::Error::IllegalSectionStart { .. } => {
            "a PEM section begins with more than a line '-----BEGIN …-----'".to_owned()
        }
        pem::Error::Base64Decode(_) => "what is in a PEM section is no base64".to_owned(),
        _ => "it is no PEM".to_owned(),
    }
}

fn check_time(own: &CertificateDer<'_>, file: &str, now: Timestamp) -> Result<(), TlsError> {
    let (_, parsed) = X509Certificate::from_der(own)
        .map_err(|error| TlsError::BadCertificate(file.to_owned(), error.to_string()))?;
    let (from, until) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    let now = now.as_millis() / 1_000;
    if (from..=until).contains(&now) {
        return Ok(());
    }
    let [from, until, now] = [from, until, now].map(date);
    Err(TlsError::OutOfTime { file: file.to_owned(), from, until, now })
}

/// Nothing is older than 1970 that is told here.
fn date(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string()
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}
