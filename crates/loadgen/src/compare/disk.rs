//! What the disk itself takes for a commit.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::error::Error;
use crate::latency::Latencies;

const BLOCK: usize = 4096;
const SYNCS: u64 = 300;

/// Milliseconds to write 4 KiB and sync them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Syncs {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Blocks are appended to a new file, each synced before the next.
pub(crate) fn measure(folder: &Path) -> Result<Syncs, Error> {
    let path = folder.join("sync");
    let failed = |source| Error::Write { path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    let mut latencies = Latencies::new();
    for block in 0..SYNCS {
        let clock = Clock::start();
        file.write_all_at(&[7; BLOCK], block * BLOCK as u64)
            .and_then(|()| file.sync_data())
            .map_err(failed)?;
        latencies.record(clock.now());
    }
    fs::remove_file(&path).map_err(failed)?;
    let quantiles = latencies.quantiles().expect("there are some");
    Ok(Syncs { p50: quantiles.p50, p99: quantiles.p99 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = measure(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }
}
