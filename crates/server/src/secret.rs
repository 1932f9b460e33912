//! `SECRET_KEY`: what all tokens are signed with; and `SECRET_KEY_PREVIOUS`, what they were signed with before.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use lobby_infra::signature::SecretKeys;
use secrecy::SecretString;

use crate::environment::Environment;

/// The fewest bytes of a key in production: 256 bits, as many as the signature has.
const MIN_BYTES: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// Production makes none of its own.
    #[error(
        "SECRET_KEY is owed in production: set it, or SECRET_KEY_FILE, to at least {MIN_BYTES} random bytes"
    )]
    Missing,
    /// Each node would make one of its own.
    #[error(
        "SECRET_KEY is owed where the database is no file, since all nodes need the same: set it, or SECRET_KEY_FILE"
    )]
    NotShared,
    /// Easily guessed.
    #[error(
        "{variable} has {bytes} bytes; in production it needs at least {MIN_BYTES}, such as 'openssl rand -hex 32' makes"
    )]
    TooShort {
        /// Which.
        variable: &'static str,
        /// How many it has.
        bytes: usize,
    },
    /// No file, or no permission.
    #[error("the secret key's file '{path}' cannot be used: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Finds the key, `SECRET_KEY`, else the file that `SECRET_KEY_FILE` names, else, in development, a random one kept in
/// `beside`; and the one before it, `SECRET_KEY_PREVIOUS` or `SECRET_KEY_PREVIOUS_FILE`, if there is one.
pub fn secret_keys(environment: &Environment, beside: Option<&Path>) -> Result<SecretKeys, SecretKeyError> {
    Ok(SecretKeys::new(present_key(environment, beside)?, previous_key(environment)?))
}

fn present_key(environment: &Environment, beside: Option<&Path>) -> Result<SecretString, SecretKeyError> {
    match given(environment, "SECRET_KEY", "SECRET_KEY_FILE")? {
        Some(key) => Ok(key),
        None if is_production(environment) => Err(SecretKeyError::Missing),
        None => beside.map_or(Err(SecretKeyError::NotShared), |beside| keep_one(beside).map(Into::into)),
    }
}

fn previous_key(environment: &Environment) -> Result<Option<SecretString>, SecretKeyError> {
    given(environment, "SECRET_KEY_PREVIOUS", "SECRET_KEY_PREVIOUS_FILE")
}

/// The key of a variable, else of the file that another one names.
fn given(
    environment: &Environment,
    variable: &'static str,
    file_variable: &str,
) -> Result<Option<SecretString>, SecretKeyError> {
    let key = match (environment.get(variable), environment.get(file_variable)) {
        (Some(key), _) => key.to_owned(),
        (None, Some(file)) => read(Path::new(file))?,
        (None, None) => return Ok(None),
    };
    let bytes = key.len();
    if bytes < MIN_BYTES && is_production(environment) {
        return Err(SecretKeyError::TooShort { variable, bytes });
    }
    if bytes < MIN_BYTES {
        tracing::warn!(bytes, "{variable} is short: good enough for development only");
    }
    Ok(Some(key.into()))
}

fn is_production(environment: &Environment) -> bool {
    environment.get("LOBBY_ENV") == Some("production")
}

