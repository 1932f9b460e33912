//! Where settings come from, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, ConfigError, File, FileFormat, Value};

use super::{Auth, Cluster, Database, Presence, Settings, Tls};
use crate::environment::Environment;

/// Every setting with its default, unit and reason.
pub const DEFAULTS: &str = include_str!("../../../../config/default.toml");
const DEVELOPMENT: &str = include_str!("../../../../config/development.toml");
const PRODUCTION: &str = include_str!("../../../../config/production.toml");

/// Variables that begin like settings and are none.
const NOT_SETTINGS: [&str; 1] = ["LOBBY_ENV"];

/// Far above what any statement of the lobby takes.
const MAX_STATEMENT: Duration = Duration::from_mins(10);

/// A dead server's users would stay for longer than anybody takes them to be there.
const MAX_LEASE: Duration = Duration::from_mins(10);

/// Ten years are for ever, and far from what can be counted.
const MAX_LIMIT: Duration = Duration::from_hours(10 * 365 * 24);

/// Whoever takes longer than an hour for one request will not get done.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// Settings that are lists; a variable has their items separated by commas.
const LISTS: [&str; 4] =
    ["server.allowed_origins", "names.reserved", "socketio.transports", "limits.trusted_proxies"];

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

/// All settings as they are written, by their names: to see which of them differ. None of it is shown, secrets are among them.
pub struct Values(BTreeMap<String, String>);

impl Values {
    fn of(merged: Config) -> Result<Self, SettingsError> {
        let sections = merged.try_deserialize::<BTreeMap<String, BTreeMap<String, Value>>>();
        let sections = sections.map_err(|error| SettingsError::Invalid(error.to_string()))?;
        let keys = sections.into_iter().flat_map(|(section, keys)| {
            keys.into_iter().map(move |(key, value)| (format!("{section}.{key}"), value.to_string()))
        });
        Ok(Self(keys.collect()))
    }

    /// The names of those that are not the same here and there.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let keys: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        keys.into_iter().filter(|key| self.0.get(*key) != other.0.get(*key)).cloned().collect()
    }

    /// From here on it is the same as there.
    pub fn take(&mut self, key: &str, other: &Self) {
        match other.0.get(key) {
            Some(value) => self.0.insert(key.to_owned(), value.clone()),
            None => self.0.remove(key),
        };
    }
}

impl Settings {
    /// Reads all sources and checks the outcome.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        Self::read(sources).map(|(settings, _)| settings)
    }

    /// The same, and how they are written: of one reading, whatever is done to the files meanwhile.
    pub fn read(sources: &Sources) -> Result<(Self, Values), SettingsError> {
        let merged = merge(sources).map_err(|error| SettingsError::Invalid(error.to_string()))?;
        let values = Values::of(merged.clone());
        let settings: Self = serde_path_to_error::deserialize(merged).map_err(|error| {
            let key = error.path().to_string();
            SettingsError::Invalid(format!("{key}: {}", error.into_inner()))
        })?;
        settings.check()?;
        Ok((settings, values?))
    }

    fn check(&self) -> Result<(), SettingsError> {
        let Self {
            server,
            tls,
            database,
            bus,
            auth,
            names,
            messages,
            presence,
            cluster,
            socketio,
            websocket,
            limits,
            ..
        } = self;
        within("server.workers", server.workers, 0..=1_024)?;
        within("bus.channel", bus.channel.len(), 1..=128)?;
        within("names.max_length", names.max_length, 1..=255)?;
        within("names.min_length", names.min_length, 1..=names.max_length)?;
        within("messages.queue", messages.queue, 1..=1_000_000)?;
        within("presence.snapshot", presence.snapshot, 0..=1_000)?;
        within("cluster.forwards", cluster.forwards, 1..=1_000_000)?;
        within("socketio.max_payload", socketio.max_payload, 1_024..=100_000_000)?;
        within("websocket.max_message", websocket.max_message, 1_024..=100_000_000)?;
        // The largest thing that has to fit is a `session` event: 1,000 users of 255 characters.
        within("websocket.outbox", websocket.outbox, 65_536..=1 << 30)?;
        at_least("server.shutdown_timeout", server.shutdown_timeout, Duration::from_secs(3))?;
        at_least("messages.idempotency", messages.idempotency, Duration::from_mins(1))?;
        check_tls(tls, cluster)?;
        check_timeouts(database)?;
        check_presence(auth, presence)?;
        at_least("websocket.write_timeout", websocket.write_timeout, Duration::from_secs(1))?;
        // Below that the way through a busy machine and a bad network is too long.
        at_least("limits.head_timeout", limits.head_timeout, Duration::from_millis(100))?;
        at_least("limits.body_timeout", limits.body_timeout, Duration::from_millis(100))?;
        // Nodes keep connections to each other for 2 s.
        at_least("limits.keep_alive", limits.keep_alive, Duration::from_secs(3))?;
        for (key, limit) in [
            ("limits.head_timeout", limits.head_timeout),
            ("limits.body_timeout", limits.body_timeout),
            ("limits.keep_alive", limits.keep_alive),
        ] {
            at_most(key, limit, MAX_WAIT)?;
        }
        server.allowed_origins.iter().try_for_each(|origin| check_origin(origin))
    }
}

