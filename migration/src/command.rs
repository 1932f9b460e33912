//! What an operator does with the schema, from `lobby migrate` or from this crate's own binary.

use clap::Subcommand;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseConnection;

use crate::{Migrator, alone};

/// One thing to do.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Apply every step that is missing
    Up,
    /// Take back the newest steps, and the data that only they have room for
    Down {
        /// How many
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// Say which steps are applied
    Status,
}

/// Does it, and answers with what there is to say: a line for each step, oldest first.
pub async fn run(command: Command, database: &DatabaseConnection) -> Result<String, DbErr> {
    match command {
        Command::Up => alone(database, Migrator::up(database, None)).await?,
        Command::Down { steps } => alone(database, Migrator::down(database, Some(steps))).await?,
        Command::Status => {}
    }
    let steps = Migrator::get_migration_with_status(database).await?;
    let lines = steps.iter().map(|step| format!("{:8} {}\n", step.status().to_string(), step.name()));
    Ok(lines.collect())
}
