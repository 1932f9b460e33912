use lobby_testbed::Postgres;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{DATABASE, server};
use crate::crowd::{Crowd, assert_faultless};
use crate::harness::{Database, Launch, Program, Random, http_client, in_time};

/// How often a node is stopped at a bad moment at most, until the moment is the worst one.
const TRIES: u32 = 300;

/// Who is frozen has a role of its own, by which its connections are known.
const FROZEN: &str = "frozen";

async fn start(server: &Postgres) -> [Program; 2] {
    server.psql(DATABASE, &format!("CREATE ROLE {FROZEN} SUPERUSER LOGIN")).await;
    let url = server.url(DATABASE);
    let frozen = url.replacen("postgres://lobby@", &format!("postgres://{FROZEN}@"), 1);
    let mut programs = Vec::new();
    for url in [frozen, url] {
        programs.push(Program::launch(Launch { database: Database::At(url), ..Launch::default() }).await);
    }
    programs.try_into().unwrap_or_else(|_| unreachable!("two"))
}

/// Stops a node while it holds the lock on the log's head and the database waits for what it does next.
async fn freeze(server: &Postgres, node: &Program, random: &mut Random) {
    let caught = format!(
        "SELECT count(*) FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE usename = '{FROZEN}' \
         AND state = 'idle in transaction' AND relation = 'log_head'::regclass AND mode = 'RowExclusiveLock'"
    );
    let guest = json!({"pseudonym": "Guest"});
    for _ in 0..TRIES {
        // What is said takes one statement, between whose parts nobody can stop; a log-out takes several.
        assert_eq!(in_time("a log-in", post(node, "login", &guest)).await, 200);
        let leaving = tokio::spawn(post(node, "logout", &guest));
        tokio::time::sleep(random.milliseconds(0..10)).await;
        node.signal("STOP").await;
        if server.psql(DATABASE, &caught).await == "1" {
            return;
        }
        node.signal("CONT").await;
        in_time("a log-out", leaving).await.expect("it is answered");
    }
    panic!("it was never caught with the lock in {TRIES} tries");
}

fn post(node: &Program, path: &str, body: &Value) -> impl Future<Output = StatusCode> + use<> {
    let request = http_client().post(format!("http://{}/{path}", *node.address().borrow())).json(body);
    async { request.send().await.expect("an answer").status() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stands_still_with_the_lock_holds_up_the_other_for_a_moment_only() {
    let server = server().await;
    let [frozen, other] = start(&server).await;
    let mut random = Random::new(Random::any_seed());
    let crowd = Crowd::gather(&[frozen.address(), other.address()], 12, &mut random).await;
    for recorder in crowd.at(0, 2).chain(crowd.at(1, 2)) {
        recorder.next_acknowledgement().await;
    }
    freeze(&server, &frozen, &mut random).await;
    for recorder in crowd.at(1, 2) {
        recorder.next_acknowledgement().await;
    }
    // Not one of its transactions had to wait for as long as lock_timeout.
    assert!(!other.log().contains("the database failed"), "{}", other.log());
    frozen.signal("CONT").await;

    let (log, records) = crowd.settle().await;
    assert_faultless(&log, &records, "");
    frozen.stop().await;
    other.stop().await;
}
