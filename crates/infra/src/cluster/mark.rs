use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lobby_domain::presence::Moment;
use sha2::{Digest, Sha256};

use crate::presence::Attendants;
use crate::signature::{SecretKeys, Signer};

/// The header that a mark stands in.
pub(super) const MARK: &str = "lobby-relayed";

/// How old a mark may be, and how far ahead: what is passed on arrives at once, and nodes agree on the time to within the
/// interval of their beats.
const FRESH: Duration = Duration::from_secs(30);

/// Stands for the address of a client that has none.
const NO_CLIENT: &str = "-";

pub(super) type Sha = [u8; 32];

/// A request that is passed on, as far as its mark vouches for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed<'a> {
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) target: &'a str,
}

/// What a good mark says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vouched {
    /// The client's address, as the node saw it that the client came to.
    pub(super) client: Option<SocketAddr>,
    /// The digest of the body.
    pub(super) body: Sha,
}

/// Why a mark does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadMark {
    /// No node has signed it, or it was signed for another request.
    #[error("it was not made by a node for this request")]
    Forged,
    /// It was good once, or will be.
    #[error("it is of another time")]
    Stale,
    /// This node does not know what time it is, and so cannot tell.
    #[error("this node has not been in touch with the database yet")]
    NoTime,
}

/// Makes and checks marks. Clones share the time.
///
/// Time is presence time, as the database's beats give it: the wall clocks of machines may be far apart.
#[derive(Clone)]
pub struct Marks {
    signer: Signer,
    attendants: Attendants,
}

impl Marks {
    /// With keys of their own, made of the secrets.
    #[must_use]
    pub fn new(secrets: &SecretKeys, attendants: Attendants) -> Self {
        Self { signer: Signer::new(secrets, b"lobby relayed request v1"), attendants }
    }

    /// The text of a mark; none before the first beat.
    pub(super) fn make(&self, passed: Passed<'_>, vouched: &Vouched) -> Option<String> {
        self.attendants.presence_time().map(|now| make_at(&self.signer, now, passed, vouched))
    }

    /// What a mark vouches for.
    pub(super) fn check(&self, mark: &str, passed: Passed<'_>) -> Result<Vouched, BadMark> {
        let now = self.attendants.presence_time().ok_or(BadMark::NoTime)?;
        check_at(&self.signer, now, mark, passed)
    }
}

pub(super) fn digest(body: &[u8]) -> Sha {
    Sha256::digest(body).into()
}

fn make_at(signer: &Signer, now: Moment, passed: Passed<'_>, vouched: &Vouched) -> String {
    let time = now.0.to_string();
    let client = vouched.client.map_or_else(|| NO_CLIENT.to_owned(), |client| client.to_string());
    let body = URL_SAFE_NO_PAD.encode(vouched.body);
    let seal = signer.sign(&whole([passed.method, passed.target, &time, &client, &body]));
    format!("{time};{client};{body};{seal}")
}

/// The signature first: whoever has made none learns nothing else.
fn check_at(signer: &Signer, now: Moment, mark: &str, passed: Passed<'_>) -> Result<Vouched, BadMark> {
    let parts: Vec<&str> = mark.split(';').collect();
    let [time, client, body, seal] = parts[..] else { return Err(BadMark::Forged) };
    let said = whole([passed.method, passed.target, time, client, body]);
    // What was verified is what a node has signed; comparing it gives nothing away that is not in the request.
    if signer.verify::<32>(seal) != Some(said) {
        return Err(BadMark::Forged);
    }
    let vouched = parse(client, body).ok_or(BadMark::Forged)?;
    let time = Moment(time.parse().map_err(|_| BadMark::Forged)?);
    if now.since(time).max(time.since(now)) > FRESH {
        return Err(BadMark::Stale);
    }
    Ok(vouched)
}

fn parse(client: &str, body: &str) -> Option<Vouched> {
    let client = if client == NO_CLIENT { None } else { Some(client.parse().ok()?) };
    let body = URL_SAFE_NO_PAD.decode(body).ok()?.try_into().ok()?;
    Some(Vouched { client, body })
}

/// Each part with its length: no two lists of parts come to the same.
fn whole(parts: [&str; 5]) -> Sha {
    let digest = parts.iter().fold(Sha256::new(), |digest, part| {
        digest.chain_update((part.len() as u64).to_be_bytes()).chain_update(part)
    });
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: Passed<'static> = Passed { method: "POST", target: "/socket.io/?sid=a" };
    const NOW: Moment = Moment(1_000_000);

    fn signer(secret: &str) -> Signer {
        Signer::new(&secret.into(), b"a test")
    }

    fn vouched() -> Vouched {
        Vouched { client: Some("[2001:db8::1]:4000".parse().expect("an address")), body: digest(b"body") }
    }

    fn mark() -> String {
        make_at(&signer("secret"), NOW, PASSED, &vouched())
    }

    fn check(mark: &str, passed: Passed<'_>, now: Moment) -> Result<Vouched, BadMark> {
        check_at(&signer("secret"), now, mark, passed)
    }

    #[test]
    fn a_mark_vouches_for_what_it_was_made_of() {
        let nobody = Vouched { client: None, ..vouched() };
        for vouched in [vouched(), nobody] {
            let mark = make_at(&signer("secret"), NOW, PASSED, &vouched);
            assert_eq!(check(&mark, PASSED, NOW), Ok(vouched));
        }
    }

    #[test]
    fn a_mark_is_good_for_one_request_only() {
        for other in [Passed { method: "GET", ..PASSED }, Passed { target: "/socket.io/?sid=b", ..PASSED }] {
            assert_eq!(check(&mark(), other, NOW), Err(BadMark::Forged), "{other:?}");
        }
        // What moves from one part to the next makes another mark.
        let moved = Passed { method: "POST/", target: "socket.io/?sid=a" };
        assert_eq!(check(&mark(), moved, NOW), Err(BadMark::Forged));
    }

    #[test]
    fn whatever_of_a_mark_is_changed_spoils_it() {
        let mark = mark();
        let parts: Vec<&str> = mark.split(';').collect();
        let other =
            make_at(&signer("secret"), NOW, PASSED, &Vouched { client: None, body: digest(b"other") });
        let others: Vec<&str> = other.split(';').collect();
        for changed in [1, 2, 3] {
            let mut parts = parts.clone();
            parts[changed] = others[changed];
            assert_eq!(check(&parts.join(";"), PASSED, NOW), Err(BadMark::Forged), "{changed}");
        }
        let later = mark.replacen("1000000", "1000001", 1);
        let signed_by_another = make_at(&signer("another"), NOW, PASSED, &vouched());
        for forged in ["", ";;;", "1;2;3;4;5", &mark[1..], &later, &signed_by_another, &mark.repeat(2)] {
            assert_eq!(check(forged, PASSED, NOW), Err(BadMark::Forged), "{forged}");
        }
    }

    #[test]
    fn a_mark_does_not_keep() {
        let table = [(-30_001, false), (-30_000, true), (0, true), (30_000, true), (30_001, false)];
        for (later, is_good) in table {
            let checked = check(&mark(), PASSED, Moment(NOW.0 + later));
            assert_eq!(checked, if is_good { Ok(vouched()) } else { Err(BadMark::Stale) }, "{later}");
        }
    }
}
