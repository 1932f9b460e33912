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
use sea_orm::{
    AccessMode, ColumnTrait, Condition, DatabaseTransaction, DbBackend, DbErr, EntityTrait, IsolationLevel,
    QueryFilter, QueryOrder, QuerySelect, TransactionTrait,
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
        self.try_head().await.map_err(unavailable)
    }

    async fn page(&self, query: PageQuery) -> Result<Page, Unavailable> {
        self.try_page(query).await.map_err(unavailable)
    }

    async fn prune(&self, keep: Retention, most: u32) -> Result<bool, Unavailable> {
        self.try_prune(keep, most).await.map_err(unavailable)
    }

    async fn forget_client_ids(&self, before: Timestamp, most: u32) -> Result<bool, Unavailable> {
        self.try_forget_client_ids(before, most).await.map_err(unavailable)
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
            rows.extend(read_part(&transaction, part, query).await?);
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

/// What a viewer may see, in parts that an index each has in order: so a page costs the same in a log of any length.
fn parts(viewer: Viewer) -> Vec<Condition> {
    let public = || Condition::all().add(messages::Column::ToSession.is_null());
    match viewer {
        Viewer::Lobby => vec![Condition::all()],
        Viewer::Nobody => vec![public()],
        Viewer::Session(session) => {
            let to = Condition::all().add(messages::Column::ToSession.eq(session.0));
            // Those to oneself are among them already.
            let from = Condition::all()
                .add(messages::Column::SenderSession.eq(session.0))
                .add(messages::Column::ToSession.is_not_null())
                .add(messages::Column::ToSession.ne(session.0));
            vec![public(), to, from]
        }
    }
}

/// One more than is asked for, which tells whether there are more.
async fn read_part(
    transaction: &DatabaseTransaction,
    part: Condition,
    query: PageQuery,
) -> Result<Vec<messages::Model>, DbErr> {
    let select = messages::Entity::find().filter(part).limit(query.limit as u64 + 1);
    let select = match query.span {
        Span::After(id) => select.filter(messages::Column::Id.gt(id.0)).order_by_asc(messages::Column::Id),
        Span::Before(id) => select.filter(messages::Column::Id.lt(id.0)).order_by_desc(messages::Column::Id),
    };
    select.all(transaction).await
}

fn page(head: &log_head::Model, mut rows: Vec<messages::Model>, query: PageQuery) -> Page {
    let has_more = rows.len() > query.limit;
    match query.span {
        Span::After(_) => rows.sort_unstable_by_key(|row| row.id),
        Span::Before(_) => rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id)),
    }
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
