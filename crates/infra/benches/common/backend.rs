//! The databases that are measured, on the same disk.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lobby_infra::persistence::{Durability, Store, StoreSettings, Timeouts};
use lobby_testbed::Postgres;

pub(crate) enum Backend {
    /// In a folder.
    Sqlite(PathBuf),
    Postgres(Box<Postgres>),
}

impl Backend {
    pub(crate) async fn all(folder: &Path) -> [Self; 2] {
        let postgres = Postgres::start_with(&[("fsync", "on")]).await;
        let data = postgres.psql("postgres", "SHOW data_directory").await;
        let disk = |folder: &Path| std::fs::metadata(folder).expect("the folder is there").dev();
        assert_eq!(
            disk(Path::new(&data)),
            disk(folder),
            "TMPDIR has to be on the disk of {}",
            folder.display()
        );
        [Self::Sqlite(folder.to_owned()), Self::Postgres(Box::new(postgres))]
    }

    /// The URL of a new database that has our tables.
    pub(crate) async fn new_database(&self, name: &str) -> String {
        let url = match self {
            Self::Sqlite(folder) => format!("sqlite://{}?mode=rwc", folder.join(name).display()),
            Self::Postgres(server) => {
                server.create_database(name).await;
                server.url(name)
            }
        };
        open(&url, Durability::Normal).await.close().await.expect("it closes");
        url
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        })
    }
}

pub(crate) async fn open(url: &str, durability: Durability) -> Store {
    let settings = StoreSettings::new(url, durability, Timeouts::default()).expect("a good URL");
    Store::open(&settings).await.expect("it opens")
}
