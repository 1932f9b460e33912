//! Tokens: the session's id and a signature of it, so that a forged one is refused without a look into the
//! database, and nothing secret has to be stored. Revoking is the session's row's job.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use lobby_domain::ports::{Token, Tokens};
use lobby_domain::session::SessionId;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use uuid::Uuid;

const ID_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 32;

/// Tokens signed with a key derived from `SECRET_KEY`: base64url of the session's id (16 bytes) and its
/// HMAC-SHA-256 (32 bytes), 64 characters in all.
#[derive(Clone)]
pub struct SignedTokens {
    keyed: Hmac<Sha256>,
}

impl SignedTokens {
    /// Derives the signing key. The label keeps it apart from every other key made of the same secret.
    #[must_use]
    pub fn new(secret_key: &SecretString) -> Self {
        let mut derivation = keyed_with(secret_key.expose_secret().as_bytes());
        derivation.update(b"lobby session token v1");
        Self { keyed: keyed_with(&derivation.finalize().into_bytes()) }
    }

    fn signature_of(&self, id: &[u8]) -> Hmac<Sha256> {
        let mut signature = self.keyed.clone();
        signature.update(id);
        signature
    }
}

fn keyed_with(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

impl Tokens for SignedTokens {
    fn issue(&self, session: SessionId) -> Token {
        let id = session.0.as_bytes();
        let mut token = Vec::with_capacity(ID_BYTES + SIGNATURE_BYTES);
        token.extend_from_slice(id);
        token.extend_from_slice(&self.signature_of(id).finalize().into_bytes());
        Token::new(URL_SAFE_NO_PAD.encode(token))
    }

    fn verify(&self, token: &str) -> Option<SessionId> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (id, signature) = bytes.split_first_chunk::<ID_BYTES>()?;
        // Compares in constant time.
        self.signature_of(id).verify_slice(signature).ok()?;
        Some(SessionId(Uuid::from_bytes(*id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: &str) -> SignedTokens {
        SignedTokens::new(&secret.into())
    }

    fn session(number: u128) -> SessionId {
        SessionId(Uuid::from_u128(number))
    }

    #[test]
    fn a_token_proves_its_session_and_is_the_same_each_time() {
        let token = tokens("secret").issue(session(7));
        assert_eq!(token, tokens("secret").issue(session(7)));
        assert_eq!(tokens("secret").verify(token.expose()), Some(session(7)));
        assert_eq!(token.expose().len(), 64);
    }

    #[test]
    fn any_changed_character_makes_it_worthless() {
        let token = tokens("secret").issue(session(7));
        for (at, was) in token.expose().char_indices() {
            let mut forged = token.expose().to_owned();
            forged.replace_range(at..=at, if was == 'A' { "B" } else { "A" });
            assert_eq!(tokens("secret").verify(&forged), None, "{at}");
        }
    }

    #[test]
    fn another_key_or_anything_else_is_refused() {
        let token = tokens("secret").issue(session(7));
        assert_eq!(tokens("Secret").verify(token.expose()), None);
        for junk in
            ["", "x", "=", "….", &token.expose()[..63], &format!("{}A", token.expose()), &"A".repeat(100_000)]
        {
            assert_eq!(tokens("secret").verify(junk), None, "{junk:.10}");
        }
    }

    #[test]
    fn a_token_is_not_shown_by_debug() {
        let token = tokens("secret").issue(session(7));
        assert!(!format!("{token:?}").contains(&token.expose()[..8]));
    }
}