/// The key that was made before, or a new one.
fn keep_one(file: &Path) -> Result<String, SecretKeyError> {
    let key = random_key();
    match create(file, &key) {
        Ok(()) => {
            tracing::warn!(file = %file.display(), "no SECRET_KEY is set: made a random one, good enough for development only");
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(file),
        Err(source) => Err(SecretKeyError::File { path: file.to_owned(), source }),
    }
}

fn create(file: &Path, key: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(key.as_bytes())
}

fn read(file: &Path) -> Result<String, SecretKeyError> {
    let key = fs::read_to_string(file).and_then(|key| match key.trim() {
        "" => Err(std::io::Error::new(ErrorKind::InvalidData, "it is empty")),
        key => Ok(key.to_owned()),
    });
    key.map_err(|source| SecretKeyError::File { path: file.to_owned(), source })
}

#[expect(clippy::disallowed_methods, reason = "a key has to be random; this is the one place that makes one")]
fn random_key() -> String {
    let word = || getrandom::u64().expect("the operating system has randomness");
    format!("{:016x}{:016x}{:016x}{:016x}", word(), word(), word(), word())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    fn key_of<const N: usize>(variables: [(&str, &str); N], beside: &Path) -> Result<String, String> {
        let key = present_key(&Environment::from(variables), Some(beside));
        key.map(|key| key.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_given_key_is_taken_as_it_is() {
        let folder = folder();
        let beside = folder.path().join("lobby.db-key");
        assert_eq!(key_of([("SECRET_KEY", "the original's")], &beside), Ok("the original's".to_owned()));
        let file = folder.path().join("key");
        fs::write(&file, "from a file, with a newline\n").expect("it is written");
        let file = file.to_str().expect("Unicode");
        assert_eq!(
            key_of([("SECRET_KEY_FILE", file)], &beside),
            Ok("from a file, with a newline".to_owned())
        );
        assert!(!beside.exists());
    }

    #[test]
    fn development_makes_one_and_keeps_it_to_itself() {
        let folder = folder();
        let beside = folder.path().join("lobby.db-key");
        let first = key_of([], &beside).expect("a key");
        assert_eq!(first.len(), 64);
        assert_eq!(key_of([], &beside), Ok(first));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&beside).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn production_asks_for_a_long_one() {
        let folder = folder();
        let beside = folder.path().join("lobby.db-key");
        let production = ("LOBBY_ENV", "production");
        assert!(key_of([production], &beside).is_err_and(|error| error.contains("SECRET_KEY is owed")));
        let short = [production, ("SECRET_KEY", "short")];
        assert!(key_of(short, &beside).is_err_and(|error| error.contains("has 5 bytes")));
        let long = "x".repeat(32);
        assert_eq!(key_of([production, ("SECRET_KEY", &long)], &beside), Ok(long.clone()));
        assert!(!beside.exists());
    }

    fn previous_of<const N: usize>(variables: [(&str, &str); N]) -> Result<Option<String>, String> {
        let key = previous_key(&Environment::from(variables)).map_err(|error| error.to_string());
        key.map(|key| key.map(|key| key.expose_secret().to_owned()))
    }

    #[test]
    fn the_previous_key_is_given_like_the_present_one_and_none_is_made() {
        let folder = folder();
        assert_eq!(previous_of([("SECRET_KEY", "present")]), Ok(None));
        assert_eq!(previous_of([("SECRET_KEY_PREVIOUS", "")]), Ok(None));
        assert_eq!(previous_of([("SECRET_KEY_PREVIOUS", "old")]), Ok(Some("old".to_owned())));
        let file = folder.path().join("old-key");
        fs::write(&file, "from a file\n").expect("it is written");
        let file = file.to_str().expect("Unicode");
        assert_eq!(previous_of([("SECRET_KEY_PREVIOUS_FILE", file)]), Ok(Some("from a file".to_owned())));
        let missing = previous_of([("SECRET_KEY_PREVIOUS_FILE", "/no/such/key")]);
        assert!(missing.is_err_and(|error| error.contains("/no/such/key")));
    }

    #[test]
    fn production_asks_for_a_long_previous_key_and_names_the_variable() {
        let production = [("LOBBY_ENV", "production"), ("SECRET_KEY", &"x".repeat(32))];
        assert!(secret_keys(&Environment::from(production), None).is_ok());
        let [environment, present] = production;
        let short = Environment::from([environment, present, ("SECRET_KEY_PREVIOUS", "hush")]);
        let refused = secret_keys(&short, None).expect_err("it is short").to_string();
        assert!(refused.starts_with("SECRET_KEY_PREVIOUS has 4 bytes"), "{refused}");
        let alone = Environment::from([environment, ("SECRET_KEY_PREVIOUS", &"x".repeat(32))]);
        assert!(matches!(secret_keys(&alone, None), Err(SecretKeyError::Missing)));
    }

    #[test]
    fn nodes_that_share_a_database_have_to_be_given_one() {
        let refused = present_key(&Environment::default(), None).map(drop).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("all nodes need the same")));
        assert!(secret_keys(&Environment::from([("SECRET_KEY", "given")]), None).is_ok());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let folder = folder();
        let missing = folder.path().join("missing");
        let path = missing.to_str().expect("Unicode");
        assert!(key_of([("SECRET_KEY_FILE", path)], &missing).is_err_and(|error| error.contains(path)));
        let nowhere = folder.path().join("no/such/folder");
        assert!(key_of([], &nowhere).is_err_and(|error| error.contains("no/such/folder")));
    }
}
