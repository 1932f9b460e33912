//! What keeps a load from being run, in a sentence each.

use std::io;
use std::path::PathBuf;

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("'{url}' is no address of a server: {why}")]
    Url { url: String, why: String },
    #[error("nothing answers at {url}: {source}")]
    Unreachable { url: String, source: io::Error },
    #[error("{url} refuses the log-in: {why}")]
    LogIn { url: String, why: String },
    #[error(
        "this needs {needed} open files, and the system allows this process {allowed}: raise the hard limit \
         (`ulimit -Hn {needed}` as root, LimitNOFILE= under systemd, or /etc/security/limits.conf), or ask for less"
    )]
    Files { needed: u64, allowed: u64 },
    #[error("only {ready} of {wanted} connections came about: {why}")]
    Connections { ready: usize, wanted: usize, why: String },
    #[error("{0}")]
    Usage(String),
    #[error("'{path}' cannot be written: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{server} does not start: {why}")]
    Server { server: String, why: String },
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}
