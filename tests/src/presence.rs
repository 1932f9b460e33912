//! Who is online, and for how long: real time, shortened by settings.
//!
//! Nothing here waits for a time to pass. That somebody has not left is known when somebody else has who went later:
//! see [`tab::Tab::burn_a_candle`].
//!
//! | module | what it tests |
//! | --- | --- |
//! | `reload` | tabs that close and open again |
//! | `cut` | clients that are gone without a word |
//! | `restarts` | the program is killed, or stopped, and starts again |
//! | `clients` | socket.io-client and python-socketio side by side, as written for the original |
//! | `log_out` | everything of a session ends with it, on every node |
//! | `nodes` | several nodes, of which one is killed, restarted or frozen |
//! | `outage` | the database is away |
//! | `jumps` | the wall clock jumps |
//! | `crowd` | many come and go at random |
//! | `door`, `tab` | a lobby as its clients see it, and one of their tabs |

mod clients;
mod crowd;
mod cut;
#[expect(unreachable_pub, reason = "a library within the tests")]
mod door;
mod jumps;
mod log_out;
mod nodes;
mod outage;
mod reload;
mod restarts;
#[expect(unreachable_pub, reason = "a library within the tests")]
mod tab;

use crate::harness::{App, Database, Launch, Program, SECRET_KEY};

/// What polls and is gone is found out by its silence. A server ends nobody before it has been up for a lease.
const USUAL: [(&str, &str); 4] = [
    ("socketio.ping_interval", "2s"),
    ("socketio.ping_timeout", "6s"),
    ("websocket.ping_interval", "5s"),
    ("presence.lease", "1s"),
];

/// With settings of its own.
async fn app(settings: &[(&str, &str)]) -> App {
    App::spawn_with(&[&USUAL, settings].concat()).await
}

/// The same as a program, whose settings are variables.
async fn program(database: Database, settings: &[(&'static str, &str)]) -> Program {
    let usual = [
        // All servers of a database have one secret.
        ("SECRET_KEY", SECRET_KEY),
        ("LOBBY_SOCKETIO__PING_INTERVAL", "2s"),
        ("LOBBY_SOCKETIO__PING_TIMEOUT", "6s"),
        ("LOBBY_WEBSOCKET__PING_INTERVAL", "5s"),
        ("LOBBY_PRESENCE__LEASE", "1s"),
    ];
    let settings = usual.iter().chain(settings).map(|(name, value)| (*name, (*value).to_owned())).collect();
    Program::launch(Launch { database, settings, ..Launch::default() }).await
}
