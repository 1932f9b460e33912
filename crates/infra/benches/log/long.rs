//! Whether a long log costs more than a short one: to start with, to resume in and to read.

use lobby_domain::message::MessageId;
use lobby_domain::ports::{MessageLog, PageQuery, Span, Viewer};
use lobby_domain::session::SessionId;
use lobby_infra::persistence::{Durability, Store};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::Knobs;
use crate::common::backend::{Backend, open};
use crate::common::measure::{Times, median, now};
use crate::start::{StartUp, start_up};

/// The short log.
const SHORT: i64 = 1_000;
/// How many messages the viewer may see at either end of the long one.
const SEEN: i64 = SHORT / 2;
/// Start-ups of each.
const STARTS: usize = 7;
/// Pages of each.
const PAGES: usize = 300;

const VIEWER: Uuid = Uuid::from_u128(2);
const SENDER: Uuid = Uuid::from_u128(1);
const RECIPIENT: Uuid = Uuid::from_u128(3);

/// Of the short log, and of the long one.
pub(crate) struct Comparison {
    what: &'static str,
    short: f64,
    long: f64,
}

impl Comparison {
    pub(crate) fn row(&self) -> String {
        format!("| {} | {:.2} | {:.2} | {:.2} |", self.what, self.short, self.long, self.ratio())
    }

    /// What is wanted and not so.
    pub(crate) fn missed(&self, backend: &Backend) -> Option<String> {
        (self.ratio() > 2.0).then(|| format!("{backend}, {}: {:.2} times", self.what, self.ratio()))
    }

    fn ratio(&self) -> f64 {
        self.long / self.short
    }
}

pub(crate) async fn long(backend: &Backend, knobs: &Knobs) -> Vec<Comparison> {
    let urls = [backend.new_database("short").await, backend.new_database("long").await];
    let lengths = [SHORT, knobs.messages];
    for (url, length) in urls.iter().zip(lengths) {
        fill(url, length).await;
    }
    let mut comparisons = starts(&urls, lengths);
    let stores = [open(&urls[0], Durability::Full).await, open(&urls[1], Durability::Full).await];
    let session = Viewer::Session(SessionId(VIEWER));
    let last_100 = |last| PageQuery { span: Span::After(MessageId(last - 100)), limit: 100, viewer: session };
    let middle = |last| PageQuery { span: Span::Before(MessageId(last / 2)), limit: 50, viewer: session };
    let nobody = |query| PageQuery { viewer: Viewer::Nobody, ..query };
    for (what, queries) in [
        ("resume of the last 100, as a session, ms", lengths.map(last_100)),
        ("resume of the last 100, as nobody, ms", lengths.map(last_100).map(nobody)),
        ("50 from the middle, as a session, ms", lengths.map(middle)),
        ("50 from the middle, as nobody, ms", lengths.map(middle).map(nobody)),
    ] {
        comparisons.push(pages(what, &stores, queries).await);
    }
    for store in stores {
        store.close().await.expect("it closes");
    }
    comparisons
}

fn starts(urls: &[String; 2], lengths: [i64; 2]) -> Vec<Comparison> {
    let mut ups = [Vec::new(), Vec::new()];
    for _ in 0..STARTS {
        for (ups, (url, length)) in ups.iter_mut().zip(urls.iter().zip(lengths)) {
            ups.push(start_up(url, length / 2));
        }
    }
    let time = |up: &[StartUp]| median(up.iter().map(|up| up.millis));
    let memory = |up: &[StartUp]| median(up.iter().map(|up| up.mebibytes));
    let [short, long] = &ups;
    vec![
        Comparison {
            what: "start of the program until it is ready, ms",
            short: time(short),
            long: time(long),
        },
        Comparison {
            what: "its memory after a page of history, MiB",
            short: memory(short),
            long: memory(long),
        },
    ]
}

async fn pages(what: &'static str, stores: &[Store; 2], queries: [PageQuery; 2]) -> Comparison {
    let mut times = [Times::default(), Times::default()];
    for _ in 0..PAGES {
        for (times, (store, query)) in times.iter_mut().zip(stores.iter().zip(queries)) {
            let start = now();
            let page = store.page(query).await.expect("a page");
            times.note(start);
            assert!(page.messages.len() > 10, "there is something to see");
        }
    }
    let [short, long] = times.each_mut().map(|times| times.quantile(0.5));
    Comparison { what, short, long }
}

/// A third of what the viewer may see is public, a third is from it and a third to it. What lies between the two ends of the
/// long log is private, and others'.
async fn fill(url: &str, last: i64) {
    let is_sqlite = url.starts_with("sqlite");
    let ids = if is_sqlite {
        format!(
            "WITH RECURSIVE ids(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < {last}) \
             SELECT id FROM ids"
        )
    } else {
        format!("SELECT generate_series(1, {last}) AS id")
    };
    let literal = |id: Uuid| if is_sqlite { format!("x'{}'", id.simple()) } else { format!("'{id}'::uuid") };
    let [viewer, sender, recipient] = [VIEWER, SENDER, RECIPIENT].map(literal);
    let is_others = format!("id > {SEEN} AND id <= {}", last - SEEN);
    let content = "x".repeat(100);
    let statements = [
        format!(
            "INSERT INTO messages \
             (id, sender_session, sender_id, sender, to_session, to_name, content, timestamp) \
             SELECT id, CASE WHEN {is_others} OR id % 3 = 1 THEN {sender} ELSE {viewer} END, 1, 'sender', \
             CASE WHEN {is_others} OR id % 3 = 2 THEN {recipient} WHEN id % 3 = 1 THEN {viewer} END, \
             'addressee', '{content}', 1700000000000 FROM ({ids}) AS ids"
        ),
        format!("UPDATE log_head SET last_id = {last}, last_timestamp = 1700000000000"),
        // What a log that has grown message by message has got.
        if is_sqlite { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "VACUUM ANALYZE" }.to_owned(),
    ];
    let done = async {
        if is_sqlite {
            let mut connection = SqliteConnection::connect(url).await?;
            for statement in statements {
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
            }
            return connection.close().await;
        }
        let mut connection = PgConnection::connect(url).await?;
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        }
        connection.close().await
    };
    done.await.expect("there is room");
}
