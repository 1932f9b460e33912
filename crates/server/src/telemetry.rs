//! Logs, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{Log, LogFormat, SettingsError};

/// Starts logging. Once a process; the binary's business, never a library's.
pub fn init(log: &Log) -> Result<(), SettingsError> {
    let filter = EnvFilter::try_new(&log.level)
        .map_err(|error| SettingsError::OutOfRange { key: "log.level", reason: error.to_string() })?;
    let stderr = std::io::stderr;
    let builder = fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal());
    let started = match log.format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    started.map_err(|error| SettingsError::Invalid(format!("logging cannot be started: {error}")))
}