fn within(
    key: &'static str,
    value: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<(), SettingsError> {
    if range.contains(&value) {
        return Ok(());
    }
    let reason = format!("{value} is not within {} to {}", range.start(), range.end());
    Err(SettingsError::OutOfRange { key, reason })
}

fn at_least(key: &'static str, value: Duration, least: Duration) -> Result<(), SettingsError> {
    if value >= least {
        return Ok(());
    }
    Err(SettingsError::OutOfRange { key, reason: format!("{value:?} is less than {least:?}") })
}

fn at_most(key: &'static str, value: Duration, most: Duration) -> Result<(), SettingsError> {
    if value <= most {
        return Ok(());
    }
    Err(SettingsError::OutOfRange { key, reason: format!("{value:?} is more than {most:?}") })
}

fn check_presence(auth: &Auth, presence: &Presence) -> Result<(), SettingsError> {
    at_least("auth.token_ttl", auth.token_ttl, Duration::from_secs(1))?;
    // Below that a server on a busy machine cannot keep its word.
    at_least("presence.lease", presence.lease, Duration::from_millis(300))?;
    at_most("presence.lease", presence.lease, MAX_LEASE)?;
    for (key, limit) in [
        ("presence.grace", presence.grace),
        ("presence.unconnected", presence.unconnected),
        ("presence.unclaimed", presence.unclaimed),
        ("auth.hold", auth.hold),
        ("auth.token_ttl", auth.token_ttl),
    ] {
        at_most(key, limit, MAX_LIMIT)?;
    }
    Ok(())
}

fn check_tls(tls: &Tls, cluster: &Cluster) -> Result<(), SettingsError> {
    let refused = |key, reason: &str| Err(SettingsError::OutOfRange { key, reason: reason.to_owned() });
    match (&tls.certificate, &tls.key) {
        (Some(_), None) => refused("tls.key", "tls.certificate is set, and needs its key"),
        (None, Some(_)) => refused("tls.certificate", "tls.key is set, and needs its certificate"),
        (Some(_), Some(_)) if cluster.address.is_some() => refused(
            "cluster.address",
            "nodes reach each other without TLS, and with tls.certificate nobody does: have what stands in front of the nodes speak TLS",
        ),
        _ => at_least("tls.handshake_timeout", tls.handshake_timeout, Duration::from_millis(100)),
    }
}

/// A node that waits for a frozen one's lock has to wait for longer than that can hold it.
fn check_timeouts(database: &Database) -> Result<(), SettingsError> {
    let Database { lock_timeout, statement_timeout, idle_in_transaction_timeout: idle, .. } = database;
    // Below that a healthy node is taken for a frozen one.
    at_least("database.idle_in_transaction_timeout", *idle, Duration::from_millis(100))?;
    at_least("database.lock_timeout", *lock_timeout, *idle + Duration::from_millis(100))?;
    at_least("database.statement_timeout", *statement_timeout, *lock_timeout)?;
    at_most("database.statement_timeout", *statement_timeout, MAX_STATEMENT)
}

/// As browsers send it: a scheme and an authority, no path.
fn check_origin(origin: &str) -> Result<(), SettingsError> {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    if authority
        .is_some_and(|authority| !authority.is_empty() && !authority.contains(['/', '?', '#', '*', ' ']))
    {
        return Ok(());
    }
    let reason = format!("'{origin}' is no origin such as 'https://chat.example', without a path");
    Err(SettingsError::OutOfRange { key: "server.allowed_origins", reason })
}

/// A variable that looks like one of ours and is none: a slip, or something that a platform adds by itself.
fn check_names(environment: &Environment) -> Result<(), ConfigError> {
    let ours = |name: &str| name.strip_prefix("LOBBY_").is_some_and(|rest| !rest.contains("__"));
    match environment.iter().find(|(name, _)| ours(name) && !NOT_SETTINGS.contains(name)) {
        Some((name, _)) => Err(ConfigError::Message(format!(
            "the variable {name} is no setting: those have two underscores behind their section, as in \
             LOBBY_SERVER__PORT"
        ))),
        None => Ok(()),
    }
}

fn merge(sources: &Sources) -> Result<Config, ConfigError> {
    check_names(&sources.environment)?;
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
