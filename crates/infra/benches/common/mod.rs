//! What the benches share.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `backend`, `disk` | where all that happens |
//! | `program` | the real program |
//! | `measure`, `page` | times, and where they are told |

pub(crate) mod backend;
pub(crate) mod disk;
pub(crate) mod measure;
pub(crate) mod page;
pub(crate) mod program;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use tikv_jemallocator::Jemalloc;

/// As the lobby has it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// What may be set from outside.
pub(crate) fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} cannot be '{value}'")))
}

/// Cargo's folder, which is on a disk that keeps things.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().expect("we are a program");
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(std::env::temp_dir, Path::to_owned)
}
