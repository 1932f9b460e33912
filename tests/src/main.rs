//! The lobby through its public doors: REST, `/ws` and Socket.IO, by hand-made clients and by real ones.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `rest` | log in, list, log out, every refusal |
//! | `realtime` | both socket protocols, the same rules over each |
//! | `plain`, `socketio` | what only one of them has |
//! | `abuse` | what an attacker sends |
//! | `trust` | who may act in whose name, over every door |
//! | `hold` | sessions that run out, and what brings them back |
//! | `matrix` | every act of every caller: the whole of it, in one table |
//! | `metrics` | what operators see: the numbers, and who gets them |
//! | `origin` | which pages may use the lobby, and what browsers are told of the cookie |
//! | `secrets` | that tokens are nowhere but with whom they were given to |
//! | `names` | names over the wire, as `docs/names.md` tells them |
//! | `history` | what was said, read and posted over REST |
//! | `roster` | who is online: what clients are told, and the list in pages |
//! | `presence` | who is online for how long, whatever happens to clients, servers, networks and clocks |
//! | `proxies` | the files of `deploy/` for what stands in front of a lobby, run for real |
//! | `tls` | the lobby's own TLS: who comes in, certificates that change, files that are no good |
//! | `private` | messages for one session, and nobody else |
//! | `typing` | who is typing, and who gets to know |
//! | `repeat` | the same message sent again |
//! | `retention` | what is not kept for ever |
//! | `resume` | who goes on where a connection left off, by `log` and `after` |
//! | `recovery` | the same as Socket.IO has it, by hand and by its own client |
//! | `restart` | what is still there afterwards |
//! | `crash` | the same, while people talk and the program is killed again and again |
//! | `postgres` | a lobby, or several, on PostgreSQL: the same as on SQLite, and what can only go wrong there |
//! | `cluster` | several lobbies on PostgreSQL and Redis, and behind a load balancer that remembers nobody; how they start |
//! | `chaos` | the same with real clients of all kinds, while everything fails, or is restarted |
//! | `backup` | copies that are made while it runs, and what they are good for |
//! | `deploy` | that the files of `deploy/` are what systemd and Kubernetes take |
//! | `full_disk` | what happens when there is no room left |
//! | `soak` | what takes many sockets: a few of them here, thousands in `make soak` |
//! | `storm` | a crowd that is cut off at once, and comes back |
//! | `load` | that the load generator and the lobby understand each other |
//! | `limits` | how much anybody may do, how many may be there, and how long things may take |
//! | `memory` | what somebody costs who is merely there |
//! | `logs` | what is logged of what clients send |
//! | `open_files` | that more can connect than the usual limit of open files lets |
//! | `synced` | that a message is on the disk before anybody is told so |
//! | `api` | the API pages: that they say what is so, and that strangers and their programs get along with them |
//! | `browser` | the web client, in Chromium |
//! | `web` | the files of the web client: how they are served, what is vendored, and their own tests |
//! | `clients` | unmodified socket.io-client and python-socketio programs |
//! | `docs` | that the documentation says what is so |
//! | `checker` | whether what clients saw and what is stored fit together |
//! | `recorder` | that the harness' recording client does what `crash` relies on |
//! | `crowd` | many people who talk while something happens |
//! | `harness` | the lobby under test, and clients for it |

mod abuse;
mod api;
mod backup;
mod browser;
mod chaos;
#[expect(unreachable_pub, reason = "a library within the tests")]
mod checker;
mod clients;
mod cluster;
mod crash;
#[expect(unreachable_pub, reason = "a library within the tests")]
mod crowd;
mod deploy;
mod docs;
mod full_disk;
#[expect(unreachable_pub, reason = "a harness is a library within the tests")]
mod harness;
mod history;
mod hold;
mod limits;
mod load;
mod logs;
mod matrix;
mod memory;
mod metrics;
mod names;
mod open_files;
mod origin;
mod plain;
mod postgres;
mod presence;
mod private;
mod proxies;
mod realtime;
mod recorder;
mod recovery;
mod repeat;
mod rest;
mod restart;
mod resume;
mod retention;
mod roster;
mod secrets;
mod soak;
mod socketio;
mod storm;
mod synced;
mod tls;
mod trust;
mod typing;
mod web;
