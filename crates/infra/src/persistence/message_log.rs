use async_trait::async_trait;
use lobby_domain::client_id::ClientId;
use lobby_domain::message::{Content, LogId, Message, MessageId, Recipient};
use lobby_domain::ports::{
    AppendError, Draft, LogHead, MessageLog, Page, PageQuery, Posted, Rejection, Retention, Span,
    Unavailable, Viewer,
};
use lobby_domain::pseudonym::Pseudonym;
use lobby_domain::session::SessionId;
use lobby_domain::timestamp::Timestamp;
use lobby_domain::user::UserId;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    AccessMode, ColumnTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, IsolationLevel, Order,
    QueryFilter, QueryOrder, QuerySelect, Select, TransactionTrait,
};

use super::entities::{log_head, messages};
use super::outcome::answered;
use super::{LONG_AGO, Store, unavailable};

#[async_trait]
impl MessageLog for Store {
    async fn append(
        &self,
        drafts: &[Draft],
        now: Timestamp,
    ) -> Result<Vec<Result<Posted, Rejection>>, AppendError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        self.append_for_sure(drafts, now).await
    }

    async fn head(&self) -> Result<LogHead, Unavailable> {
        answered(self.try_head()).await.map_err(unavailable)
    }

    async fn page(&self, query: PageQuery) -> Result<Page, Unavailable> {
        answered(self.try_page(query)).await.map_err(unavailable)
    }

    async fn prune(&self, keep: Retention, most: u32) -> Result<bool, Unavailable> {
        answered(self.try_prune(keep, most)).await.map_err(unavailable)
    }

    async fn forget_client_ids(&self, before: Timestamp, most: u32) -> Result<bool, Unavailable> {
        answered(self.try_forget_client_ids(before, most)).await.map_err(unavailable)
    }

    async fn check_writable(&self) -> Result<(), Unavailable> {
        let check = async {
            self.has_room().await?;
            self.renew_writer().await?;
            self.lock_log(0, LONG_AGO).await?.transaction.commit().await
        };
        answered(check).await.map_err(|error| {
            // Whoever asks does so because it is known to be away.
            tracing::debug!(%error, "the database takes no changes yet");
            Unavailable::new(error)
        })
    }
}

impl Store {
    async fn try_head(&self) -> Result<LogHead, DbErr> {
        // Asked before the look: what is committed meanwhile is no loss.
        let seen = self.seen();
        let mut head = self.look_at_head().await?;
        if head.last_id < seen {
            self.renew_if_shorter().await?;
            head = self.look_at_head().await?;
        }
        self.saw(head.last_id);
        Ok(log_head(&head))
    }

    async fn look_at_head(&self) -> Result<log_head::Model, DbErr> {
        log_head::Entity::find_by_id(1).one(&self.read).await?.ok_or_else(no_head)
    }

    async fn try_page(&self, query: PageQuery) -> Result<Page, DbErr> {
        let transaction = self.begin_snapshot().await?;
        let head = log_head::Entity::find_by_id(1).one(&transaction).await?.ok_or_else(no_head)?;
        let mut rows = Vec::new();
        for part in parts(query.viewer) {
            rows.extend(select(part, query, self.backend()).all(&transaction).await?);
        }
        transaction.commit().await?;
        self.saw(head.last_id);
        Ok(page(&head, rows, query))
    }

    /// A transaction that sees one moment throughout. On SQLite every one does.
    pub(super) async fn begin_snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        if self.backend() == DbBackend::Sqlite {
            return self.read.begin().await;
        }
        let (isolation, access) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
        self.read.begin_with_config(Some(isolation), Some(access)).await
    }
}

/// What an index has in order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    All,
    Public,
    /// Private messages with this session in this column.
    Private(messages::Column, SessionId),
}

/// What a viewer may see, in parts: so a page costs the same in a log of any length, whatever else is in it. Messages to
/// oneself are in two of them.
pub(super) fn parts(viewer: Viewer) -> Vec<Part> {
    match viewer {
        Viewer::Lobby => vec![Part::All],
        Viewer::Nobody => vec![Part::Public],
        Viewer::Session(session) => vec![
            Part::Public,
            Part::Private(messages::Column::ToSession, session),
            Part::Private(messages::Column::SenderSession, session),
        ],
    }
}

/// One more than is asked for, which tells whether there are more.
pub(super) fn select(part: Part, query: PageQuery, backend: DbBackend) -> Select<messages::Entity> {
    let (id, to) = (messages::Column::Id, messages::Column::ToSession);
    let (from, order) = match query.span {
        Span::After(from) => (from.0, Order::Asc),
        Span::Before(from) => (from.0, Order::Desc),
    };
    let beyond = |place: Expr, from| if order == Order::Asc { place.gt(from) } else { place.lt(from) };
    let select = messages::Entity::find().limit(query.limit as u64 + 1);
    let select = match part {
        Part::All => select.filter(beyond(id.into_expr(), from.into())),
        // PostgreSQL takes the index in order only where it is told the whole of its order.
        Part::Public => {
            let public = select.filter(to.is_null()).filter(beyond(id.into_expr(), from.into()));
            public.order_by(to, order.clone())
        }
        Part::Private(column, session) if backend == DbBackend::Sqlite => select
            .filter(to.is_not_null())
            .filter(column.eq(session.0))
            .filter(beyond(id.into_expr(), from.into())),
        // PostgreSQL must not know that only one session is asked for. Where it thinks that this one has many messages, it
        // would look for them among those of everybody, and so read through all that others have said since.
        Part::Private(column, session) => {
            let place = Expr::tuple([column.into_expr(), id.into_expr()]);
            let end = if order == Order::Asc { column.lte(session.0) } else { column.gte(session.0) };
            select
                .filter(to.is_not_null())
                .filter(beyond(place, Expr::tuple([session.0.into(), from.into()])))
                .filter(end)
                .order_by(column, order.clone())
        }
    };
    select.order_by(id, order)
}

fn page(head: &log_head::Model, mut rows: Vec<messages::Model>, query: PageQuery) -> Page {
    match query.span {
        Span::After(_) => rows.sort_unstable_by_key(|row| row.id),
        Span::Before(_) => rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id)),
    }
    rows.dedup_by_key(|row| row.id);
    let has_more = rows.len() > query.limit;
    rows.truncate(query.limit);
    rows.sort_unstable_by_key(|row| row.id);
    Page { head: log_head(head), messages: rows.into_iter().map(message).collect(), has_more }
}

fn log_head(row: &log_head::Model) -> LogHead {
    LogHead { log: LogId(row.log), first_id: MessageId(row.first_id), last_id: MessageId(row.last_id) }
}

pub(super) fn message(row: messages::Model) -> Message {
    let to = row.to_session.zip(row.to_name);
    Message {
        id: MessageId(row.id),
        sender_session: SessionId(row.sender_session),
        sender_id: UserId(row.sender_id),
        sender: Pseudonym::from_stored(row.sender),
        to: to.map(|(session, name)| Recipient {
            session: SessionId(session),
            pseudonym: Pseudonym::from_stored(name),
        }),
        content: Content::from_stored(row.content),
        client_id: row.client_id.map(ClientId::from_stored),
        timestamp: Timestamp::from_millis(row.timestamp),
    }
}

pub(super) fn no_head() -> DbErr {
    DbErr::RecordNotFound("log_head".to_owned())
}
