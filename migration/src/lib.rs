//! The lobby's database schema, step by step.
//!
//! | module | what it makes |
//! | --- | --- |
//! | [`m20261123_000001_create_lobby`] | users, sessions, messages and the heads of log and roster |
//! | [`m20261124_000001_keep_the_log`] | private messages, client ids, keys of posts, the log's beginning |
//! | [`m20261125_000001_keep_the_roster`] | changes of who is online, and who is online in order |
//! | [`m20261125_000002_keep_presence`] | presence time, nodes, and the sessions they serve |
//! | [`m20261125_000003_append_in_one`] | a function that appends a batch in one go |
//! | [`m20261127_000001_reach_nodes`] | where nodes reach each other |
//!
//! To add a step: a module named after the day, a line in [`Migrator::migrations`] and in the table above. A
//! step that has landed is never changed. Expand first, contract a release later: two neighbouring releases
//! run on one schema, and the older one starts on that of the newer one.
//!
//! Invariant: no step reads a clock or randomness, and none knows the application's types.

mod alone;
mod command;
pub mod m20261123_000001_create_lobby;
pub mod m20261124_000001_keep_the_log;
pub mod m20261125_000001_keep_the_roster;
pub mod m20261125_000002_keep_presence;
pub mod m20261125_000003_append_in_one;
pub mod m20261127_000001_reach_nodes;
mod newer;

pub use alone::alone;
pub use command::{Command, run};
pub use newer::newer;
use sea_orm_migration::prelude::*;

/// All steps, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_create_lobby::Migration),
            Box::new(m20261124_000001_keep_the_log::Migration),
            Box::new(m20261125_000001_keep_the_roster::Migration),
            Box::new(m20261125_000002_keep_presence::Migration),
            Box::new(m20261125_000003_append_in_one::Migration),
            Box::new(m20261127_000001_reach_nodes::Migration),
        ]
    }
}
