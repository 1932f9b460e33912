//! Several nodes on one database, and clients that come to any of them.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `clients` | unmodified clients behind a load balancer that remembers nobody |
//! | `killed` | the same while a node is killed under them, or goes in order |
//! | `passing` | what a node passes on, to whom, and what becomes of what gets no answer |
//! | `marks` | that nobody but nodes can pass anything on |
//! | `start` | nodes that start together, and a database that is not there yet |

use lobby_testbed::{Nginx, Postgres};

use crate::harness::{Database, Launch, Program, becomes_so};

mod clients;
mod killed;
mod marks;
mod passing;
mod stand_in;
mod start;

/// Nodes on one database, and what stands in front of them.
struct Cluster {
    // The nodes go before their database.
    nodes: Vec<Program>,
    front: Nginx,
    database: Postgres,
}

/// The database of a cluster.
const DATABASE: &str = "lobby";

impl Cluster {
    async fn start(nodes: usize) -> Self {
        Self::start_with(nodes, &[]).await
    }

    /// The same with settings of their own.
    async fn start_with(count: usize, settings: &[(&'static str, &str)]) -> Self {
        let database = Postgres::start().await;
        database.create_database(DATABASE).await;
        let mut nodes: Vec<_> =
            (0..count).map(|_| Program::begin(launch(&database.url(DATABASE), settings))).collect();
        for node in &mut nodes {
            node.opened().await;
        }
        // They are ready a moment before all others can know of them.
        let rows = count.to_string();
        let known = async || database.psql(DATABASE, "SELECT count(*) FROM nodes").await == rows;
        becomes_so("the nodes to be known", known).await;
        let sockets: Vec<_> = nodes.iter().map(Program::socket).collect();
        Self { nodes, front: Nginx::start(&sockets).await, database }
    }

    fn url(&self) -> String {
        format!("http://{}", self.front.address())
    }

    /// All end in order.
    async fn stop(self) {
        for node in self.nodes {
            node.stop().await;
        }
    }
}

fn launch(url: &str, settings: &[(&'static str, &str)]) -> Launch {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Launch { database: Database::At(url.to_owned()), settings, in_cluster: true, ..Launch::default() }
}
