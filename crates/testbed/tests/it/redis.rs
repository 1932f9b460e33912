use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, future};

use lobby_testbed::Redis;
use tokio::time::{interval, timeout};

/// The longest that a server takes to end when nobody waits for it.
const GONE_WITHIN: Duration = Duration::from_secs(10);

fn is_gone(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn it_answers_and_outlives_a_crash_at_the_same_port() {
    let mut server = Redis::start_with(Some("a password")).await;
    assert_eq!(server.publish("nobody listens", b"\0\r\n").await, 0);
    let (address, url) = (server.address(), server.url());
    assert_eq!(url, format!("redis://:a%20password@{address}"));
    server.kill().await;
    assert!(is_gone(address));
    server.start_again().await;
    assert_eq!((server.address(), server.publish("x", b"").await), (address, 0));
    drop(server);
    assert!(is_gone(address));
}

/// The owner is a second process that runs this same test, and is told so by this variable.
const OWNER: &str = "TESTBED_OWNER";

#[tokio::test]
async fn it_is_gone_when_its_owner_is_killed() {
    if env::var_os(OWNER).is_some() {
        return own_one().await;
    }
    let mut owner = Command::new(env::current_exe().expect("a program"));
    let this_test = ["--exact", "redis::it_is_gone_when_its_owner_is_killed", "--nocapture"];
    let mut owner =
        owner.args(this_test).env(OWNER, "yes").stdout(Stdio::piped()).spawn().expect("a second process");
    let said = BufReader::new(owner.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let said = said.into_iter().find_map(|line| line.strip_prefix("owner: ").map(str::to_owned));
    let address = said.expect("it says what it owns").parse().expect("an address");
    assert!(!is_gone(address));

    owner.kill().expect("it runs");
    owner.wait().expect("it is our child");
    let gone = async {
        let mut tick = interval(Duration::from_millis(10));
        while !is_gone(address) {
            tick.tick().await;
        }
    };
    timeout(GONE_WITHIN, gone).await.expect("the server ends with its owner");
}

/// Until it is killed.
#[expect(clippy::print_stdout, reason = "that is how the two processes talk")]
async fn own_one() {
    let server = Redis::start().await;
    println!("\nowner: {}", server.address());
    future::pending::<()>().await;
}
