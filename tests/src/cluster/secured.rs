//! A bus that is reached over TLS, with a password: by those who know both, and by nobody else.

use lobby_testbed::{Postgres, Redis};
use rstest::rstest;

use super::{Backends, DATABASE, Node, stop};
use crate::harness::{Protocol, becomes_so};

/// What a URL has to escape.
const PASSWORD: &str = "only for nodes/:@";

/// Where nodes look for the certificates of those whom they trust, instead of where the system has them.
const TRUSTED: &str = "SSL_CERT_FILE";

async fn backends() -> Backends {
    let (postgres, redis) = tokio::join!(Postgres::start(), Redis::start_with_tls(PASSWORD));
    postgres.create_database(DATABASE).await;
    Backends { postgres, redis }
}

async fn secured(backends: &Backends) -> Node {
    let redis = &backends.redis;
    let node = backends.node_with(redis.tls_address(), |bus| {
        vec![("LOBBY_BUS__URL", redis.tls_url_via(bus)), (TRUSTED, redis.authority().display().to_string())]
    });
    Box::pin(node).await
}

#[tokio::test]
async fn nodes_hear_each_other_over_tls_and_find_the_server_again_when_it_is_back() {
    let mut backends = backends().await;
    let nodes = [secured(&backends).await, secured(&backends).await];
    for round in 0..2 {
        for node in &nodes {
            node.bus_is("connected").await;
        }
        let [here, there] = &nodes;
        let zoe = here.log_in(&format!("Zoë-{round}")).await;
        let mut listener = there.listen(Protocol::Plain).await;
        // It cannot read the log, so it has heard it.
        let heard = there.blind(async {
            let id = here.say(&zoe, "a hint").await;
            assert_eq!(listener.messages(1).await, [(id, "a hint".to_owned())]);
        });
        heard.await;
        if round == 0 {
            backends.redis.kill().await;
            for node in &nodes {
                node.bus_is("away").await;
            }
            backends.redis.start_again().await;
        }
    }
    stop(nodes).await;
}

/// Whatever is wrong on the way to the bus, the node serves, says that the bus is away, and says once why.
#[rstest]
#[case::a_wrong_password(Way::WrongPassword, "it refuses the name or password")]
#[case::no_password(Way::NoPassword, "asks for a password")]
#[case::an_authority_that_is_not_known(Way::UnknownAuthority, "SSL_CERT_FILE")]
#[case::tls_where_there_is_none(Way::TlsToPlain, "begin with redis://")]
#[case::no_tls_where_there_is_some(Way::PlainToTls, "begin with rediss://")]
#[tokio::test]
async fn who_does_not_get_in_serves_and_says_why(#[case] way: Way, #[case] said: &str) {
    let backends = backends().await;
    let node = Box::pin(way.node(&backends)).await;
    let known = async || node.program.log().contains("the bus is away");
    becomes_so("it to say so", known).await;
    assert_eq!(node.bus().await["state"], "away");
    let log = node.program.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("the bus is away")).collect();
    assert!(matches!(told[..], [line] if line.contains(said)), "{told:#?}");
    assert!(!log.contains("hush") && !log.contains("only for nodes"), "{log}");
    // All else goes on, by way of the database.
    let zoe = node.log_in("Zoë").await;
    let mut listener = node.listen(Protocol::Plain).await;
    let id = node.say(&zoe, "all is well").await;
    assert_eq!(listener.messages(1).await, [(id, "all is well".to_owned())]);
    drop(listener);
    stop([node]).await;
}

#[derive(Debug, Clone, Copy)]
enum Way {
    WrongPassword,
    NoPassword,
    UnknownAuthority,
    TlsToPlain,
    PlainToTls,
}

impl Way {
    async fn node(self, backends: &Backends) -> Node {
        let redis = &backends.redis;
        let to = if let Self::TlsToPlain = self { redis.address() } else { redis.tls_address() };
        let node = backends.node_with(to, |bus| {
            let url = match self {
                Self::WrongPassword => format!("rediss://:hush@{bus}"),
                Self::NoPassword => format!("rediss://{bus}"),
                Self::UnknownAuthority | Self::TlsToPlain => redis.tls_url_via(bus),
                Self::PlainToTls => redis.url_via(bus),
            };
            let trusted = [(TRUSTED, redis.authority().display().to_string())];
            let trusted = trusted.into_iter().filter(|_| !matches!(self, Self::UnknownAuthority));
            [("LOBBY_BUS__URL", url)].into_iter().chain(trusted).collect()
        });
        node.await
    }
}
