use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// The wall clock of a program, which can be wrong. Nothing else of its time is touched.
pub struct WallClock {
    folder: TempDir,
}

impl WallClock {
    /// One that is right for now.
    pub fn new() -> Self {
        let clock = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        clock.jump("+0");
        clock
    }

    /// By so many seconds it is wrong from now on, as `+3600`. Written beside and moved there, so that it is never read half.
    pub fn jump(&self, offset: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, offset).expect("it can be written");
        fs::rename(&new, self.folder.path().join("offset")).expect("it can be moved");
    }

    /// Variables for a program that goes by it. It looks every second how wrong it is, unless more is asked for.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        let offset = self.folder.path().join("offset");
        [
            ("LD_PRELOAD", library()),
            ("FAKETIME_TIMESTAMP_FILE", offset.to_str().expect("a text").to_owned()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

/// What a process loads for its wall clock to be ours.
fn library() -> String {
    let asked = Command::new("faketime").args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let asked = asked.expect("libfaketime is installed: `make tool-faketime` does that");
    String::from_utf8(asked.stdout).expect("a path").trim().to_owned()
}
