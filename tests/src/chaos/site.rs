//! Everything that can fail, and what stands in front of it.

use std::net::SocketAddr;
use std::time::Duration;

use lobby_testbed::{Nginx, Postgres, Proxy, Redis};

use crate::docs::page;
use crate::harness::{Database, Launch, Program, WallClock, becomes_so};

/// How many nodes there are.
pub(super) const NODES: usize = 3;

const DATABASE: &str = "lobby";

/// What is given to those who run a lobby: it is what is tested.
const FRONT: &str = "deploy/nginx.conf";

/// Hearts beat so often, and whoever is silent for as long again is gone.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the word of a node counts that does not renew it.
pub(super) const LEASE: Duration = Duration::from_secs(2);
/// How long a session goes on without a connection.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// All settings that say so, and a list that leaves out nobody.
fn haste() -> Vec<(&'static str, String)> {
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    vec![
        ("LOBBY_SOCKETIO__PING_INTERVAL", seconds(HEARTBEAT)),
        ("LOBBY_SOCKETIO__PING_TIMEOUT", seconds(HEARTBEAT)),
        ("LOBBY_WEBSOCKET__PING_INTERVAL", seconds(HEARTBEAT)),
        ("LOBBY_WEBSOCKET__PING_TIMEOUT", seconds(HEARTBEAT)),
        ("LOBBY_PRESENCE__LEASE", seconds(LEASE)),
        ("LOBBY_PRESENCE__GRACE", seconds(LIMIT)),
        ("LOBBY_PRESENCE__UNCONNECTED", seconds(LIMIT)),
        ("LOBBY_PRESENCE__SNAPSHOT", "1000".to_owned()),
    ]
}

/// Three nodes behind nginx, PostgreSQL, and Redis behind a proxy for each node.
pub(super) struct Site {
    // The nodes go before what they need.
    pub(super) nodes: Vec<Node>,
    pub(super) front: Nginx,
    pub(super) redis: Redis,
    pub(super) postgres: Postgres,
}

pub(super) struct Node {
    pub(super) program: Program,
    pub(super) clock: WallClock,
    /// Between it and Redis.
    pub(super) bus: Proxy,
}

impl Site {
    pub(super) async fn start() -> Self {
        let (postgres, redis) = tokio::join!(Postgres::start(), Redis::start());
        postgres.create_database(DATABASE).await;
        let mut nodes = Vec::with_capacity(NODES);
        for _ in 0..NODES {
            nodes.push(Node::begin(&postgres, &redis).await);
        }
        for node in &mut nodes {
            node.program.opened().await;
        }
        let rows = NODES.to_string();
        let known = async || postgres.psql(DATABASE, "SELECT count(*) FROM nodes").await == rows;
        becomes_so("the nodes to be known", known).await;
        let sockets: Vec<_> = nodes.iter().map(|node| node.program.socket()).collect();
        Self { nodes, front: Nginx::start_with(&page(FRONT), &sockets).await, redis, postgres }
    }

    /// Where clients go.
    pub(super) fn address(&self) -> SocketAddr {
        self.front.address()
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The newest message, 0 before the first.
    pub(super) async fn last_id(&self) -> u64 {
        let last = self.postgres.psql(DATABASE, "SELECT coalesce(max(id), 0) FROM messages").await;
        last.parse().expect("a number")
    }

    /// How many sessions there are, as far as the database knows.
    pub(super) async fn living(&self) -> usize {
        let living =
            self.postgres.psql(DATABASE, "SELECT count(*) FROM sessions WHERE ended_at IS NULL").await;
        living.parse().expect("a number")
    }

    /// All end in order.
    pub(super) async fn stop(self) {
        for node in self.nodes {
            node.program.stop().await;
        }
    }
}

impl Node {
    async fn begin(postgres: &Postgres, redis: &Redis) -> Self {
        let bus = Proxy::of_anything(redis.address()).await;
        let clock = WallClock::new();
        let settings = haste().into_iter().chain(clock.settings());
        let launch = Launch {
            database: Database::At(postgres.url(DATABASE)),
            settings: settings.chain([("LOBBY_BUS__URL", redis.url_via(bus.address()))]).collect(),
            in_cluster: true,
            ..Launch::default()
        };
        Self { program: Program::begin(launch), clock, bus }
    }
}
