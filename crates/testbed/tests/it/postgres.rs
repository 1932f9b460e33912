use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, future, io};

use lobby_testbed::Postgres;
use tokio::time::{interval, timeout};

/// The longest that a server takes to end when nobody waits for it.
const GONE_WITHIN: Duration = Duration::from_secs(10);

fn is_gone(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn databases_of_one_server_are_apart() {
    let server = Postgres::start().await;
    let (one, other) = (server.fresh_database().await, server.fresh_database().await);
    let answer =
        server.try_psql(&one, "CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2); TABLE t").await;
    assert_eq!(answer.as_deref(), Ok("1\n2"));
    let refused = server.try_psql(&other, "TABLE t").await.expect_err("it has no table");
    assert!(refused.contains("does not exist"), "{refused}");
    server.create_database("named").await;
    assert_eq!(server.psql("named", "SELECT current_database(), current_user").await, "named|lobby");
}

#[tokio::test]
async fn what_is_committed_outlives_a_stop_and_a_crash() {
    let mut server = Postgres::start().await;
    let address = server.address();
    server.psql("postgres", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await;
    server.stop().await;
    assert!(is_gone(address));
    server.start_again().await;
    assert!(!server.log().contains("recovery"), "{}", server.log());

    server.psql("postgres", "INSERT INTO t VALUES (2)").await;
    server.kill().await;
    assert!(is_gone(address));
    server.start_again().await;
    assert!(server.log().contains("recovery"), "{}", server.log());
    assert_eq!(server.address(), address);
    assert_eq!(server.psql("postgres", "TABLE t").await, "1\n2");
}

#[tokio::test]
async fn settings_go_on_top_of_those_for_tests() {
    let server = Postgres::start_with(&[("fsync", "on"), ("application_name", "it's mine")]).await;
    let settings = "SHOW fsync; SHOW listen_addresses; SHOW unix_socket_directories; SHOW synchronous_commit";
    assert_eq!(server.psql("postgres", settings).await, "on\n127.0.0.1\n\non");
}

#[tokio::test]
#[should_panic(expected = "requires a Boolean value")]
async fn a_server_that_does_not_start_says_why() {
    Postgres::start_with(&[("fsync", "perhaps")]).await;
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_data() {
    let server = Postgres::start().await;
    let data = server.psql("postgres", "SHOW data_directory").await;
    let address = server.address();
    assert!(Path::new(&data).exists());
    drop(server);
    assert!(is_gone(address));
    assert!(!Path::new(&data).exists());
}

/// The owner is a second process that runs this same test, and is told so by this variable.
const OWNER: &str = "TESTBED_OWNER";

#[tokio::test]
async fn a_server_is_gone_with_its_data_when_its_owner_is_killed() {
    if env::var_os(OWNER).is_some() {
        return own_one().await;
    }
    let mut owner = Command::new(env::current_exe().expect("a program"));
    let this_test = "postgres::a_server_is_gone_with_its_data_when_its_owner_is_killed";
    owner.args(["--exact", this_test, "--nocapture"]).env(OWNER, "yes");
    let mut owner = owner.stdout(Stdio::piped()).spawn().expect("a second process");
    let said = BufReader::new(owner.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let said = said.into_iter().find_map(|line| line.strip_prefix("owner: ").map(str::to_owned));
    let said = said.expect("it says what it owns");
    let (address, data) = said.split_once(' ').expect("two words");
    let address = address.parse().expect("an address");
    assert!(!is_gone(address) && Path::new(data).exists());

    owner.kill().expect("it runs");
    owner.wait().expect("it is our child");
    let gone = async {
        let mut tick = interval(Duration::from_millis(10));
        while !is_gone(address) || Path::new(data).exists() {
            tick.tick().await;
        }
    };
    timeout(GONE_WITHIN, gone).await.expect("the server ends with its owner");
}

/// Until it is killed.
#[expect(clippy::print_stdout, reason = "that is how the two processes talk")]
async fn own_one() {
    let server = Postgres::start().await;
    let data = server.psql("postgres", "SHOW data_directory").await;
    println!("\nowner: {} {data}", server.address());
    future::pending::<()>().await;
}
