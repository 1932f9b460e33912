//! How many files and sockets the process may have open.
//!
//! The usual limit of 1,024 is from the days of programs that count files in small sets, and it is a soft one for their sake: whoever
//! can do with more asks for it. Each connection takes one of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many it may have open as it is.
pub(crate) fn most() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Raises the limit as far as the system allows without privileges, and says how far that is.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        Ok(()) => tracing::debug!(limit = limit.maximum, "open files"),
        Err(error) => tracing::warn!(limit = limit.current, %error, "the limit of open files stays as it is"),
    }
}
