//! A short log of who came and went, and the orders in which who is online is listed a page at a time.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

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

    /// What changed before is not known: the log of changes begins at the present revision.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.create_table(roster_changes(backend)).await?;
        let column = Table::alter().table(Sessions::Table).add_column(sort_name(backend)).to_owned();
        manager.alter_table(column).await?;
        name_the_living(manager).await?;
        manager.create_index(living_by("sessions_living_by_name", Sessions::SortName)).await?;
        manager.create_index(living_by("sessions_living_by_age", Sessions::OpenedAt)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in ["sessions_living_by_age", "sessions_living_by_name"] {
            manager.drop_index(Index::drop().name(index).table(Sessions::Table).to_owned()).await?;
        }
        let column = Table::alter().table(Sessions::Table).drop_column(Sessions::SortName).to_owned();
        manager.alter_table(column).await?;
        manager.drop_table(Table::drop().table(RosterChanges::Table).to_owned()).await
    }
}

/// All that is told of a change, so that it can be told after the session is forgotten too.
fn roster_changes(backend: DbBackend) -> TableCreateStatement {
    let mut revision = ColumnDef::new(RosterChanges::Revision);
    // On SQLite only a column called `integer` is the row's own id, and needs no index.
    if backend == DbBackend::Sqlite {
        revision.integer()
    } else {
        revision.big_integer()
    };
    Table::create()
        .table(RosterChanges::Table)
        .col(revision.not_null().primary_key())
        .col(ColumnDef::new(RosterChanges::Joined).boolean().not_null())
        .col(ColumnDef::new(RosterChanges::Session).uuid().not_null())
        .col(ColumnDef::new(RosterChanges::UserId).big_integer().not_null())
        .col(ColumnDef::new(RosterChanges::Pseudonym).string().not_null())
        .col(ColumnDef::new(RosterChanges::CreatedAt).big_integer().null())
        .col(ColumnDef::new(RosterChanges::ConnectedAt).big_integer().null())
        .col(ColumnDef::new(RosterChanges::Reason).string().null())
        .to_owned()
}

/// The name in small letters, which no database makes of every script as the application does. It is compared by bytes:
/// how else texts are ordered differs from server to server. The version before leaves it empty.
fn sort_name(backend: DbBackend) -> ColumnDef {
    let mut column = ColumnDef::new(Sessions::SortName);
    column.string().not_null().default("");
    if backend == DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}

async fn name_the_living(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let database = manager.get_connection();
    let living = Query::select()
        .distinct()
        .column(Sessions::Pseudonym)
        .from(Sessions::Table)
        .and_where(Expr::col(Sessions::EndedAt).is_null())
        .to_owned();
    for row in database.query_all(&living).await? {
        let name: String = row.try_get("", "pseudonym")?;
        let update = Query::update()
            .table(Sessions::Table)
            .value(Sessions::SortName, name.to_lowercase())
            .and_where(Expr::col(Sessions::Pseudonym).eq(name))
            .and_where(Expr::col(Sessions::EndedAt).is_null())
            .to_owned();
        manager.execute(update).await?;
    }
    Ok(())
}

fn living_by(name: &str, column: Sessions) -> IndexCreateStatement {
    Index::create()
        .name(name)
        .table(Sessions::Table)
        .col(column)
        .col(Sessions::Id)
        .cond_where(Expr::col(Sessions::EndedAt).is_null())
        .to_owned()
}

#[derive(DeriveIden)]
enum RosterChanges {
    Table,
    Revision,
    Joined,
    Session,
    UserId,
    Pseudonym,
    CreatedAt,
    ConnectedAt,
    Reason,
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    Id,
    Pseudonym,
    OpenedAt,
    EndedAt,
    SortName,
}
