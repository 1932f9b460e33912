//! Migrates the database that `DATABASE_URL` names, without the rest of the lobby.

use clap::Parser;
use lobby_migration::{Command, run};
use sea_orm_migration::sea_orm::Database;

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
    let database = Database::connect(arguments.database_url).await?;
    print!("{}", run(arguments.command, &database).await?);
    Ok(())
}
