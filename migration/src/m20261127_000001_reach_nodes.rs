//! Where the other nodes reach a node, if they are to. Older versions leave it empty.

use sea_orm_migration::prelude::*;

/// The step.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait elides them, and a boxed method has to look the same"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All or nothing: a start that is cut off leaves no half of a schema behind.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let address = ColumnDef::new(Nodes::Address).text().null().to_owned();
        manager.alter_table(Table::alter().table(Nodes::Table).add_column(address).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(Nodes::Table).drop_column(Nodes::Address).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum Nodes {
    Table,
    Address,
}
