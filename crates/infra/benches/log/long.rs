//! Whether a long log costs more than a short one.

use std::fmt::Write as _;

use lobby_domain::message::MessageId;
use lobby_domain::ports::{MessageLog, PageQuery, Span, Viewer};
use lobby_domain::session::{Session, SessionId};
use lobby_infra::persistence::{Durability, Store};
use sea_orm::{ConnectionTrait, Database, DbBackend};

use crate::backend::{Backend, open};
use crate::lobby::log_in;
use crate::measure::{Times, now};

const SHORT: i64 = 1_000;
const LONG: i64 = 1_000_000;
/// How often each is done; medians are told.
const TIMES: usize = 15;

/// What is done with a log, and how long that took each time.
struct Log {
    url: String,
    length: i64,
    viewer: SessionId,
    open: Times,
    resume: Times,
    resume_as_nobody: Times,
    history: Times,
}

/// Lines of a table of both lengths on one backend, and by how many KiB the process grew meanwhile.
pub(crate) async fn long(backend: &Backend) -> (String, u64) {
    let mut logs = [Log::make(backend, "short", SHORT).await, Log::make(backend, "long", LONG).await];
    let before = resident_kib();
    for _ in 0..TIMES {
        for log in &mut logs {
            log.measure().await;
        }
    }
    let grown = resident_kib().saturating_sub(before);
    let mut table = String::new();
    let mut line = |what: &str, times: fn(&mut Log) -> &mut Times| {
        let [short, long] = logs.each_mut().map(|log| times(log).quantile(0.5));
        writeln!(table, "| {backend} | {what} | {short:.2} | {long:.2} | {:.2} |", long / short)
            .expect("a text takes it");
    };
    line("opening the database", |log| &mut log.open);
    line("the last 100, for a session", |log| &mut log.resume);
    line("the last 100, for nobody in particular", |log| &mut log.resume_as_nobody);
    line("50 from the middle, going back", |log| &mut log.history);
    (table, grown)
}

impl Log {
    async fn make(backend: &Backend, name: &str, length: i64) -> Self {
        let url = backend.new_database(name).await;
        let sender = log_in(&url, 1).await.remove(0);
        fill(&url, &sender, length).await;
        Self {
            url,
            length,
            viewer: sender.id,
            open: Times::default(),
            resume: Times::default(),
            resume_as_nobody: Times::default(),
            history: Times::default(),
        }
    }

    async fn measure(&mut self) {
        let start = now();
        let store = open(&self.url, Durability::Full).await;
        self.open.note(start);
        let (session, middle) = (Viewer::Session(self.viewer), Span::Before(MessageId(self.length / 2)));
        let last = Span::After(MessageId(self.length - 100));
        read(&store, &mut self.resume, last, 100, session).await;
        read(&store, &mut self.resume_as_nobody, last, 100, Viewer::Nobody).await;
        read(&store, &mut self.history, middle, 50, session).await;
        store.close().await.expect("it closes");
    }
}

async fn read(store: &Store, times: &mut Times, span: Span, limit: usize, viewer: Viewer) {
    // Once for the caches: a page that has to come from the disk says how fast that is.
    for measured in [false, true] {
        let start = now();
        let page = store.page(PageQuery { span, limit, viewer }).await.expect("a page");
        assert!(page.messages.len() > limit / 2, "a page of {}", page.messages.len());
        if measured {
            times.note(start);
        }
    }
}

/// Rows as the lobby writes them, one in ten private.
async fn fill(url: &str, sender: &Session, length: i64) {
    let database = Database::connect(url).await.expect("it is there");
    let is_file = database.get_database_backend() == DbBackend::Sqlite;
    let (numbers, id) = if is_file {
        let recursion = format!("SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {length}");
        (format!("WITH RECURSIVE n(i) AS ({recursion})"), format!("X'{}'", sender.id.0.simple()))
    } else {
        (format!("WITH n AS (SELECT generate_series(1, {length}) AS i)"), format!("'{}'::uuid", sender.id))
    };
    let (user, name) = (sender.user.id.0, sender.pseudonym.as_str());
    let statement = format!(
        "INSERT INTO messages (id, sender_session, sender_id, sender, to_session, to_name, content, timestamp) \
         {numbers} SELECT i, {id}, {user}, '{name}', CASE WHEN i % 10 = 0 THEN {id} END, \
         CASE WHEN i % 10 = 0 THEN '{name}' END, 'a message of a usual length, number ' || i, i FROM n"
    );
    database.execute_unprepared(&statement).await.expect("it is filled");
    let head = format!("UPDATE log_head SET last_id = {length}, last_timestamp = {length}");
    database.execute_unprepared(&head).await.expect("the head is moved");
    if !is_file {
        database.execute_unprepared("VACUUM ANALYZE messages").await.expect("it is analysed");
    }
    database.close().await.expect("it closes");
}

/// Of this process, which has nothing but the log in it.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
