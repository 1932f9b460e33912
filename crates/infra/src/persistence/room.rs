//! Whether the disk has room.

use std::fs;
use std::path::Path;

use sea_orm::DbErr;

use super::Store;

/// What has to be free before a full disk counts as one with room: far more than most commits take. Less would do for a small
/// one, which says nothing about the next.
const ROOM: usize = 1 << 20;

impl Store {
    /// Takes that much for a moment, beside a database that is a file.
    pub(super) async fn has_room(&self) -> Result<(), DbErr> {
        let Some(probe) = self.settings.beside("-probe") else { return Ok(()) };
        let probed = tokio::task::spawn_blocking(move || write_and_remove(&probe)).await;
        let probed = probed.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
        probed.map_err(|error| DbErr::Custom(format!("there is no room beside the database: {error}")))
    }
}

fn write_and_remove(probe: &Path) -> std::io::Result<()> {
    let written = fs::write(probe, vec![0; ROOM]);
    fs::remove_file(probe)?;
    written
}
