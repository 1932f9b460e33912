//! A program that tries all that the API page describes, and what it forbids.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::repository;
use crate::harness::App;

/// Some times as long as it takes.
const LIMIT: Duration = Duration::from_secs(110);

/// All checks, with good data and with bad; how much is tried is said in `schemathesis.toml`.
#[tokio::test]
async fn schemathesis_finds_nothing() {
    let app = App::spawn().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let repository = repository();
    let mut command = Command::new(repository.join("target/clients/python/bin/schemathesis"));
    command.arg("--config-file").arg(repository.join("tests/clients/python/schemathesis.toml"));
    // From the address it is served at it would leave that one out.
    command.arg("run").arg(repository.join("docs/openapi.json")).args(["--url", &app.url("")]);
    command.current_dir(folder.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output =
        timeout(LIMIT, command.output()).await.expect("it ends").expect("`make clients` installs it");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    // Whoever tries nothing finds nothing.
    let all = format!("Tested: {}", super::operations());
    assert!(told.contains(&all), "{told}");
}
