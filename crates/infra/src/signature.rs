//! Short texts that nobody but the lobby can make: what they say, and a signature of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Signs with HMAC-SHA-256 (RFC 2104), by a key derived from `SECRET_KEY`.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha256>,
}

impl Signer {
    /// Derives the signing key. The label keeps it apart from every other key made of the same secret.
    #[must_use]
    pub fn new(secret_key: &SecretString, label: &[u8]) -> Self {
        let mut derivation = keyed_with(secret_key.expose_secret().as_bytes());
        derivation.update(label);
        Self { keyed: keyed_with(&derivation.finalize().into_bytes()) }
    }

    /// base64url of `payload` and its signature of 32 bytes.
    #[must_use]
    pub fn sign(&self, payload: &[u8]) -> String {
        let mut signed = payload.to_vec();
        signed.extend_from_slice(&self.signature_of(payload).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(signed)
    }

    /// The payload of `N` bytes, or `None` for anything [`Self::sign`] did not make. Takes the same time wherever a
    /// forgery differs.
    #[must_use]
    pub fn verify<const N: usize>(&self, signed: &str) -> Option<[u8; N]> {
        let bytes = URL_SAFE_NO_PAD.decode(signed).ok()?;
        let (payload, signature) = bytes.split_first_chunk::<N>()?;
        // Compares in constant time.
        self.signature_of(payload).verify_slice(signature).ok()?;
        Some(*payload)
    }

    fn signature_of(&self, payload: &[u8]) -> Hmac<Sha256> {
        let mut signature = self.keyed.clone();
        signature.update(payload);
        signature
    }
}

fn keyed_with(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}
