//! What a log needs that loses nothing: private messages, client ids, keys for outcomes that are not known, and a
//! beginning that moves when messages are pruned.

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
        // SQLite adds one column at a time.
        for column in message_columns() {
            manager.alter_table(Table::alter().table(Messages::Table).add_column(column).to_owned()).await?;
        }
        for column in head_columns() {
            manager.alter_table(Table::alter().table(LogHead::Table).add_column(column).to_owned()).await?;
        }
        manager.execute(where_messages_begin()).await?;
        manager.create_index(by_recipient()).await?;
        manager.create_index(private_by_sender()).await?;
        manager.create_table(client_ids(manager.get_database_backend())).await?;
        manager.create_index(client_ids_by_age()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(ClientIds::Table).to_owned()).await?;
        for index in ["messages_private_by_sender", "messages_by_recipient"] {
            manager.drop_index(Index::drop().name(index).table(Messages::Table).to_owned()).await?;
        }
        // A version that knows no private messages would show them to everybody.
        let private = Expr::col(Messages::ToSession).is_not_null();
        manager.execute(Query::delete().from_table(Messages::Table).cond_where(private).to_owned()).await?;
        for column in [LogHead::FirstId, LogHead::Machine] {
            manager.alter_table(Table::alter().table(LogHead::Table).drop_column(column).to_owned()).await?;
        }
        for column in [Messages::ToSession, Messages::ToName, Messages::ClientId, Messages::PostKey] {
            manager.alter_table(Table::alter().table(Messages::Table).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}

fn message_columns() -> [ColumnDef; 4] {
    [
        ColumnDef::new(Messages::ToSession).uuid().null().to_owned(),
        ColumnDef::new(Messages::ToName).string().null().to_owned(),
        ColumnDef::new(Messages::ClientId).string().null().to_owned(),
        // What only the transaction that inserted the row knows; older rows have none. It is looked for among the newest
        // messages only, so it needs no index.
        ColumnDef::new(Messages::PostKey).uuid().null().to_owned(),
    ]
}

fn head_columns() -> [ColumnDef; 2] {
    [
        // The oldest message that is kept.
        ColumnDef::new(LogHead::FirstId).big_integer().not_null().default(1).to_owned(),
        // Which run of which machine has the log open and may lose its last moments; null where none can.
        ColumnDef::new(LogHead::Machine).string().null().to_owned(),
    ]
}

/// Older messages may have been pruned before this step was taken back.
fn where_messages_begin() -> UpdateStatement {
    let first = Query::select().expr(Expr::col(Messages::Id).min()).from(Messages::Table).to_owned();
    let none = Expr::col(LogHead::LastId).add(1);
    Query::update()
        .table(LogHead::Table)
        .value(LogHead::FirstId, Func::coalesce([first.into(), none]))
        .to_owned()
}

/// Public messages (null) in their order, and those to each session.
fn by_recipient() -> IndexCreateStatement {
    Index::create()
        .name("messages_by_recipient")
        .table(Messages::Table)
        .col(Messages::ToSession)
        .col(Messages::Id)
        .to_owned()
}

fn private_by_sender() -> IndexCreateStatement {
    Index::create()
        .name("messages_private_by_sender")
        .table(Messages::Table)
        .col(Messages::SenderSession)
        .col(Messages::Id)
        .cond_where(Expr::col(Messages::ToSession).is_not_null())
        .to_owned()
}

/// What a repeated post is answered from: it outlives the message, which may be pruned.
fn client_ids(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(ClientIds::Table)
        .col(ColumnDef::new(ClientIds::Session).uuid().not_null())
        .col(ColumnDef::new(ClientIds::ClientId).string().not_null())
        .col(ColumnDef::new(ClientIds::Fingerprint).binary_len(32).not_null())
        .col(ColumnDef::new(ClientIds::MessageId).big_integer().not_null())
        .col(ColumnDef::new(ClientIds::ToSession).uuid().null())
        .col(ColumnDef::new(ClientIds::ToName).string().null())
        .col(ColumnDef::new(ClientIds::Timestamp).big_integer().not_null())
        .primary_key(Index::create().col(ClientIds::Session).col(ClientIds::ClientId));
    if backend == DbBackend::Sqlite {
        // The key is the table: no second copy of it in an index.
        table.extra("WITHOUT ROWID");
    }
    table
}

fn client_ids_by_age() -> IndexCreateStatement {
    Index::create().name("client_ids_by_age").table(ClientIds::Table).col(ClientIds::Timestamp).to_owned()
}

#[derive(DeriveIden)]
enum Messages {
    Table,
    Id,
    SenderSession,
    ToSession,
    ToName,
    ClientId,
    PostKey,
}

#[derive(DeriveIden)]
enum LogHead {
    Table,
    FirstId,
    LastId,
    Machine,
}

#[derive(DeriveIden)]
enum ClientIds {
    Table,
    Session,
    ClientId,
    Fingerprint,
    MessageId,
    ToSession,
    ToName,
    Timestamp,
}
