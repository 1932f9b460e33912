//! PostgreSQL and Redis, each reached through a proxy that can cut a node off.

use std::net::SocketAddr;

use futures_util::future::join_all;
use lobby_testbed::{Postgres, Proxy, Redis};
use reqwest::Client;
use serde_json::{Value, json};

use super::DATABASE;
use crate::harness::{
    Connection, Database, Launch, LoggedIn, Program, Protocol, becomes_so, http_client, in_time,
};

/// The channel that nodes use unless told otherwise.
pub(super) const CHANNEL: &str = "lobby";

/// What all nodes share.
pub(super) struct Backends {
    pub(super) postgres: Postgres,
    pub(super) redis: Redis,
}

/// A lobby that can be cut off from either.
pub(super) struct Node {
    pub(super) program: Program,
    pub(super) database: Proxy,
    pub(super) bus: Proxy,
    pub(super) client: Client,
}

impl Backends {
    pub(super) async fn start() -> Self {
        let (postgres, redis) = tokio::join!(Postgres::start(), Redis::start_with(Some("only for nodes")));
        postgres.create_database(DATABASE).await;
        Self { postgres, redis }
    }

    /// So many nodes, which hear each other.
    pub(super) async fn nodes<const N: usize>(&self) -> [Node; N] {
        let mut nodes = Vec::new();
        for _ in 0..N {
            nodes.push(Box::pin(self.node()).await);
        }
        for node in &nodes {
            node.bus_is("connected").await;
        }
        nodes.try_into().unwrap_or_else(|_| unreachable!("as many as that"))
    }

    pub(super) async fn node(&self) -> Node {
        self.node_with(self.redis.address(), |bus| vec![("LOBBY_BUS__URL", self.redis.url_via(bus))]).await
    }

    /// One that gets to the bus at this address, by what its settings say of the way there.
    pub(super) async fn node_with(
        &self,
        bus: SocketAddr,
        settings: impl FnOnce(SocketAddr) -> Vec<(&'static str, String)>,
    ) -> Node {
        let database = Proxy::start(self.postgres.address()).await;
        let bus = Proxy::of_anything(bus).await;
        let launch = Launch {
            database: Database::At(self.postgres.url_via(database.address(), DATABASE)),
            settings: settings(bus.address()),
            ..Launch::default()
        };
        let program = Program::launch(launch).await;
        Node { program, database, bus, client: http_client() }
    }
}

impl Node {
    pub(super) fn address(&self) -> SocketAddr {
        *self.program.address().borrow()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// What it says of the bus while it is ready.
    pub(super) async fn bus(&self) -> Value {
        let answer = in_time("an answer", self.client.get(self.url("/health/ready")).send()).await;
        let answer = answer.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        in_time("a body", answer.json::<Value>()).await.expect("JSON")["bus"].clone()
    }

    pub(super) async fn bus_is(&self, state: &str) {
        becomes_so(&format!("the bus to be {state}"), async || self.bus().await["state"] == state).await;
    }

    pub(super) async fn log_in(&self, pseudonym: &str) -> LoggedIn {
        let body = json!({"pseudonym": pseudonym, "claim": true});
        LoggedIn::from(&self.post("/login", None, &body).await)
    }

    pub(super) async fn log_out(&self, pseudonym: &str, who: &LoggedIn) {
        self.post("/logout", Some(who), &json!({"pseudonym": pseudonym})).await;
    }

    pub(super) async fn post(&self, path: &str, who: Option<&LoggedIn>, body: &Value) -> Value {
        let request = self.client.post(self.url(path)).json(body);
        let request = who.into_iter().fold(request, |request, who| request.bearer_auth(&who.token));
        let answer = in_time("an answer", request.send()).await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        in_time("a body", answer.json()).await.expect("JSON")
    }

    /// Says something, and answers with its id.
    pub(super) async fn say(&self, who: &LoggedIn, content: &str) -> i64 {
        let said = self.post("/messages", Some(who), &json!({"content": content})).await;
        said["id"].as_i64().expect("a number")
    }

    /// A connection that has been let in with this as what it says of itself, and its `session` event.
    pub(super) async fn enter(&self, protocol: Protocol, data: &Value) -> (Connection, Value) {
        Connection::connecting_at(self.address(), protocol, &[], data).await.entered().await
    }

    /// One of nobody's.
    pub(super) async fn listen(&self, protocol: Protocol) -> Connection {
        self.enter(protocol, &json!({})).await.0
    }

    /// What it does while it cannot reach the database, nor ask anybody but the bus what has happened.
    pub(super) async fn blind<T>(&self, meanwhile: impl Future<Output = T>) -> T {
        self.database.stall();
        let done = Box::pin(meanwhile).await;
        self.database.pass();
        done
    }
}

/// Whoever is still connected, and does not read that it is over, is waited for.
pub(super) async fn stop<const N: usize>(nodes: [Node; N]) {
    join_all(nodes.map(|node| node.program.stop())).await;
}
