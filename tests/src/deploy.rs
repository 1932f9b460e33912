//! What systemd and Kubernetes say of the files that are given to them.

use std::path::{Path, PathBuf};
use std::process::Output;

use rstest::rstest;
use tokio::process::Command;

use crate::docs::page;
use crate::harness::{binary, in_time};

async fn run(command: &mut Command) -> Output {
    in_time("an answer", command.output()).await.expect("it is installed: `make test` does that")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}

#[rstest]
#[tokio::test]
async fn systemd_takes_the_units(#[values("lobby.service", "lobby@.service")] unit: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // It looks whether the program is there.
    let text = page(&format!("deploy/{unit}"))
        .replace("/usr/local/bin/lobby", &binary("lobby").display().to_string());
    // A name of its own, which no unit of this machine has.
    let file = folder
        .path()
        .join(unit.replace("lobby@", "lobby-under-test@5001").replace("lobby.", "lobby-under-test."));
    std::fs::write(&file, text).expect("it is written");
    let said = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file)).await;
    let text = String::from_utf8(said.stderr).expect("a text");
    assert!(said.status.success() && !text.contains("lobby-under-test"), "{text}");

    let worse = page(&format!("deploy/{unit}")).replace("NoNewPrivileges", "NoNewPrivilege");
    std::fs::write(&file, worse).expect("it is written");
    let said = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file)).await;
    assert!(String::from_utf8_lossy(&said.stderr).contains("NoNewPrivilege"), "it does not look");
}

#[tokio::test]
async fn kubernetes_takes_the_manifests() {
    let validate = async |file: &Path| {
        let program = repository().join("target/kubernetes/bin/kubernetes-validate");
        run(Command::new(program).args(["--strict", "--quiet"]).arg(file)).await
    };
    for name in ["lobby.yaml", "network.yaml"] {
        let file = repository().join("deploy/kubernetes").join(name);
        let said = validate(&file).await;
        assert!(said.status.success(), "{name}: {said:?}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let worse = folder.path().join("worse.yaml");
    let text =
        page("deploy/kubernetes/lobby.yaml").replace("readOnlyRootFilesystem", "readOnlyRootFileSystem");
    std::fs::write(&worse, text).expect("it is written");
    assert!(!validate(&worse).await.status.success(), "it does not look");
}

/// Whoever ends a lobby gives it the time that it takes.
#[test]
fn everybody_waits_for_longer_than_a_goodbye_takes() {
    let seconds = |path: &str, key: &str| {
        let page = page(path);
        let (_, rest) = page.split_once(key).unwrap_or_else(|| panic!("{path} says {key}"));
        let digits = rest.trim_start_matches([' ', '=', '"']).split(|c: char| !c.is_ascii_digit()).next();
        digits
            .and_then(|digits| digits.parse::<u64>().ok())
            .unwrap_or_else(|| panic!("{path}: {key} has a number"))
    };
    let goodbye = seconds("config/default.toml", "\nshutdown_timeout");
    for (path, key, before) in [
        ("deploy/lobby.service", "TimeoutStopSec", 0),
        ("deploy/lobby@.service", "TimeoutStopSec", 0),
        ("compose.yaml", "stop_grace_period:", 0),
        ("compose.cluster.yaml", "stop_grace_period:", 0),
        (
            "deploy/kubernetes/lobby.yaml",
            "terminationGracePeriodSeconds:",
            seconds("deploy/kubernetes/lobby.yaml", "seconds:"),
        ),
    ] {
        assert!(seconds(path, key) > goodbye + before, "{path}");
    }
}

/// Whoever runs it sees how it is doing, and the world does not.
#[test]
fn metrics_are_on_wherever_a_lobby_is_set_up_and_published_nowhere() {
    for (path, listens) in [
        ("compose.yaml", "\n      LOBBY_METRICS__LISTEN: 0.0.0.0:9464\n"),
        ("compose.cluster.yaml", "\n  LOBBY_METRICS__LISTEN: 0.0.0.0:9464\n"),
        ("deploy/lobby.service", "\nEnvironment=LOBBY_METRICS__LISTEN=127.0.0.1:9464\n"),
        ("deploy/lobby@.service", "\nEnvironment=LOBBY_METRICS__LISTEN=127.0.0.1:1%i\n"),
        ("deploy/kubernetes/lobby.yaml", "\n  LOBBY_METRICS__LISTEN: \"0.0.0.0:9464\"\n"),
    ] {
        assert!(page(path).contains(listens), "{path}");
    }
    for path in ["compose.yaml", "compose.cluster.yaml"] {
        let page = page(path);
        let published: Vec<_> =
            page.lines().filter(|line| line.trim().starts_with("- \"127.0.0.1:")).collect();
        assert!(matches!(published[..], [one] if !one.contains("9464")), "{path}: {published:?}");
    }
    let manifest = page("deploy/kubernetes/lobby.yaml");
    let documents: Vec<_> = manifest.split("\n---\n").collect();
    let [service, pods] = ["\nkind: Service\n", "\nkind: Deployment\n"]
        .map(|kind| documents.iter().find(|document| document.contains(kind)).expect("it is there"));
    assert!(!service.contains("9464") && !service.contains("metrics"), "{service}");
    assert!(pods.contains("- name: metrics\n              containerPort: 9464\n"), "{pods}");
    assert!(pods.contains("prometheus.io/port: \"9464\"\n"), "{pods}");
    let policy = page("deploy/kubernetes/network.yaml");
    let rules: Vec<_> = policy.split("\n    - from:\n").skip(1).collect();
    let [clients, scrapers] = rules[..] else { panic!("two rules: {rules:?}") };
    assert!(clients.contains("port: 5000") && !clients.contains("9464"), "{clients}");
    let [name, port] = ["kubernetes.io/metadata.name: monitoring\n", "port: 9464\n"];
    assert!(scrapers.contains(name) && scrapers.contains(port) && !scrapers.contains("5000"), "{scrapers}");
}

/// What is asked for is there, as the API pages know it.
#[test]
fn what_kubernetes_asks_for_is_there() {
    let (manifest, openapi) = (page("deploy/kubernetes/lobby.yaml"), page("docs/openapi.json"));
    let paths: Vec<_> = manifest.lines().filter_map(|line| line.trim().strip_prefix("path: ")).collect();
    assert_eq!(paths, ["/health/live", "/health/ready"]);
    for path in paths {
        assert!(openapi.contains(&format!("\"{path}\"")), "{path}");
    }
}
