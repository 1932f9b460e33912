//! New clusters. `initdb` takes a second; a copy of what it has made takes a tenth of that.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::ROLE;
use super::installation::Installation;

/// The cluster, in its temporary folder.
pub(super) const DATA: &str = "data";

/// A file system in memory that Linux has: a cluster of a thousand files is there in a fraction of the time.
const MEMORY: &str = "/dev/shm";
/// How much of it has to be free: containers tend to have next to none.
const ROOM_BYTES: u64 = 4 << 30;

/// An empty cluster in a temporary folder that belongs to the user who runs the server. A `durable` one is on a disk.
pub(super) fn new_cluster(installation: &Installation, durable: bool) -> TempDir {
    let parent = if durable { env::temp_dir() } else { fast_folder() };
    let folder = folder_for(installation, &parent);
    copy(&template(installation), &folder.path().join(DATA));
    folder
}

/// The cluster that all others are copies of; made by whoever needs it first.
fn template(installation: &Installation) -> PathBuf {
    let user = installation.user.as_ref().map_or("self", |user| &user.name);
    let template = cache().join(format!("postgres-{}-{user}", installation.version));
    fs::create_dir_all(cache()).expect("a folder for templates can be made");
    let lock = File::create(template.with_added_extension("lock")).expect("a lock file can be made");
    lock.lock().expect("the template can be locked");
    if !template.exists() {
        make(installation, &template);
    }
    template
}

/// Whoever finds `template` finds all of it: it gets its name when it is whole.
fn make(installation: &Installation, template: &Path) {
    let folder = folder_for(installation, &env::temp_dir());
    let data = folder.path().join(DATA);
    initdb(installation, folder.path(), &data);
    let beside = tempfile::tempdir_in(cache()).expect("a temporary folder");
    copy(&data, &beside.path().join(DATA));
    fs::rename(beside.path().join(DATA), template).expect("the template is not there yet");
}

fn initdb(installation: &Installation, folder: &Path, data: &Path) {
    let mut initdb = Command::new(installation.program("initdb"));
    initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", ROLE]);
    initdb.arg("--pgdata").arg(data);
    installation.as_user(&mut initdb, folder);
    run(&mut initdb);
}

/// Keeps owners and modes, which PostgreSQL insists on.
fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Cargo's target folder, which is marked, if we have been built into one.
fn cache() -> PathBuf {
    let program = env::current_exe().expect("we are a program");
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(env::temp_dir, Path::to_owned).join("testbed")
}

fn folder_for(installation: &Installation, parent: &Path) -> TempDir {
    let Some(user) = &installation.user else {
        return tempfile::tempdir_in(parent).expect("a temporary folder");
    };
    let folder = tempfile::tempdir_in(open_to_all(parent)).expect("a temporary folder");
    chown(folder.path(), Some(user.uid), Some(user.gid)).expect("root may give folders away");
    folder
}

/// Root's own folder for temporary files may be closed to others.
fn open_to_all(folder: &Path) -> &Path {
    let may_enter = |folder: &Path| fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o001 != 0);
    if folder.ancestors().all(may_enter) { folder } else { Path::new("/tmp") }
}

/// Memory where it has room, unless TMPDIR says where.
fn fast_folder() -> PathBuf {
    let memory = Path::new(MEMORY);
    let in_memory = env::var_os("TMPDIR").is_none() && free_bytes(memory) >= ROOM_BYTES;
    if in_memory { memory.to_owned() } else { env::temp_dir() }
}

fn free_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |system| system.f_bavail * system.f_frsize)
}
