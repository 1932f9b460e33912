//! Nodes that clients reach through a load balancer only.

use lobby_testbed::{Nginx, Postgres};

use super::DATABASE;
use crate::docs::page;
use crate::harness::{Database, Launch, Program};

/// What is given to those who run a lobby: it is what is tested.
const SITE: &str = "deploy/nginx.conf";

/// Nodes on one database, and what stands in front of them.
pub(super) struct Cluster {
    // The nodes go before their database.
    pub(super) nodes: Vec<Program>,
    pub(super) front: Nginx,
    pub(super) database: Postgres,
}

impl Cluster {
    pub(super) async fn start(nodes: usize) -> Self {
        Self::start_with(nodes, &[]).await
    }

    /// The same with settings of their own.
    pub(super) async fn start_with(count: usize, settings: &[(&'static str, &str)]) -> Self {
        let database = Postgres::start().await;
        database.create_database(DATABASE).await;
        let mut nodes: Vec<_> =
            (0..count).map(|_| Program::begin(launch(&database.url(DATABASE), settings))).collect();
        for node in &mut nodes {
            node.opened().await;
        }
        let sockets: Vec<_> = nodes.iter().map(Program::socket).collect();
        Self { nodes, front: Nginx::start_with(&page(SITE), &sockets).await, database }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.front.address())
    }

    /// All end in order.
    pub(super) async fn stop(self) {
        for node in self.nodes {
            node.stop().await;
        }
    }
}

pub(super) fn launch(url: &str, settings: &[(&'static str, &str)]) -> Launch {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Launch { database: Database::At(url.to_owned()), settings, in_cluster: true, ..Launch::default() }
}
