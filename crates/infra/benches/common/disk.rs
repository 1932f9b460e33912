//! What the disk itself takes for a commit.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::measure::{Times, now};

const BLOCK: usize = 4096;
const SYNCS: u64 = 400;

/// Blocks are appended to a new file, each synced before the next.
pub(crate) fn syncs(folder: &Path) -> Times {
    let path = folder.join("sync");
    let file = File::create(&path).expect("the folder can be written to");
    let mut times = Times::default();
    for block in 0..SYNCS {
        let start = now();
        file.write_all_at(&[7; BLOCK], block * BLOCK as u64).expect("there is room");
        file.sync_data().expect("the disk works");
        times.note(start);
    }
    std::fs::remove_file(path).expect("it is ours");
    times
}
