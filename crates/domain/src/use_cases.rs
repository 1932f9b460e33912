//! What people do, each in a file of its own.
//!
//! Everything that changes who is online or what was said ([`LogIn`], [`LogOut`], [`PostMessages`]) commits
//! and then announces. Whoever runs these MUST run them one after the other, and each to its end also when
//! nobody waits for the answer any more: that is what makes the announcements follow the commits.

mod authenticate;
mod list_online;
mod log_in;
mod log_out;
mod post_messages;
mod read_history;
#[cfg(test)]
mod tests;

pub use authenticate::{Authenticate, AuthenticateError, Proof, Shown};
pub use list_online::{ListOnline, MAX_USERS};
pub use log_in::{LogIn, LogInError, LogInRequest, LoggedIn};
pub use log_out::{LogOut, LogOutError, LogOutRequest};
pub use post_messages::{Post, PostError, PostMessages};
pub use read_history::{DEFAULT_PAGE, HistoryError, MAX_PAGE, Passage, ReadHistory};
