//! Where settings come from, and what is wrong with them.

use std::path::{Path, PathBuf};

use config::{Config, ConfigError, File, FileFormat};

use super::Settings;
use crate::environment::Environment;

/// Every setting with its default, unit and reason.
pub const DEFAULTS: &str = include_str!("../../../../config/default.toml");
const DEVELOPMENT: &str = include_str!("../../../../config/development.toml");
const PRODUCTION: &str = include_str!("../../../../config/production.toml");

/// Variables that begin like settings and are none.
const NOT_SETTINGS: [&str; 1] = ["LOBBY_ENV"];

/// Settings that are lists; a variable has their items separated by commas.
const LISTS: [&str; 2] = ["server.allowed_origins", "names.reserved"];

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Variables.
    pub environment: Environment,
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// `key=value` of flags, which win over everything else.
    pub overrides: Vec<(String, String)>,
}

/// Why the lobby does not start with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// An unknown key, a value of a wrong type, or a file that cannot be read.
    #[error("{0}")]
    Invalid(String),
    /// A value that makes no sense.
    #[error("{key}: {reason}")]
    OutOfRange {
        /// Which setting.
        key: &'static str,
        /// What would be right.
        reason: String,
    },
}

impl Settings {
    /// Reads all sources and checks the outcome.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let merged = merge(sources).map_err(|error| SettingsError::Invalid(error.to_string()))?;
        let settings: Self = serde_path_to_error::deserialize(merged).map_err(|error| {
            let key = error.path().to_string();
            SettingsError::Invalid(format!("{key}: {}", error.into_inner()))
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let rules = [
            (self.names.min_length >= 1, "names.min_length", "has to be at least 1"),
            (
                self.names.min_length <= self.names.max_length,
                "names.min_length",
                "has to be at most names.max_length",
            ),
            (self.names.max_length <= 255, "names.max_length", "has to be at most 255"),
            (self.messages.queue >= 1, "messages.queue", "has to be at least 1"),
            (self.socketio.max_payload >= 1_024, "socketio.max_payload", "has to be at least 1024"),
            (self.websocket.max_message >= 1_024, "websocket.max_message", "has to be at least 1024"),
            (self.websocket.outbox >= 65_536, "websocket.outbox", "has to be at least 65536"),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, key, reason)) => Err(SettingsError::OutOfRange { key, reason: reason.to_owned() }),
            None => Ok(()),
        }
    }
}

fn merge(sources: &Sources) -> Result<Config, ConfigError> {
    let name = sources.environment.get("LOBBY_ENV").unwrap_or("development");
    let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    let own_file = Path::new("config").join(format!("{name}.toml"));
    builder = match name {
        "development" => builder.add_source(File::from_str(DEVELOPMENT, FileFormat::Toml)),
        "production" => builder.add_source(File::from_str(PRODUCTION, FileFormat::Toml)),
        _ => builder.add_source(File::from(own_file)),
    };
    if let Some(file) = &sources.file {
        builder = builder.add_source(File::from(file.as_path()));
    }
    builder = builder.add_source(variables(&sources.environment));
    for (key, value) in &sources.overrides {
        builder = if LISTS.contains(&key.as_str()) {
            builder.set_override(key, value.split(',').collect::<Vec<_>>())?
        } else {
            builder.set_override(key, value.as_str())?
        };
    }
    builder.build()
}

fn variables(environment: &Environment) -> config::Environment {
    let settings = environment
        .iter()
        .filter(|(name, _)| !NOT_SETTINGS.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let variables = config::Environment::with_prefix("LOBBY")
        .prefix_separator("_")
        .separator("__")
        .list_separator(",")
        .try_parsing(true)
        .source(Some(settings));
    LISTS.into_iter().fold(variables, config::Environment::with_list_parse_key)
}
