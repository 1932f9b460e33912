//! `lobby`, its flags and commands.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lobby_infra::metrics::Metrics;
use lobby_infra::persistence::Store;
use tokio::sync::watch;

use crate::application::Application;
use crate::backends::store_settings;
use crate::environment::Environment;
use crate::front::Front;
use crate::metrics::MetricsServer;
#[cfg(unix)]
use crate::open_files;
use crate::reload::{self, Reload};
use crate::settings::{DEFAULTS, Settings, Sources};
use crate::{probe, secret, telemetry, waiting, welcome};

/// The lobby: log in with only a name, see who is online, talk in real time.
#[derive(Parser)]
#[command(name = "lobby", version, after_long_help = settings_help())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A file with settings
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// A setting, as in --set server.port=5001; may be given many times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, global = true)]
    set: Vec<(String, String)>,
    /// The same as --set server.host=HOST
    #[arg(long, global = true)]
    host: Option<String>,
    /// The same as --set server.port=PORT
    #[arg(long, global = true)]
    port: Option<String>,
}

#[derive(Subcommand, Clone, Copy)]
enum Command {
    /// Serve, which is also what `lobby` alone does
    Serve,
    /// Ask the lobby that runs here with the same settings whether it is ready: exit code 0 if it is, 1 with a sentence if not. It is
    /// asked where the settings say that it is, as they are now
    Ready,
    /// Bring the database's schema up to date, take steps back, or say where it stands
    #[command(subcommand)]
    Migrate(lobby_migration::Command),
    /// The log of messages
    #[command(subcommand)]
    Log(LogCommand),
}

#[derive(Subcommand, Clone, Copy)]
enum LogCommand {
    /// Give the log a new id, so that nobody goes on where the old one ended: owed after a backup was restored. The
    /// schema is brought up to date, too
    Renew,
}

type Failure = Box<dyn std::error::Error>;

/// Runs the program; whatever keeps it from running is said in one sentence on standard error.
#[must_use]
#[expect(clippy::print_stderr, reason = "what keeps the program from starting comes before there is a log")]
pub fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("lobby: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let environment = Environment::read(Path::new("."))?;
    let command = arguments.command.unwrap_or(Command::Serve);
    let sources = arguments.into_sources(environment.clone());
    let (settings, values) = Settings::read(&sources)?;
    let reload = Reload::new(sources, values).with(telemetry::init(&settings.log)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = match command {
        Command::Ready => probe::ask(&settings).map_err(Failure::from),
        Command::Serve => runtime.block_on(serve(settings, &environment, reload)),
        Command::Migrate(command) => runtime.block_on(migrate(&settings, command)),
        Command::Log(LogCommand::Renew) => runtime.block_on(renew_log(&settings)),
    };
    // Whatever still runs had its time.
    runtime.shutdown_background();
    outcome
}

async fn serve(settings: Settings, environment: &Environment, reload: Reload) -> Result<(), Failure> {
    #[cfg(unix)]
    open_files::raise_limit();
    let database = store_settings(&settings)?;
    let secrets = secret::secret_keys(environment, database.beside("-key").as_deref())?;
    let mut signals = stop_signals()?;
    let front = Front::open(&settings)?;
    reload::on_hangup(match front.certificates() {
        Some(certificates) => reload.with(certificates),
        None => reload,
    })?;
    let metrics = Metrics::default();
    let _served = MetricsServer::start(&settings, &metrics)?;
    let starting = async {
        let store = waiting::open(&database, &front).await?;
        Application::build_on(front, settings, store, &secrets, &metrics).await
    };
    let application = tokio::select! {
        started = starting => started?,
        // Nobody has been promised anything yet.
        () = signalled(&mut signals, 1) => {
            tracing::info!("stopped before it was up");
            return Ok(());
        }
    };
    // Nobody has to be there to read it.
    let welcome = welcome::text(application.scheme(), application.address());
    if let Err(error) = std::io::stdout().write_all(welcome.as_bytes()) {
        tracing::debug!(%error, "standard output takes no welcome");
    }
    let mut first = signals.clone();
    tokio::select! {
        outcome = application.run_until(async move { signalled(&mut first, 1).await }) => outcome,
        () = signalled(&mut signals, 2) => Err("stopped at once, by a second signal".into()),
    }
}

#[expect(clippy::print_stdout, reason = "a command line tool answers on standard output")]
async fn migrate(settings: &Settings, command: lobby_migration::Command) -> Result<(), Failure> {
    let database = store_settings(settings)?;
    // Looking is harmless while a lobby runs, changing its schema is not.
    let _lock = match command {
        lobby_migration::Command::Status => None,
        lobby_migration::Command::Up | lobby_migration::Command::Down { .. } => database.lock()?,
    };
    let database = Store::open_unmigrated(&database).await?;
    print!("{}", lobby_migration::run(command, &database).await?);
    Ok(())
}

/// Clients that come back are told that they missed something, instead of being given other messages under the ids that
/// they know.
#[expect(clippy::print_stdout, reason = "a command line tool answers on standard output")]
async fn renew_log(settings: &Settings) -> Result<(), Failure> {
    let database = store_settings(settings)?;
    // The settings may tell to make a file where there is none. One that was restored is there.
    if let Some(file) = database.beside("")
        && !file.exists()
    {
        return Err(format!("there is no database '{}': nothing to renew", file.display()).into());
    }
    let store = Store::open(&database).await?;
    println!("the log is {} from now on", store.renew_log().await?);
    store.close().await?;
    Ok(())
}

/// Counts SIGTERM, which service managers send, and SIGINT, which Ctrl-C is. None is missed from here on.
#[cfg(unix)]
fn stop_signals() -> std::io::Result<watch::Receiver<u32>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (count, counted) = watch::channel(0);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(counted)
}

/// Counts Ctrl-C.
#[cfg(not(unix))]
fn stop_signals() -> std::io::Result<watch::Receiver<u32>> {
    let (count, counted) = watch::channel(0);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(counted)
}

/// Waits until so many signals have come.
async fn signalled(signals: &mut watch::Receiver<u32>, times: u32) {
    if signals.wait_for(|count| *count >= times).await.is_err() {
        // There is no more counting: none will come.
        std::future::pending::<()>().await;
    }
}

impl Arguments {
    fn into_sources(self, environment: Environment) -> Sources {
        let flags = [("server.host", self.host), ("server.port", self.port)];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Sources { environment, file: self.config, overrides: self.set.into_iter().chain(flags).collect() }
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it has to look like server.port=5001")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn settings_help() -> String {
    format!(
        "Environment:\n  \
         LOBBY_ENV                 development (the default), production, or NAME for config/NAME.toml\n  \
         SECRET_KEY                what tokens are signed with; owed in production, at least 32 bytes\n  \
         SECRET_KEY_FILE           a file with it, instead\n  \
         SECRET_KEY_PREVIOUS       the one before it, while tokens that it has signed are still good\n  \
         SECRET_KEY_PREVIOUS_FILE  a file with that, instead\n  \
         A file .env in the current folder is read too.\n\n\
         Settings:\n\n{DEFAULTS}"
    )
}
