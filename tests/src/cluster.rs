//! Several nodes on one database.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `hints` | that other nodes hear at once, and not only when they look |
//! | `faults` | that nothing depends on it |
//! | `order` | that all clients of all nodes see one sequence |
//! | `clients` | unmodified clients behind a load balancer that remembers nobody |
//! | `killed` | the same while a node is killed under them, or goes in order |
//! | `passing` | what a node passes on, to whom, and what becomes of what gets no answer |
//! | `load` | that the load generator finds all of them |
//! | `addresses` | that clients are told apart behind a load balancer, and by way of other nodes |
//! | `marks` | that nobody but nodes can pass anything on |
//! | `skew` | beside a node of the next release |
//! | `secured` | a bus that is reached over TLS, with a password |
//! | `verified` | a database that is reached over TLS, whose certificate is looked at |
//! | `start` | nodes that start together, and a database that is not there yet |

mod addresses;
mod balanced;
mod clients;
mod faults;
mod hints;
mod killed;
mod load;
mod marks;
mod on_a_bus;
mod order;
mod passing;
mod secured;
mod skew;
mod stand_in;
mod start;
mod verified;

use balanced::{Cluster, launch};
use on_a_bus::{Backends, CHANNEL, Node, stop};

/// The database of a cluster.
const DATABASE: &str = "lobby";
