//! What it takes to know who is online: presence time, the nodes that are up, and which sessions they serve.

use sea_orm_migration::prelude::*;

/// What a session that was opened before this step has left, in milliseconds of presence time: five minutes, as one that has
/// not connected yet.
const LEFT: i64 = 5 * 60 * 1_000;

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
        for column in session_columns() {
            manager.alter_table(Table::alter().table(Sessions::Table).add_column(column).to_owned()).await?;
        }
        manager.execute(the_living()).await?;
        manager.execute(the_logged_out()).await?;
        for index in session_indexes() {
            manager.create_index(index).await?;
        }
        manager.create_table(presence_clock()).await?;
        manager.execute(the_beginning()).await?;
        manager.create_table(nodes()).await?;
        manager.create_table(attendance()).await?;
        manager.create_index(attendance_by_session()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables =
            [Attendance::Table.into_iden(), Nodes::Table.into_iden(), PresenceClock::Table.into_iden()];
        for table in tables {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        for index in INDEXES {
            manager.drop_index(Index::drop().name(index).table(Sessions::Table).to_owned()).await?;
        }
        for column in session_columns() {
            let column = column.get_column_name();
            manager.alter_table(Table::alter().table(Sessions::Table).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}

fn session_columns() -> [ColumnDef; 6] {
    [
        // Whether a connection has been there since the session began or came back.
        ColumnDef::new(Sessions::Attended).boolean().not_null().default(false).to_owned(),
        // In presence time, as the next; null while a node serves it.
        ColumnDef::new(Sessions::ExpiresAt).big_integer().null().to_owned(),
        // When the last connection at any node went, as far as is known.
        ColumnDef::new(Sessions::GoneAt).big_integer().null().to_owned(),
        // Until when the name of a session that is over is kept for whoever has its token.
        ColumnDef::new(Sessions::HeldUntil).big_integer().null().to_owned(),
        // The revision with which it ended: which of several was the last one to have a name.
        ColumnDef::new(Sessions::EndedRevision).big_integer().not_null().default(0).to_owned(),
        // Whether somebody has logged out: then its token is dead.
        ColumnDef::new(Sessions::Revoked).boolean().not_null().default(false).to_owned(),
    ]
}

fn the_living() -> UpdateStatement {
    Query::update()
        .table(Sessions::Table)
        .value(Sessions::ExpiresAt, LEFT)
        .and_where(Expr::col(Sessions::EndedAt).is_null())
        .to_owned()
}

/// There was no other way for a session to end.
fn the_logged_out() -> UpdateStatement {
    Query::update()
        .table(Sessions::Table)
        .value(Sessions::Revoked, true)
        .and_where(Expr::col(Sessions::EndedAt).is_not_null())
        .to_owned()
}

const INDEXES: [&str; 4] = ["sessions_due", "sessions_held", "sessions_ended_name", "sessions_by_end"];

fn session_indexes() -> [IndexCreateStatement; 4] {
    let is_over = || Expr::col(Sessions::EndedAt).is_not_null();
    let is_due = Expr::col(Sessions::EndedAt).is_null().and(Expr::col(Sessions::ExpiresAt).is_not_null());
    let is_held = Expr::col(Sessions::HeldUntil).is_not_null();
    let index = |name, column, condition| {
        Index::create().name(name).table(Sessions::Table).col(column).cond_where(condition).to_owned()
    };
    [
        index(INDEXES[0], Sessions::ExpiresAt, is_due),
        index(INDEXES[1], Sessions::HeldUntil, is_held),
        index(INDEXES[2], Sessions::Folded, is_over()),
        index(INDEXES[3], Sessions::EndedAt, is_over()),
    ]
}

/// One row: milliseconds in which a node was up and could reach the database.
fn presence_clock() -> TableCreateStatement {
    let mut id = ColumnDef::new(PresenceClock::Id);
    id.integer().not_null().primary_key().check(Expr::col(PresenceClock::Id).eq(1));
    Table::create()
        .table(PresenceClock::Table)
        .col(id)
        .col(ColumnDef::new(PresenceClock::Now).big_integer().not_null())
        .to_owned()
}

fn the_beginning() -> InsertStatement {
    Query::insert()
        .into_table(PresenceClock::Table)
        .columns([PresenceClock::Id, PresenceClock::Now])
        .values_panic([1.into(), 0.into()])
        .to_owned()
}

/// Running processes, as long as they say so.
fn nodes() -> TableCreateStatement {
    Table::create()
        .table(Nodes::Table)
        .col(ColumnDef::new(Nodes::Id).uuid().not_null().primary_key())
        // Since when it has been unbroken.
        .col(ColumnDef::new(Nodes::LeaseSince).big_integer().not_null())
        .col(ColumnDef::new(Nodes::LeaseUntil).big_integer().not_null())
        .to_owned()
}

/// Which sessions have connections, and at which nodes.
fn attendance() -> TableCreateStatement {
    Table::create()
        .table(Attendance::Table)
        .col(ColumnDef::new(Attendance::Node).uuid().not_null())
        .col(ColumnDef::new(Attendance::Session).uuid().not_null())
        .primary_key(Index::create().col(Attendance::Node).col(Attendance::Session))
        .to_owned()
}

fn attendance_by_session() -> IndexCreateStatement {
    Index::create().name("attendance_by_session").table(Attendance::Table).col(Attendance::Session).to_owned()
}

#[derive(DeriveIden, Clone, Copy)]
enum Sessions {
    Table,
    Folded,
    EndedAt,
    Attended,
    ExpiresAt,
    GoneAt,
    HeldUntil,
    EndedRevision,
    Revoked,
}

#[derive(DeriveIden, Clone, Copy)]
enum PresenceClock {
    Table,
    Id,
    Now,
}

#[derive(DeriveIden)]
enum Nodes {
    Table,
    Id,
    LeaseSince,
    LeaseUntil,
}

#[derive(DeriveIden)]
enum Attendance {
    Table,
    Node,
    Session,
}
