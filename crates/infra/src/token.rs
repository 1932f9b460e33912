//! Tokens: the session's id and a signature of it, so that a forged one is refused without a look into the
//! database, and nothing secret has to be stored. Revoking is the session's row's job.

use lobby_domain::ports::{Token, Tokens};
use lobby_domain::session::SessionId;
use uuid::Uuid;

use crate::signature::{SecretKeys, Signer};

/// Tokens signed with a key derived from `SECRET_KEY`: base64url of the session's id (16 bytes) and its
/// HMAC-SHA-256 (32 bytes), 64 characters in all.
#[derive(Clone)]
pub struct SignedTokens {
    signer: Signer,
}

impl SignedTokens {
    /// With keys of their own, made of the secrets.
    #[must_use]
    pub fn new(secrets: &SecretKeys) -> Self {
        Self { signer: Signer::new(secrets, b"lobby session token v1") }
    }
}

impl Tokens for SignedTokens {
    fn issue(&self, session: SessionId) -> Token {
        Token::new(self.signer.sign(session.0.as_bytes()))
    }

    fn verify(&self, token: &str) -> Option<SessionId> {
        let id = self.signer.verify(token)?;
        Some(SessionId(Uuid::from_bytes(id)))
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
    fn a_token_of_the_previous_key_proves_its_session_and_a_new_one_is_of_the_present() {
        let rotated = SignedTokens::new(&SecretKeys::new("new".into(), Some("old".into())));
        let old = tokens("old").issue(session(7));
        assert_eq!(rotated.verify(old.expose()), Some(session(7)));
        let new = rotated.issue(session(7));
        assert_eq!(new, tokens("new").issue(session(7)));
        assert_eq!(tokens("new").verify(old.expose()), None);
    }

    #[test]
    fn a_token_is_not_shown_by_debug() {
        let token = tokens("secret").issue(session(7));
        assert!(!format!("{token:?}").contains(&token.expose()[..8]));
    }
}
