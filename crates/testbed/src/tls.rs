//! Certificates for servers on the loopback interface.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Files, as servers and clients read them: PEM.
#[derive(Debug)]
pub struct Certificates {
    /// The certificate of the authority that has signed the server's.
    pub authority: PathBuf,
    pub(crate) server: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// Makes an authority of its own, and lets it sign a certificate for `127.0.0.1` and `localhost`; all in this folder.
    #[must_use]
    pub fn make(folder: &Path) -> Self {
        let [authority, server, key] =
            ["authority.pem", "server.pem", "key.pem"].map(|name| folder.join(name));
        let mut params = CertificateParams::new([]).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of the testbed");
        let its_key = KeyPair::generate().expect("there is randomness");
        let its_own = params.self_signed(&its_key).expect("it may sign");
        let issuer = Issuer::new(params, its_key);
        let names = ["127.0.0.1", "localhost"].map(ToOwned::to_owned);
        let params = CertificateParams::new(names).expect("these are names");
        let servers_key = KeyPair::generate().expect("there is randomness");
        let signed = params.signed_by(&servers_key, &issuer).expect("it may sign");
        for (file, text) in
            [(&authority, its_own.pem()), (&server, signed.pem()), (&key, servers_key.serialize_pem())]
        {
            fs::write(file, text).expect("the folder can be written to");
        }
        Self { authority, server, key }
    }
}
