//! Settings that are taken while the lobby runs: on SIGHUP all sources are read again.
//!
//! Whatever can be changed at run time is a [`Reloadable`], put on the list in `cli`. All of them are asked first whether
//! they can take what there is to take; if one cannot, or if the settings are wrong, nothing changes. What differs and is nobody's
//! on the list is named in the log: it counts from the next start on.

use std::path::Path;

use crate::environment::{Environment, EnvironmentError};
use crate::settings::{Settings, SettingsError, Sources, Values};

/// The step that puts something into force, which does not fail.
pub type Prepared<'a> = Box<dyn FnOnce() + 'a>;

/// Something that takes its settings also while the lobby runs.
pub trait Reloadable: Send + Sync {
    /// The settings that it takes, as in `log.level`.
    fn keys(&self) -> &'static [&'static str];

    /// Looks whether it can take these, files that they name included, and changes nothing yet. It is asked whether or not its settings
    /// differ: a file of the same name may have other content. An error is a sentence that names the setting.
    fn prepare<'a>(&'a self, settings: &Settings) -> Result<Prepared<'a>, String>;
}

/// What is read again, and who takes it.
pub struct Reload {
    sources: Sources,
    /// As they are in force.
    values: Values,
    reloadables: Vec<Box<dyn Reloadable>>,
}

/// Why everything stays as it was.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Reloadable(String),
}

impl Reload {
    /// Of the sources with which the lobby was started, and what was read from them.
    #[must_use]
    pub fn new(sources: Sources, values: Values) -> Self {
        Self { sources, values, reloadables: Vec::new() }
    }

    /// Puts something on the list.
    #[must_use]
    pub fn with(mut self, reloadable: impl Reloadable + 'static) -> Self {
        self.reloadables.push(Box::new(reloadable));
        self
    }

    /// Reads all sources again, and says in the log what came of it.
    pub fn reload(&mut self) {
        match self.try_reload() {
            Ok(Changes { taken, waiting }) if waiting.is_empty() => {
                tracing::info!(changed = taken.join(", "), "the settings were read again");
            }
            Ok(Changes { taken, waiting }) => tracing::warn!(
                changed = taken.join(", "),
                waiting = waiting.join(", "),
                "the settings were read again; some have changed that count from the next start on"
            ),
            Err(error) => tracing::error!(%error, "the settings stay as they are"),
        }
    }

    fn try_reload(&mut self) -> Result<Changes, Refused> {
        self.sources.environment = Environment::read(Path::new("."))?;
        let (settings, values) = Settings::read(&self.sources)?;
        let prepared: Result<Vec<_>, _> =
            self.reloadables.iter().map(|reloadable| reloadable.prepare(&settings)).collect();
        for step in prepared.map_err(Refused::Reloadable)? {
            step();
        }
        let is_taken = |key: &str| self.reloadables.iter().any(|taker| taker.keys().contains(&key));
        let (taken, waiting): (Vec<_>, Vec<_>) =
            self.values.differing(&values).into_iter().partition(|key| is_taken(key));
        for key in &taken {
            self.values.take(key, &values);
        }
        Ok(Changes { taken, waiting })
    }
}

/// Which settings differ from those in force.
struct Changes {
    taken: Vec<String>,
    waiting: Vec<String>,
}

/// Reloads as often as the process gets SIGHUP. It is not missed from here on, nor does it end the process.
#[cfg(unix)]
pub fn on_hangup(mut reload: Reload) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup())?;
    // It goes on for as long as the process, whatever becomes of the lobby.
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reload = match tokio::task::spawn_blocking(move || with_reloaded(reload)).await {
                Ok(reload) => reload,
                Err(error) => return tracing::error!(%error, "the settings are not read again any more"),
            };
        }
    });
    Ok(())
}

/// There is no such signal.
#[cfg(not(unix))]
pub fn on_hangup(_: Reload) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn with_reloaded(mut reload: Reload) -> Reload {
    reload.reload();
    reload
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes `log.level`, if it is not `trace`.
    #[derive(Clone, Default)]
    struct Level(Arc<Mutex<Vec<String>>>);

    impl Reloadable for Level {
        fn keys(&self) -> &'static [&'static str] {
            &["log.level"]
        }

        fn prepare<'a>(&'a self, settings: &Settings) -> Result<Prepared<'a>, String> {
            let level = settings.log.level.clone();
            if level == "trace" {
                return Err("log.level: too much".to_owned());
            }
            Ok(Box::new(move || self.0.lock().expect("nothing panics").push(level)))
        }
    }

    #[test]
    fn what_is_on_the_list_is_taken_and_all_else_waits_for_the_next_start() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("own.toml");
        let write = |level: &str, rest: &str| {
            fs::write(&file, format!("[log]\nlevel = \"{level}\"\n{rest}")).expect("it is written");
        };
        write("info", "[server]\nworkers = 1\n");
        let sources = Sources { file: Some(file.clone()), ..Sources::default() };
        let (first, second) = (Level::default(), Level::default());
        let (_, values) = Settings::read(&sources).expect("good settings");
        let mut reload = Reload::new(sources, values).with(first.clone()).with(second.clone());
        let mut differing = || reload.try_reload().map(|Changes { taken, waiting }| (taken, waiting));
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();

        write("debug", "[server]\nworkers = 2\n");
        let expected = (owned(&["log.level"]), owned(&["server.workers"]));
        assert_eq!(differing().expect("good settings"), expected);
        // What was taken is in force, and what waits still does.
        assert_eq!(differing().expect("good settings"), (owned(&[]), owned(&["server.workers"])));
        write("warn", "[server]\nworkers = 1\n");
        assert_eq!(differing().expect("good settings"), (owned(&["log.level"]), owned(&[])));

        for (level, rest) in
            [("error", "[sever]\nworkers = 1\n"), ("error", "[server]\nport = -1\n"), ("trace", "")]
        {
            write(level, rest);
            assert!(differing().is_err(), "{level} {rest}");
        }
        for taker in [&first, &second] {
            assert_eq!(*taker.0.lock().expect("nothing panics"), ["debug", "debug", "warn"]);
        }
    }
}
