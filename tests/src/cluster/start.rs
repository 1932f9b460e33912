use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use futures_util::future::join_all;
use lobby_testbed::Postgres;
use rstest::rstest;
use serde_json::Value;

use super::{Cluster, DATABASE, launch};
use crate::harness::{Program, becomes_so, http_client, in_time};

async fn status(program: &Program, path: &str) -> u16 {
    let url = format!("http://{}{path}", program.socket());
    let answer = in_time("an answer", http_client().get(url).send()).await.expect("an answer");
    answer.status().as_u16()
}

/// The same where it may not listen yet.
async fn answers(program: &Program, path: &str) -> Option<u16> {
    let url = format!("http://{}{path}", program.socket());
    let answer = http_client().get(url).send().await.ok()?;
    Some(answer.status().as_u16())
}

/// It listens, lives and is not ready.
pub(super) async fn waits(program: &Program) {
    becomes_so("it to wait", async || {
        let url = format!("http://{}/health/live", program.socket());
        http_client().get(url).send().await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    assert_eq!(status(program, "/health/ready").await, 503);
    let url = format!("http://{}/users", program.socket());
    let answer = http_client().get(url).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
    assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], "unavailable");
    assert!(program.log().contains("waiting for the database"), "{}", program.log());
}

#[tokio::test]
async fn nodes_that_start_together_on_an_empty_database_all_come_up_and_make_one_schema() {
    for _ in 0..3 {
        let cluster = Cluster::start(3).await;
        let ready = join_all(cluster.nodes.iter().map(|node| status(node, "/health/ready"))).await;
        assert_eq!(ready, [200; 3]);
        let steps = cluster
            .database
            .psql(DATABASE, "SELECT count(*), count(DISTINCT version) FROM seaql_migrations")
            .await;
        let (all, distinct) = steps.split_once('|').expect("two columns");
        assert_eq!(all, distinct);
        cluster.stop().await;
    }
}

/// Whoever makes the schema has a lock, and the others wait for it: seen with one that holds it for long.
#[tokio::test]
async fn a_node_waits_while_another_makes_the_schema() {
    let database = Postgres::start().await;
    database.create_database(DATABASE).await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    // As long as somebody waits for it, and then a little.
    let holding = format!(
        "SELECT pg_advisory_lock(x'6c6f626279'::bigint); \
         DO $$ BEGIN WHILE ({waiting}) < 2 LOOP PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot(); END LOOP; END $$; \
         SELECT count(*) FROM pg_tables WHERE tablename = 'nodes'"
    );
    let url = database.url(DATABASE);
    let holder = database.psql(DATABASE, &holding);
    let nodes = async {
        becomes_so("the lock to be held", async || {
            let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted";
            database.psql(DATABASE, held).await == "1"
        })
        .await;
        let mut nodes = [Program::begin(launch(&url, &[])), Program::begin(launch(&url, &[]))];
        for node in &mut nodes {
            node.opened().await;
        }
        nodes
    };
    let (held, nodes) = tokio::join!(holder, nodes);
    // Both waited, and nothing was made meanwhile.
    assert_eq!(held.lines().last(), Some("0"));
    for node in nodes {
        node.stop().await;
    }
}

/// Whoever is sent to a node that is ready may be passed on to it by others, which look it up in the database.
#[tokio::test]
async fn a_node_that_is_ready_is_known_to_the_others() {
    let database = Postgres::start().await;
    database.create_database(DATABASE).await;
    let mut node = Program::launch(launch(&database.url(DATABASE), &[])).await;
    node.kill().await;
    let held = "SELECT count(*) FROM pg_locks WHERE relation = 'nodes'::regclass AND mode = 'ExclusiveLock' AND granted";
    // For as long as this goes on nobody can say in the database that they are there.
    let holding = "CREATE TABLE released (at int); BEGIN; LOCK TABLE nodes IN EXCLUSIVE MODE; \
         DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM released) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$; COMMIT";
    let url = database.url(DATABASE);
    let holder = database.psql(DATABASE, holding);
    let starting = async {
        becomes_so("the table to be held", async || database.psql(DATABASE, held).await == "1").await;
        let node = Program::begin(launch(&url, &[]));
        becomes_so("it to serve", async || answers(&node, "/users").await == Some(200)).await;
        assert_eq!(status(&node, "/health/ready").await, 503);
        database.psql(DATABASE, "INSERT INTO released VALUES (1)").await;
        node
    };
    let (_, mut node) = tokio::join!(holder, starting);
    node.opened().await;
    assert_eq!(database.psql(DATABASE, "SELECT count(*) FROM nodes").await, "2");
    node.stop().await;
}

