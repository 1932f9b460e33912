//! Nodes that serve the same clients: what lands on one and belongs to another is passed on.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `address` | where a node is reached, and its name in sids |
//! | `nodes` | which nodes are up, and where |
//! | `mark` | what shows that a request comes from a node |
//! | `arrival` | requests that a node has passed on to this one |
//! | `relay` | requests that this node passes on |
//! | `tunnel` | the bytes of a WebSocket that is passed on |
//!
//! Invariant: a request is passed on once, to the node that its session names, and never sent a second time.
//!
//! Invariant: nobody without the secret key has a request passed on, or taken for one that was.

mod address;
mod arrival;
mod mark;
mod nodes;
mod relay;
mod tunnel;

pub use address::{Address, InvalidAddress, name_of};
pub use arrival::{guard, is_relayed};
pub use mark::Marks;
pub use nodes::Nodes;
pub use relay::{Relay, RelayLimits};
