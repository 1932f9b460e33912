//! A lobby, or several, on PostgreSQL.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `doors` | the same as on SQLite, through every door |
//! | `outcomes` | commits whose answer gets lost |
//! | `outage` | the database stops and starts again, or is restored from a backup |
//! | `nodes` | two lobbies on one database, one of which stands still |
//! | `roster` | two lobbies on one database, which hear of who comes and goes |
//! | `log_out` | log-outs behind a queue that is full |

use lobby_testbed::{Postgres, Proxy};

use crate::harness::App;

mod doors;
mod log_out;
mod nodes;
mod outage;
mod outcomes;
mod roster;

/// The one database of a test.
const DATABASE: &str = "lobby";

pub(crate) async fn server() -> Postgres {
    let server = Postgres::start().await;
    server.create_database(DATABASE).await;
    server
}

async fn lobby_on(server: &Postgres) -> App {
    lobby_at(&server.url(DATABASE), &[]).await
}

/// With a proxy between the lobby and its database.
pub(crate) async fn lobby_behind_a_proxy(server: &Postgres, settings: &[(&str, &str)]) -> (App, Proxy) {
    let proxy = Proxy::start(server.address()).await;
    let url = server.url_via(proxy.address(), DATABASE);
    (Box::pin(lobby_at(&url, settings)).await, proxy)
}

async fn lobby_at(url: &str, settings: &[(&str, &str)]) -> App {
    let usual = [("database.url", url), ("database.durability", "full")];
    App::spawn_with(&[&usual, settings].concat()).await
}
