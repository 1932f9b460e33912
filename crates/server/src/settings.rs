//! Everything that can be set. `config/default.toml`, which is inside the binary, says what each means.

mod limits;
mod load;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use limits::{Limits, Proxies};
pub use load::{DEFAULTS, SettingsError, Sources, Values};
use lobby_infra::bus::redis::Address;
use lobby_infra::cluster;
use serde::{Deserialize, Deserializer, de};

/// All settings, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where and how to serve.
    pub server: Server,
    /// What encrypts connections.
    pub tls: Tls,
    /// Where the data is.
    pub database: Database,
    /// Where nodes hear of each other.
    pub bus: Bus,
    /// Who needs a token.
    pub auth: Auth,
    /// Which names are allowed.
    pub names: Names,
    /// The way of a message into the log.
    pub messages: Messages,
    /// Who is online.
    pub presence: Presence,
    /// Other servers for the same clients.
    pub cluster: Cluster,
    /// Socket.IO's own settings.
    pub socketio: SocketIo,
    /// The plain WebSocket, and what all sockets share.
    pub websocket: WebSocket,
    /// How much anybody may do.
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
    /// What operators see.
    pub metrics: Metrics,
}

/// `server`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub workers: usize,
    #[serde(deserialize_with = "list")]
    pub allowed_origins: Vec<String>,
    #[serde(deserialize_with = "duration")]
    pub shutdown_timeout: Duration,
}

/// `tls`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Tls {
    #[serde(deserialize_with = "file_or_none")]
    pub certificate: Option<PathBuf>,
    #[serde(deserialize_with = "file_or_none")]
    pub key: Option<PathBuf>,
    #[serde(deserialize_with = "duration")]
    pub handshake_timeout: Duration,
}

/// The files of a certificate and of its key.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Tls {
    /// Both files, where there is TLS.
    #[must_use]
    pub fn files(&self) -> Option<Files> {
        Some(Files { certificate: self.certificate.clone()?, key: self.key.clone()? })
    }
}

/// `database`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Database {
    pub url: String,
    pub durability: Durability,
    #[serde(deserialize_with = "duration")]
    pub lock_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub statement_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub idle_in_transaction_timeout: Duration,
}

/// `database.durability`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub enum Durability {
    Full,
    Normal,
}

/// `bus`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Bus {
    #[serde(deserialize_with = "bus_or_none")]
    pub url: Option<Address>,
    pub channel: String,
}

/// `auth`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Auth {
    pub mode: AuthMode,
    pub secure_cookie: bool,
    #[serde(deserialize_with = "duration")]
    pub hold: Duration,
    #[serde(deserialize_with = "duration")]
    pub token_ttl: Duration,
}

/// `auth.mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub enum AuthMode {
    Open,
    Token,
}

/// `names`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Names {
    pub min_length: usize,
    pub max_length: usize,
    #[serde(deserialize_with = "list")]
    pub reserved: Vec<String>,
}

/// `messages`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Messages {
    pub queue: usize,
    #[serde(deserialize_with = "duration_or_none")]
    pub keep_for: Option<Duration>,
    #[serde(deserialize_with = "number_or_none")]
    pub keep_at_most: Option<u64>,
    #[serde(deserialize_with = "duration")]
    pub idempotency: Duration,
}

/// `presence`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Presence {
    #[serde(deserialize_with = "duration")]
    pub grace: Duration,
    #[serde(deserialize_with = "duration")]
    pub unconnected: Duration,
    #[serde(deserialize_with = "duration")]
    pub unclaimed: Duration,
    #[serde(deserialize_with = "duration")]
    pub lease: Duration,
    pub snapshot: usize,
}

/// `cluster`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Cluster {
    #[serde(deserialize_with = "address_or_none")]
    pub address: Option<cluster::Address>,
    pub forwards: usize,
}

/// `socketio`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct SocketIo {
    pub transports: Vec<Transport>,
    #[serde(deserialize_with = "duration")]
    pub ping_interval: Duration,
    #[serde(deserialize_with = "duration")]
    pub ping_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub upgrade_timeout: Duration,
    pub max_payload: usize,
}

/// `socketio.transports`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub enum Transport {
    Polling,
    WebSocket,
}

/// `websocket`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct WebSocket {
    pub max_message: usize,
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub ping_interval: Duration,
    #[serde(deserialize_with = "duration")]
    pub ping_timeout: Duration,
    pub outbox: usize,
    #[serde(deserialize_with = "duration")]
    pub write_timeout: Duration,
}

/// `log`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub enum LogFormat {
    Text,
    Json,
}

/// `metrics`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each means")]
pub struct Metrics {
    #[serde(deserialize_with = "listen_or_none")]
    pub listen: Option<SocketAddr>,
}

/// Says that there is no bound.
const NONE: &str = "none";

/// A duration such as `250ms`, `10s` or `5m`, longer than nothing.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?)
}

/// The same, or `none`.
fn duration_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        NONE => Ok(None),
        text => parse_duration(text).map(Some),
    }
}

/// Where a file is, or `none`.
fn file_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        NONE => Ok(None),
        "" => Err(de::Error::custom(format!("it is neither the name of a file nor '{NONE}'"))),
        file => Ok(Some(file.into())),
    }
}

/// Where a bus is, or `none`. The text may have a password in it, so what is wrong with it is told without it.
fn bus_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        NONE => Ok(None),
        url => Address::parse(url).map(Some).map_err(de::Error::custom),
    }
}

/// A whole number from 1, or `none`.
fn number_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.parse() {
        _ if text == NONE => Ok(None),
        Ok(number) if number > 0 => Ok(Some(number)),
        Ok(_) | Err(_) => {
            Err(de::Error::custom(format!("'{text}' is neither a whole number from 1 nor '{NONE}'")))
        }
    }
}

/// Where to listen, or `none`.
fn listen_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        NONE => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            de::Error::custom(format!("'{text}' is neither an address such as '127.0.0.1:9464' nor '{NONE}'"))
        }),
    }
}

/// Where a node is reached, or `none`.
fn address_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<cluster::Address>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        NONE => Ok(None),
        text => text.parse().map(Some).map_err(de::Error::custom),
    }
}

fn parse_duration<E: de::Error>(text: &str) -> Result<Duration, E> {
    let wrong = |why: &dyn std::fmt::Display| {
        E::custom(format!("'{text}' is no duration such as '250ms', '10s' or '5m': {why}"))
    };
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(wrong(&"it has to be longer than nothing")),
        Ok(duration) => Ok(duration),
        Err(error) => Err(wrong(&error)),
    }
}

/// Texts without white space around them, which variables and flags have behind their commas.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let items = Vec::<String>::deserialize(deserializer)?;
    let items = items.iter().map(|item| match item.trim() {
        "" => Err(de::Error::custom("an item of the list is empty")),
        item => Ok(item.to_owned()),
    });
    items.collect()
}
