//! Outboxes that write straight to a socket, and who is at its other end.

use std::{sync::Arc, time::Duration};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{PrivateKeyDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;

use crate::{Outbox, Tls, stream::Stream};

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Secured,
}

pub(crate) const BOTH: [Kind; 2] = [Kind::Plain, Kind::Secured];

pub(crate) trait ReadWrite: AsyncRead + AsyncWrite {}

impl<S: AsyncRead + AsyncWrite> ReadWrite for S {}

/// Who reads. Dropped, it resets the connection.
pub(crate) type Peer = Box<dyn ReadWrite + Unpin>;

/// An outbox whose lane is open, the lane, and the peer.
pub(crate) async fn lane(kind: Kind, limit: usize) -> (Outbox, Stream, Peer) {
    let (stream, peer) = connected(kind).await;
    let outbox = Outbox::with_lane(limit, stream.clone());
    outbox.queue().open_lane();
    (outbox, stream, peer)
}

pub(crate) async fn read(peer: &mut Peer, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    peer.read_exact(&mut read).await.unwrap();
    read
}

async fn connected(kind: Kind) -> (Stream, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (peer, ours) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (peer, ours) = (peer.unwrap(), ours.unwrap().0);
    peer.set_zero_linger().unwrap();
    let patience = Duration::from_secs(20);
    match kind {
        Kind::Plain => (Stream::open(ours, patience, None, None).await.unwrap(), Box::new(peer)),
        Kind::Secured => {
            let (tls, connector) = tls();
            let connecting = connector.connect(ServerName::from(address.ip()), peer);
            let (stream, peer) = tokio::join!(Stream::open(ours, patience, Some(&tls), None), connecting);
            (stream.unwrap(), Box::new(peer.unwrap()))
        }
    }
}

/// Both sides of TLS: a server, and who trusts it.
fn tls() -> (Tls, TlsConnector) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let (certificate, provider) = (cert.der().clone(), Arc::new(default_provider()));
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(server.with_single_cert(vec![certificate.clone()], key).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (Tls { config, handshake_timeout: Duration::from_secs(20) }, TlsConnector::from(Arc::new(client)))
}
