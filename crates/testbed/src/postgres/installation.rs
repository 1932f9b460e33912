//! PostgreSQL as it is installed on this machine, and the user that it can run as.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where Debian and Ubuntu keep the programs, off PATH: a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The oldest version that does.
const OLDEST: u32 = 14;

/// The programs, and who runs the server.
#[derive(Debug)]
pub(super) struct Installation {
    programs: PathBuf,
    /// Such as `15.18`.
    pub(super) version: String,
    /// Nobody else than we, unless we are root: PostgreSQL refuses to be run by root.
    pub(super) user: Option<User>,
}

/// A line of `/etc/passwd`.
#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Installation {
    /// On PATH, else where Debian keeps it.
    pub(super) fn find() -> Self {
        let found = on_path().into_iter().chain(of_debian()).find_map(|programs| {
            let version = version_in(&programs).filter(|version| major(version) >= OLDEST)?;
            Some((programs, version))
        });
        let (programs, version) = found.unwrap_or_else(|| {
            panic!("PostgreSQL {OLDEST} or newer is needed, with initdb on PATH or below {DEBIAN}")
        });
        Self { programs, version, user: other_user() }
    }

    /// The file of a program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Makes `command` run as the user of the server, in a folder that this user may enter.
    pub(super) fn as_user(&self, command: &mut Command, folder: &Path) {
        without_settings_of_others(command);
        command.current_dir(folder);
        if let Some(User { uid, gid, .. }) = self.user {
            command.gid(gid).uid(uid);
        }
    }
}

/// The folder where `initdb` really is: the other programs are beside it, and not always on PATH.
fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let initdb = env::split_paths(&path).map(|folder| folder.join("initdb")).find(|file| file.is_file())?;
    Some(fs::canonicalize(initdb).ok()?.parent()?.to_owned())
}

/// The newest first.
fn of_debian() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(DEBIAN) else { return Vec::new() };
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    let version = |folder: &PathBuf| folder.file_name().map_or(0, |name| major(&name.to_string_lossy()));
    folders.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    folders.into_iter().map(|folder| folder.join("bin")).collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` says 15.18.
fn version_in(programs: &Path) -> Option<String> {
    let output = Command::new(programs.join("postgres")).arg("--version").output().ok()?;
    String::from_utf8_lossy(&output.stdout).split_whitespace().nth(2).map(str::to_owned)
}

/// Of `15.18`, or of `18beta1`; 0 of what is no version.
fn major(version: &str) -> u32 {
    let digits = version.split(|character: char| !character.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Variables such as PGOPTIONS or PGDATA are meant for somebody else's server.
pub(super) fn without_settings_of_others(command: &mut Command) {
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
}

fn other_user() -> Option<User> {
    // Who we are is told by a file that is ours.
    let ours = tempfile::tempfile().and_then(|file| file.metadata()).expect("a temporary file");
    (ours.uid() == 0).then(unprivileged_user)
}

fn unprivileged_user() -> User {
    let users = fs::read_to_string("/etc/passwd").expect("the list of users");
    let user = ["postgres", "nobody"].iter().find_map(|name| user_in(&users, name));
    user.expect("PostgreSQL refuses to be run by root, and there is no user postgres or nobody")
}

/// `postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash`
fn user_in(users: &str, name: &str) -> Option<User> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = fields.into_iter().find(|fields| fields[0] == name)?;
    Some(User { name: name.to_owned(), uid: user.get(2)?.parse().ok()?, gid: user.get(3)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(["9.6", "15.18", "18beta1", "common"].map(major), [9, 15, 18, 0]);
    }

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let users = "post:x:1:2::/:\npostgres:x:101:104:a,b:/:/bin/sh\nbroken\n";
        let user = user_in(users, "postgres").expect("it is there");
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(user_in(users, "nobody").is_none());
        assert!(user_in(users, "broken").is_none());
    }
}
