//! Environment variables, with those of a `.env` file behind them.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

/// Variables by name. The process' own environment is read once and never written.
#[derive(Debug, Clone, Default)]
pub struct Environment(HashMap<String, String>);

/// Why the variables could not be read. The line is not shown: it may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// No permission, or no text.
    #[error("the file .env cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// A line that is no variable.
    #[error("the file .env has no NAME=VALUE in line {0}")]
    Line(usize),
}

impl Environment {
    /// The process' variables; one that is missing there is taken from `.env` in `folder`, if there is one.
    pub fn read(folder: &Path) -> Result<Self, EnvironmentError> {
        let mut variables = match std::fs::read_to_string(folder.join(".env")) {
            Ok(file) => parse(&file)?,
            Err(error) if error.kind() == ErrorKind::NotFound => HashMap::new(),
            Err(error) => return Err(error.into()),
        };
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

/// The lines of a `.env` file, as the original's python-dotenv reads them, but nothing is expanded: a `$` in a secret
/// is a `$`.
fn parse(file: &str) -> Result<HashMap<String, String>, EnvironmentError> {
    let lines = file.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let variables = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    variables.map(|(number, line)| variable(line).ok_or(EnvironmentError::Line(number))).collect()
}

fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| (name.to_owned(), unquoted(value).to_owned()))
}

/// What is between quotes, else everything up to a comment.
fn unquoted(value: &str) -> &str {
    let quoted = |quote: char| value.strip_prefix(quote)?.split(quote).next();
    match quoted('"').or_else(|| quoted('\'')) {
        Some(inside) => inside,
        None => value.split(" #").next().unwrap_or_default().trim_end(),
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
    fn values_are_taken_as_they_are_written() {
        for (line, value) in [
            ("SECRET_KEY=correct horse battery staple", "correct horse battery staple"),
            ("SECRET_KEY=p4ss$word${HOME}", "p4ss$word${HOME}"),
            ("SECRET_KEY=it's-a-secret", "it's-a-secret"),
            ("export SECRET_KEY = spaced # a comment", "spaced"),
            ("SECRET_KEY=with#inside", "with#inside"),
            ("SECRET_KEY=\"quoted # and more\" # a comment", "quoted # and more"),
            ("SECRET_KEY='single'", "single"),
            ("SECRET_KEY=a=b==", "a=b=="),
        ] {
            let variables = parse(line).expect("a good line");
            assert_eq!(variables.get("SECRET_KEY").map(String::as_str), Some(value), "{line}");
        }
    }

    #[test]
    fn a_line_that_makes_no_sense_is_refused_by_its_number_alone() {
        for line in ["SECRET KEY=hush", "hush", "=hush", "my-hush"] {
            let refused = parse(&format!("# a comment\n\n{line}\n")).expect_err("it is refused").to_string();
            assert!(refused.contains("line 3") && !refused.contains("hush"), "{refused}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join(".env"), [0xff, 0xfe]).expect("it is written");
        let refused = Environment::read(folder.path()).expect_err("it is refused");
        assert!(refused.to_string().contains(".env"), "{refused}");
    }
}
