//! Environment variables, with those of a `.env` file behind them.

use std::collections::HashMap;
use std::path::Path;

/// Variables by name. The process' own environment is read once and never written.
#[derive(Debug, Clone, Default)]
pub struct Environment(HashMap<String, String>);

/// Why the variables could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the file .env cannot be read: {0}")]
pub struct EnvironmentError(#[from] dotenvy::Error);

impl Environment {
    /// The process' variables; one that is missing there is taken from `.env` in `folder`, if there is one.
    pub fn read(folder: &Path) -> Result<Self, EnvironmentError> {
        let mut variables = HashMap::new();
        let file = folder.join(".env");
        if file.exists() {
            for variable in dotenvy::from_path_iter(file)? {
                let (name, value) = variable?;
                variables.insert(name, value);
            }
        }
        // What is no Unicode is no variable of ours.
        variables.extend(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Ok(Self(variables))
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All variables.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_fills_in_what_the_process_has_not_set() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = "# the original's\nSECRET_KEY=from-the-file\nPATH=from-the-file\nEMPTY=\n";
        std::fs::write(folder.path().join(".env"), file).expect("it is written");
        let environment = Environment::read(folder.path()).expect("it is read");
        assert_eq!(environment.get("SECRET_KEY"), Some("from-the-file"));
        assert_ne!(environment.get("PATH"), Some("from-the-file"));
        assert_eq!(environment.get("EMPTY"), None);
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join(".env"), "SECRET KEY=x\n").expect("it is written");
        let refused = Environment::read(folder.path()).expect_err("it is refused");
        assert!(refused.to_string().contains(".env"), "{refused}");
    }
}
