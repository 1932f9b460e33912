//! Migrates the database that `DATABASE_URL` names, without the rest of the lobby.

use clap::Parser;
use lobby_migration::{Command, run};
use sea_orm_migration::sea_orm::{ConnectOptions, Database};

/// Migrate the lobby's database
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Where it is, for instance `sqlite://lobby.db?mode=rwc`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a command line tool answers on standard output")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let mut options = ConnectOptions::new(arguments.database_url);
    options.max_connections(1);
    let database = Database::connect(options).await?;
    print!("{}", run(arguments.command, &database).await?);
    Ok(())
}
