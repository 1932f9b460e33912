//! Logs, to standard error.
//!
//! Invariant: an entry is one line, whatever is in it: what a client has sent cannot begin another, nor tell a terminal what to
//! do.

mod escape;

use std::io::IsTerminal;

use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::{self, format};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use self::escape::{Escaped, JsonLines};
use crate::reload::{Prepared, Reloadable};
use crate::settings::{Log, LogFormat, Settings, SettingsError};

/// What is logged, which can be changed while the lobby runs.
pub struct LogLevel(reload::Handle<EnvFilter, Registry>);

type Entries = Box<dyn Layer<Filtered> + Send + Sync>;
type Filtered = tracing_subscriber::layer::Layered<reload::Layer<EnvFilter, Registry>, Registry>;

/// Starts logging. Once a process; the binary's business, never a library's.
pub fn init(log: &Log) -> Result<LogLevel, SettingsError> {
    let (filter, handle) = reload::Layer::new(filter(log)?);
    let entries = match log.format {
        LogFormat::Text => text(),
        LogFormat::Json => json(),
    };
    let started = tracing_subscriber::registry().with(filter).with(entries).try_init();
    started.map_err(|error| SettingsError::Invalid(format!("logging cannot be started: {error}")))?;
    Ok(LogLevel(handle))
}

fn text() -> Entries {
    let fields = format::debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{}", Escaped(value)),
        name => write!(writer, "{name}={}", Escaped(value)),
    });
    let ansi = std::io::stderr().is_terminal();
    fmt::layer().fmt_fields(fields.delimited(" ")).with_writer(std::io::stderr).with_ansi(ansi).boxed()
}

fn json() -> Entries {
    fmt::layer().json().flatten_event(true).with_writer(|| JsonLines(std::io::stderr())).boxed()
}

fn filter(log: &Log) -> Result<EnvFilter, SettingsError> {
    EnvFilter::try_new(&log.level)
        .map_err(|error| SettingsError::OutOfRange { key: "log.level", reason: error.to_string() })
}

impl Reloadable for LogLevel {
    fn keys(&self) -> &'static [&'static str] {
        &["log.level"]
    }

    fn prepare<'a>(&'a self, settings: &Settings) -> Result<Prepared<'a>, String> {
        let filter = filter(&settings.log).map_err(|error| error.to_string())?;
        Ok(Box::new(move || {
            if let Err(error) = self.0.reload(filter) {
                tracing::error!(%error, "log.level stays as it is");
            }
        }))
    }
}
