//! Short texts that nobody but the lobby can make: what they say, and a signature of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The secrets that signing keys are derived from.
#[derive(Debug, Clone)]
pub struct SecretKeys {
    present: SecretString,
    previous: Option<SecretString>,
}

impl SecretKeys {
    /// Signs with `present`; what was signed with `previous` is still good.
    #[must_use]
    pub fn new(present: SecretString, previous: Option<SecretString>) -> Self {
        Self { present, previous }
    }
}

/// A secret that has replaced no other.
impl From<&str> for SecretKeys {
    fn from(present: &str) -> Self {
        Self::new(present.into(), None)
    }
}

/// The length of a [seal](Signer::seal): 32 bytes in base64url.
pub const SEAL_LENGTH: usize = 43;

/// Signs with HMAC-SHA-256 (RFC 2104), by a key derived from `SECRET_KEY`; what was signed by one derived from
/// `SECRET_KEY_PREVIOUS` is still good.
#[derive(Clone)]
pub struct Signer {
    present: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl Signer {
    /// Derives the signing keys. The label keeps them apart from every other key made of the same secrets.
    #[must_use]
    pub fn new(secrets: &SecretKeys, label: &[u8]) -> Self {
        let derived = |secret: &SecretString| {
            let mut derivation = keyed_with(secret.expose_secret().as_bytes());
            derivation.update(label);
            keyed_with(&derivation.finalize().into_bytes())
        };
        Self { present: derived(&secrets.present), previous: secrets.previous.as_ref().map(derived) }
    }

    /// base64url of `payload` and its signature of 32 bytes.
    #[must_use]
    pub fn sign(&self, payload: &[u8]) -> String {
        let mut signed = payload.to_vec();
        signed.extend_from_slice(&mac(&self.present, payload).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(signed)
    }

    /// The payload of `N` bytes, or `None` for anything [`Self::sign`] did not make, now or with the previous key. Takes
    /// the same time wherever a forgery differs, and whichever key a signature is of.
    #[must_use]
    pub fn verify<const N: usize>(&self, signed: &str) -> Option<[u8; N]> {
        let bytes = URL_SAFE_NO_PAD.decode(signed).ok()?;
        let (payload, signature) = bytes.split_first_chunk::<N>()?;
        self.has_signed(payload, signature).then_some(*payload)
    }

    /// base64url, of [`SEAL_LENGTH`], of the signature alone, for what is kept beside it.
    #[must_use]
    pub fn seal(&self, payload: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.present, payload).finalize().into_bytes())
    }

    /// Whether [`Self::seal`] has made this for this payload, now or with the previous key; as careful as [`Self::verify`].
    #[must_use]
    pub fn is_sealed(&self, payload: &[u8], seal: &[u8]) -> bool {
        URL_SAFE_NO_PAD.decode(seal).is_ok_and(|signature| self.has_signed(payload, &signature))
    }

    /// Compares in constant time, and with `|`, which tries every key there is.
    fn has_signed(&self, payload: &[u8], signature: &[u8]) -> bool {
        let signed_with = |key| mac(key, payload).verify_slice(signature).is_ok();
        signed_with(&self.present) | self.previous.as_ref().is_some_and(signed_with)
    }
}

fn mac(key: &Hmac<Sha256>, payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(payload);
    mac
}

fn keyed_with(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &[u8] = b"a test";

    fn signer(present: &str, previous: Option<&str>) -> Signer {
        Signer::new(&SecretKeys::new(present.into(), previous.map(Into::into)), LABEL)
    }

    #[test]
    fn what_the_previous_key_has_signed_is_still_good() {
        let old = signer("old", None).sign(b"payload");
        assert_eq!(signer("new", Some("old")).verify(&old), Some(*b"payload"));
        assert_eq!(signer("new", None).verify::<7>(&old), None);
        assert_eq!(signer("new", Some("older")).verify::<7>(&old), None);
    }

    #[test]
    fn nothing_new_is_signed_with_the_previous_key() {
        let signed = signer("new", Some("old")).sign(b"payload");
        assert_eq!(signed, signer("new", None).sign(b"payload"));
        assert_eq!(signer("new", Some("old")).verify(&signed), Some(*b"payload"));
        assert_eq!(signer("old", None).verify::<7>(&signed), None);
    }

    #[test]
    fn a_payload_of_one_key_and_a_signature_of_the_other_make_nothing() {
        let both = signer("new", Some("old"));
        let bytes = |signed: String| URL_SAFE_NO_PAD.decode(signed).expect("it is base64url");
        let (new, old) = (bytes(both.sign(b"payload")), bytes(signer("old", None).sign(b"another")));
        for mixed in [[&new[..7], &old[7..]].concat(), [&old[..7], &new[7..]].concat(), old[..38].to_vec()] {
            assert_eq!(both.verify::<7>(&URL_SAFE_NO_PAD.encode(mixed)), None);
        }
    }

    #[test]
    fn a_label_keeps_keys_apart_whichever_secret_they_are_of() {
        let old = Signer::new(&"old".into(), b"another").sign(b"payload");
        assert_eq!(signer("old", None).verify::<7>(&old), None);
        assert_eq!(signer("new", Some("old")).verify::<7>(&old), None);
    }

    #[test]
    fn a_seal_is_good_for_what_it_was_made_for_now_and_with_the_previous_key() {
        let old = signer("old", None).seal(b"payload");
        assert_eq!(old.len(), SEAL_LENGTH);
        for (signer, is_good) in [
            (signer("old", None), true),
            (signer("new", Some("old")), true),
            (signer("new", None), false),
            (signer("new", Some("older")), false),
        ] {
            assert_eq!(signer.is_sealed(b"payload", old.as_bytes()), is_good);
            assert!(!signer.is_sealed(b"payloads", old.as_bytes()));
            assert!(!signer.is_sealed(b"payload", &old.as_bytes()[..42]));
            assert!(!signer.is_sealed(b"payload", b""));
        }
    }

    #[test]
    fn secrets_are_not_shown_by_debug() {
        let secrets = SecretKeys::new("hush".into(), Some("hush before".into()));
        assert!(!format!("{secrets:?}").contains("hush"));
    }
}
