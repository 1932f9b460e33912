//! Users, sessions, messages and the heads of log and roster.

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

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(users()).await?;
        manager.create_table(sessions(manager.get_database_backend())).await?;
        for key in [Sessions::Folded, Sessions::Lookalike, Sessions::Crossed] {
            manager.create_index(living_name(key)).await?;
        }
        manager.create_table(messages(manager.get_database_backend())).await?;
        manager.create_table(log_head()).await?;
        manager.create_table(roster_head()).await?;
        manager.execute(first_revision()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = [
            RosterHead::Table.into_iden(),
            LogHead::Table.into_iden(),
            Messages::Table.into_iden(),
            Sessions::Table.into_iden(),
            Users::Table.into_iden(),
        ];
        for table in tables {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// A name, its number, and the keys that make it unique.
fn users() -> TableCreateStatement {
    Table::create()
        .table(Users::Table)
        .col(ColumnDef::new(Users::Id).big_integer().not_null().auto_increment().primary_key())
        .col(ColumnDef::new(Users::Pseudonym).string().not_null())
        .col(ColumnDef::new(Users::Folded).string().not_null().unique_key())
        .col(ColumnDef::new(Users::Lookalike).string().not_null().unique_key())
        .col(ColumnDef::new(Users::Crossed).string().not_null().unique_key())
        .col(ColumnDef::new(Users::CreatedAt).big_integer().not_null())
        .to_owned()
}

fn sessions(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(Sessions::Table)
        .col(ColumnDef::new(Sessions::Id).uuid().not_null().primary_key())
        .col(big_key(Sessions::UserId, backend).not_null())
        .col(ColumnDef::new(Sessions::Pseudonym).string().not_null())
        .col(ColumnDef::new(Sessions::Folded).string().not_null())
        .col(ColumnDef::new(Sessions::Lookalike).string().not_null())
        .col(ColumnDef::new(Sessions::Crossed).string().not_null())
        .col(ColumnDef::new(Sessions::Claimed).boolean().not_null())
        .col(ColumnDef::new(Sessions::OpenedAt).big_integer().not_null())
        .col(ColumnDef::new(Sessions::EndedAt).big_integer().null())
        .foreign_key(
            ForeignKey::create().from(Sessions::Table, Sessions::UserId).to(Users::Table, Users::Id),
        );
    table
}

/// Only the living hold a name, so only they have to differ.
fn living_name(key: Sessions) -> IndexCreateStatement {
    let name = format!("sessions_living_{}", key.unquoted());
    Index::create()
        .name(name)
        .table(Sessions::Table)
        .col(key)
        .unique()
        .cond_where(Expr::col(Sessions::EndedAt).is_null())
        .to_owned()
}

fn messages(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(Messages::Table)
        .col(big_key(Messages::Id, backend).not_null().primary_key())
        .col(ColumnDef::new(Messages::SenderSession).uuid().not_null())
        .col(big_key(Messages::SenderId, backend).not_null())
        .col(ColumnDef::new(Messages::Sender).string().not_null())
        .col(ColumnDef::new(Messages::Content).text().not_null())
        .col(ColumnDef::new(Messages::Timestamp).big_integer().not_null());
    table
}

/// One row: its lock is what gives message ids their order. The application puts it in, with the log's random
/// id.
fn log_head() -> TableCreateStatement {
    Table::create()
        .table(LogHead::Table)
        .col(only_row(LogHead::Id))
        .col(ColumnDef::new(LogHead::Log).uuid().not_null())
        .col(ColumnDef::new(LogHead::LastId).big_integer().not_null())
        .col(ColumnDef::new(LogHead::LastTimestamp).big_integer().not_null())
        .to_owned()
}

/// One row: its lock is what gives changes of who is online their order.
fn roster_head() -> TableCreateStatement {
    Table::create()
        .table(RosterHead::Table)
        .col(only_row(RosterHead::Id))
        .col(ColumnDef::new(RosterHead::Revision).big_integer().not_null())
        .to_owned()
}

fn first_revision() -> InsertStatement {
    Query::insert()
        .into_table(RosterHead::Table)
        .columns([RosterHead::Id, RosterHead::Revision])
        .values_panic([1.into(), 0.into()])
        .to_owned()
}

fn only_row(column: impl IntoIden + Copy + 'static) -> ColumnDef {
    let mut id = ColumnDef::new(column);
    id.integer().not_null().primary_key().check(Expr::col(column).eq(1));
    id
}

/// 64 bits on every database. On SQLite only a column called `integer` is the row's own id, and needs no
/// index.
fn big_key(column: impl IntoIden, backend: DbBackend) -> ColumnDef {
    let mut key = ColumnDef::new(column);
    if backend == DbBackend::Sqlite {
        key.integer()
    } else {
        key.big_integer()
    };
    key
}

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
    Pseudonym,
    Folded,
    Lookalike,
    Crossed,
    CreatedAt,
}

#[derive(DeriveIden, Clone, Copy)]
enum Sessions {
    Table,
    Id,
    UserId,
    Pseudonym,
    Folded,
    Lookalike,
    Crossed,
    Claimed,
    OpenedAt,
    EndedAt,
}

#[derive(DeriveIden)]
enum Messages {
    Table,
    Id,
    SenderSession,
    SenderId,
    Sender,
    Content,
    Timestamp,
}

#[derive(DeriveIden, Clone, Copy)]
enum LogHead {
    Table,
    Id,
    Log,
    LastId,
    LastTimestamp,
}

#[derive(DeriveIden, Clone, Copy)]
enum RosterHead {
    Table,
    Id,
    Revision,
}
