//! A database that is reached over TLS, whose certificate nodes look at: `sslmode=verify-full`.

use std::path::Path;

use lobby_testbed::{Certificates, Postgres};
use rstest::rstest;

use super::start::waits;
use super::{DATABASE, launch};
use crate::crowd::{Crowd, assert_faultless};
use crate::harness::{Program, Random};

/// Statements that ask for each of the nodes' connections whether it is over TLS.
const OVER_TLS: &str = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
     WHERE application_name = 'lobby'";

async fn server() -> Postgres {
    let server = Postgres::start_with_tls().await;
    server.create_database(DATABASE).await;
    server
}

/// What `docs/operations/cluster.md` tells to write.
fn url(server: &Postgres, host: &str, authority: &Path) -> String {
    let port = server.address().port();
    let authority = authority.display();
    format!("postgres://lobby@{host}:{port}/{DATABASE}?sslmode=verify-full&sslrootcert={authority}")
}

#[rstest]
#[case::by_name("localhost")]
#[case::by_address("127.0.0.1")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_serve_over_tls_and_find_the_database_again_when_it_is_back(#[case] host: &str) {
    let mut server = server().await;
    let url = url(&server, host, server.authority());
    let nodes = [Program::launch(launch(&url, &[])).await, Program::launch(launch(&url, &[])).await];
    let addresses = nodes.each_ref().map(Program::address);
    let crowd = Crowd::gather(&addresses, 4, &mut Random::new(Random::any_seed())).await;
    for is_back in [false, true] {
        if is_back {
            server.kill().await;
            server.start_again().await;
        }
        for recorder in crowd.at(0, 1) {
            recorder.next_acknowledgement().await;
        }
        assert_eq!(server.psql(DATABASE, OVER_TLS).await, "t");
    }
    let (log, records) = crowd.settle().await;
    assert_faultless(&log, &records, "");
    for node in nodes {
        node.stop().await;
    }
}

/// Nodes tell nothing to a server that may be anybody's: they wait for the right one. A certificate can be put right on either side.
#[rstest]
#[case::another_authority("localhost", Known::Another)]
#[case::the_authorities_of_browsers("localhost", Known::OfBrowsers)]
#[case::another_host("127.0.0.2", Known::Its)]
#[tokio::test]
async fn who_meets_a_wrong_certificate_is_not_ready_and_says_why(#[case] host: &str, #[case] known: Known) {
    let server = server().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let another = Certificates::make(folder.path());
    let url = match known {
        Known::Its => url(&server, host, server.authority()),
        Known::Another => url(&server, host, &another.authority),
        Known::OfBrowsers => url(&server, host, "".as_ref()).replace("&sslrootcert=", ""),
    };
    let mut node = Program::begin(launch(&url, &[]));
    waits(&node).await;
    let log = node.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("the database is away")).collect();
    assert!(matches!(told[..], [line] if line.contains("invalid peer certificate")), "{log}");
    assert_eq!(server.psql(DATABASE, "SELECT count(*) FROM pg_tables WHERE tablename = 'nodes'").await, "0");
    node.stop_for_now().await;
}

/// Whose signature a node believes.
#[derive(Debug, Clone, Copy)]
enum Known {
    Its,
    Another,
    OfBrowsers,
}