#[tokio::test]
async fn a_node_waits_for_a_database_that_is_away_and_becomes_ready_when_it_is_there() {
    let mut database = Postgres::start().await;
    database.create_database(DATABASE).await;
    database.stop().await;
    let mut node = Program::begin(launch(&database.url(DATABASE), &[]));
    waits(&node).await;
    database.start_again().await;
    node.opened().await;
    assert_eq!(status(&node, "/users").await, 200);
    // Once, however many attempts there were; and why, where that changes.
    let log = node.log();
    assert_eq!(log.matches("waiting for the database").count(), 1, "{log}");
    assert!((1..=3).contains(&log.matches("the database is away").count()), "{log}");
    node.stop().await;
}

/// What is behind the address may be a machine that answers nothing, or a name that nobody knows yet.
#[rstest]
#[case::nobody_listens("127.0.0.1:1")]
#[case::nobody_answers("")]
#[case::nobody_knows_it("no-such-host.invalid")]
#[tokio::test]
async fn a_node_that_waits_ends_at_once_and_in_order_when_it_is_told_to(#[case] place: &str) {
    let silent = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let address: SocketAddr = silent.local_addr().expect("it listens");
    let place = if place.is_empty() { address.to_string() } else { place.to_owned() };
    let mut node = Program::begin(launch(&format!("postgres://lobby:hush@{place}/lobby"), &[]));
    waits(&node).await;
    node.stop_for_now().await;
    assert!(!node.log().contains("hush"), "{}", node.log());
}

/// The database was there a moment ago, and then lets a node wait.
#[tokio::test]
async fn a_node_that_waits_after_it_was_let_in_ends_at_once_and_in_order_too() {
    let database = Postgres::start().await;
    database.create_database(DATABASE).await;
    let url = database.url(DATABASE);
    Program::launch(launch(&url, &[])).await.stop().await;
    let held = |granted| {
        format!("SELECT count(*) FROM pg_locks WHERE relation = 'sessions'::regclass AND {granted} granted")
    };
    let holding = "CREATE TABLE released (at int); BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE; \
         DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM released) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$; COMMIT";
    let holder = database.psql(DATABASE, holding);
    let starting = async {
        becomes_so("the table to be held", async || database.psql(DATABASE, &held("")).await == "1").await;
        let patient = [("LOBBY_DATABASE__LOCK_TIMEOUT", "1m"), ("LOBBY_DATABASE__STATEMENT_TIMEOUT", "1m")];
        let mut node = Program::begin(launch(&url, &patient));
        becomes_so("it to wait", async || database.psql(DATABASE, &held("NOT")).await == "1").await;
        node.stop_for_now().await;
        assert!(node.log().contains("stopped before it was up"), "{}", node.log());
        database.psql(DATABASE, "INSERT INTO released VALUES (1)").await;
    };
    tokio::join!(holder, starting);
}

#[rstest]
#[case::no_such_database("postgres://lobby@ADDRESS/nowhere", "nowhere")]
#[case::no_such_role("postgres://nobody@ADDRESS/lobby", "nobody")]
#[tokio::test]
async fn what_does_not_pass_by_itself_stops_the_start_with_a_sentence(#[case] url: &str, #[case] said: &str) {
    let database = Postgres::start().await;
    database.create_database(DATABASE).await;
    let url = url.replace("ADDRESS", &database.address().to_string());
    let mut node = Program::begin(launch(&url, &[]));
    assert_eq!(node.ended().await.code(), Some(1));
    let log = node.log();
    let last = log.lines().last().expect("a sentence");
    assert!(last.starts_with("lobby: the database ") && last.contains(said), "{log}");
    assert!(!log.contains("waiting for the database"), "{log}");
}

/// Only somebody who changes it can help, so nothing is waited for. With the right one the same node starts.
#[tokio::test]
async fn a_wrong_password_stops_the_start_with_a_sentence_that_does_not_show_it() {
    let database = Postgres::start().await;
    database
        .psql("postgres", "CREATE ROLE asked LOGIN PASSWORD 'hush'; CREATE DATABASE lobby OWNER asked")
        .await;
    let url = |password| format!("postgres://asked:{password}@{}/lobby", database.address());
    let rules = database.psql("postgres", "SHOW hba_file").await;
    let asking = "host all asked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    fs::write(rules, asking).expect("its rules can be written");
    database.psql("postgres", "SELECT pg_reload_conf()").await;
    becomes_so("it to ask", async || database.try_psql(&url("guessed"), "SELECT 1").await.is_err()).await;

    let mut node = Program::begin(launch(&url("guessed"), &[]));
    assert_eq!(node.ended().await.code(), Some(1));
    let log = node.log();
    let last = log.lines().last().expect("a sentence");
    assert!(last.starts_with("lobby: the database ") && last.contains("password"), "{log}");
    assert!(!log.contains("guessed") && !log.contains("waiting for the database"), "{log}");

    Program::launch(launch(&url("hush"), &[])).await.stop().await;
}
