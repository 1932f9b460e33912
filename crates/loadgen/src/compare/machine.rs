//! What the machine is, and how servers and generator share it.

use std::env;
use std::fs;
use std::process::Command as Probe;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

/// The processor of each.
const SERVER: &str = "0";
const GENERATOR: &str = "1";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    /// Before anything was started from here.
    pub(crate) load: String,
    /// Whether servers and generator each have a processor of their own.
    pub(crate) pinned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Generator,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let unknown = || "unknown".to_owned();
        let cores = available_parallelism().map_or(1, Into::into);
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            processor: known("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores,
            memory: known("/proc/meminfo", "MemTotal").unwrap_or_else(unknown),
            load: load.split_whitespace().next().map_or_else(unknown, ToOwned::to_owned),
            pinned: cores >= 2 && Probe::new("taskset").arg("--version").output().is_ok(),
        }
    }

    /// A command that ends with whoever holds its process.
    pub(crate) fn command(&self, role: Role, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = if self.pinned {
            let mut command = Command::new("taskset");
            command.args(["-c", if role == Role::Server { SERVER } else { GENERATOR }]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path))).kill_on_drop(true);
        command
    }
}

/// What a file of Linux says behind a name and a colon.
fn known(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
