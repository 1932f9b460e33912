//! The lobby through its public doors: REST, `/ws` and Socket.IO, by hand-made clients and by real ones.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `rest` | log in, list, log out, every refusal |
//! | `realtime` | both socket protocols, the same rules over each |
//! | `plain`, `socketio` | what only one of them has |
//! | `abuse` | what an attacker sends |
//! | `trust` | who may act in whose name, over every door |
//! | `names` | names over the wire, as `docs/names.md` tells them |
//! | `history` | what was said, read and posted over REST |
//! | `roster` | who is online: what clients are told, and the list in pages |
//! | `presence` | who is online for how long, whatever happens to clients, servers, networks and clocks |
//! | `private` | messages for one session, and nobody else |
//! | `typing` | who is typing, and who gets to know |
//! | `repeat` | the same message sent again |
//! | `retention` | what is not kept for ever |
//! | `resume` | who goes on where a connection left off, by `log` and `after` |
//! | `recovery` | the same as Socket.IO has it, by hand and by its own client |
//! | `restart` | what is still there afterwards |
//! | `crash` | the same, while people talk and the program is killed again and again |
//! | `postgres` | a lobby, or several, on PostgreSQL: the same as on SQLite, and what can only go wrong there |
//! | `full_disk` | what happens when there is no room left |
//! | `storm` | a crowd that is cut off at once, and comes back |
//! | `synced` | that a message is on the disk before anybody is told so |
//! | `clients` | unmodified socket.io-client and python-socketio programs |
//! | `docs` | that the documentation says what is so |
//! | `checker` | whether what clients saw and what is stored fit together |
//! | `recorder` | that the harness' recording client does what `crash` relies on |
//! | `crowd` | many people who talk while something happens |
//! | `harness` | the lobby under test, and clients for it |

mod abuse;
#[expect(unreachable_pub, reason = "a library within the tests")]
mod checker;
mod clients;
mod crash;
#[expect(unreachable_pub, reason = "a library within the tests")]
mod crowd;
mod docs;
mod full_disk;
#[expect(unreachable_pub, reason = "a harness is a library within the tests")]
mod harness;
mod history;
mod names;
mod plain;
mod postgres;
mod presence;
mod private;
mod realtime;
mod recorder;
mod recovery;
mod repeat;
mod rest;
mod restart;
mod resume;
mod retention;
mod roster;
mod socketio;
mod storm;
mod synced;
mod trust;
mod typing;
