use std::sync::Arc;
use std::time::Duration;

use lobby_testbed::{Postgres, Proxy, When};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Long enough to notice what should not happen.
const A_WHILE: Duration = Duration::from_millis(200);
/// Waits for whoever writes, and counts.
const COUNT: &str = "BEGIN; LOCK TABLE t; SELECT count(*) FROM t; ROLLBACK";
const INSERT: &str = "BEGIN; INSERT INTO t VALUES (1); COMMIT";

/// A table behind a proxy.
struct Bench {
    server: Arc<Postgres>,
    proxy: Proxy,
}

impl Bench {
    async fn start() -> Self {
        let server = Arc::new(Postgres::start().await);
        server.psql("postgres", "CREATE TABLE t (n int)").await;
        let proxy = Proxy::start(server.address()).await;
        Self { server, proxy }
    }

    /// Runs statements by way of the proxy.
    fn begin(&self, statements: &'static str) -> JoinHandle<Result<String, String>> {
        let url = self.server.url_via(self.proxy.address(), "postgres");
        let server = Arc::clone(&self.server);
        tokio::spawn(async move { server.try_psql(&url, statements).await })
    }

    async fn run(&self, statements: &'static str) -> Result<String, String> {
        self.begin(statements).await.expect("no panic")
    }

    /// Whether the row of a transaction is there whose commit is cut off.
    async fn rows_after_a_cut(&self, when: When) -> String {
        let fired = self.proxy.cut_at_commit(when);
        let cut = self.run(INSERT).await.expect_err("nobody has told that it is committed");
        assert!(cut.contains("server closed the connection unexpectedly"), "{cut}");
        fired.wait().await;
        self.server.psql("postgres", COUNT).await
    }
}

#[tokio::test]
async fn a_commit_that_is_cut_off_before_is_none() {
    let bench = Bench::start().await;
    assert_eq!(bench.rows_after_a_cut(When::Before).await, "0");
}

#[tokio::test]
async fn a_commit_that_is_cut_off_later_is_one() {
    let bench = Bench::start().await;
    assert_eq!(bench.rows_after_a_cut(When::During).await, "1");
    assert_eq!(bench.rows_after_a_cut(When::After).await, "2");
}

#[tokio::test]
async fn a_trap_fires_at_one_commit_only() {
    let bench = Bench::start().await;
    let mut fired = bench.proxy.cut_at_commit(When::Before);
    assert_eq!(bench.run("SELECT 'COMMIT'").await.as_deref(), Ok("COMMIT"));
    assert!(!fired.has_fired());
    bench.run(INSERT).await.expect_err("it is cut off");
    assert!(fired.has_fired());
    assert_eq!(bench.run(INSERT).await.as_deref(), Ok(""));

    let mut forgotten = bench.proxy.cut_at_commit(When::After);
    bench.proxy.pass();
    assert_eq!(bench.run(INSERT).await.as_deref(), Ok(""));
    assert!(!forgotten.has_fired());
    assert_eq!(bench.server.psql("postgres", COUNT).await, "2");
}

#[tokio::test]
async fn a_commit_that_is_held_back_keeps_its_locks_until_it_is_released() {
    let bench = Bench::start().await;
    let fired = bench.proxy.stall_at_commit();
    let frozen = bench.begin(INSERT);
    fired.wait().await;
    let impatient = "BEGIN; SET lock_timeout = '50ms'; LOCK TABLE t";
    let refused = bench.run(impatient).await;
    assert!(refused.expect_err("it is locked").contains("lock timeout"));
    assert!(!frozen.is_finished());
    bench.proxy.pass();
    assert_eq!(frozen.await.expect("no panic").as_deref(), Ok(""));
    assert_eq!(bench.server.psql("postgres", COUNT).await, "1");
}

#[tokio::test]
async fn connections_are_refused_and_cut() {
    let bench = Bench::start().await;
    let open = bench.begin("SELECT pg_sleep(600)");
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    while bench.server.psql("postgres", sleeps).await != "1" {}
    bench.proxy.refuse();
    bench.run("SELECT 1").await.expect_err("no new connection is taken");
    assert!(!open.is_finished(), "it was there before");
    bench.proxy.cut();
    open.await.expect("no panic").expect_err("it is cut");
    bench.proxy.pass();
    assert_eq!(bench.run("SELECT 1").await.as_deref(), Ok("1"));
}

#[tokio::test]
async fn what_is_stalled_goes_on_when_all_passes() {
    let bench = Bench::start().await;
    bench.proxy.stall();
    let mut stalled = bench.begin("SELECT 1");
    timeout(A_WHILE, &mut stalled).await.expect_err("nothing passes");
    bench.proxy.pass();
    assert_eq!(stalled.await.expect("no panic").as_deref(), Ok("1"));
}

#[tokio::test]
async fn a_connection_that_is_lost_stays_so_and_the_next_one_is_well() {
    let bench = Bench::start().await;
    bench.proxy.stall();
    let mut lost = bench.begin("SELECT 1");
    timeout(A_WHILE, &mut lost).await.expect_err("nothing passes");
    bench.proxy.lose();
    bench.proxy.pass();
    assert_eq!(bench.run("SELECT 1").await.as_deref(), Ok("1"));
    timeout(A_WHILE, &mut lost).await.expect_err("nobody is told");
}

#[tokio::test]
async fn large_messages_pass_unharmed() {
    let bench = Bench::start().await;
    let text = "0123456789".repeat(100_000);
    let url = bench.server.url_via(bench.proxy.address(), "postgres");
    let answer = bench.server.try_psql(&url, &format!("SELECT '{text}'")).await;
    assert!(answer.as_ref() == Ok(&text), "{} bytes", answer.map_or(0, |answer| answer.len()));
}
