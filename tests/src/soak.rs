//! What only shows in large: here with some hundreds, with `make soak` with thousands.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `LOBBY_SOAK_SOCKETS` | how many sockets there are that are told goodbye |
//! | `LOBBY_SOAK_SLOW` | how many slow sockets there are of each form; with it, how long others wait is looked at too |

mod goodbye;
mod slow;
