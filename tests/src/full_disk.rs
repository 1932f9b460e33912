//! A disk without room left: what is said is refused, what was said can be read, and when there is room again all goes on.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Command;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use crate::crowd::{Crowd, assert_faultless};
use crate::harness::{Database, Launch, Program, Random, becomes_so, http_client, in_time};

/// What runs its arguments where a folder is a small disk that nobody else has.
const SMALL_DISK: &str = r#"mkdir disk && mount -t tmpfs -o size=16m small disk && exec "$@""#;

const PEOPLE: usize = 8;

/// Longer than it takes the lobby to look whether there is room again.
const A_WHILE: Duration = Duration::from_millis(1_500);

fn on_a_small_disk() -> Launch {
    // Root may mount; others may where they are root to themselves.
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let unshare: &[_] = if is_root { &["unshare"] } else { &["unshare", "--user", "--map-root-user"] };
    let through = unshare.iter().chain(&["--mount", "sh", "-c", SMALL_DISK, "sh"]);
    Launch {
        database: Database::At("sqlite://disk/lobby.db?mode=rwc".to_owned()),
        through: through.map(|word| (*word).to_owned()).collect(),
        ..Launch::default()
    }
}

/// A file that takes all the room there is.
struct Filler(PathBuf);

impl Filler {
    fn new(program: &Program) -> Self {
        let root = PathBuf::from(format!("/proc/{}/root", program.pid()));
        let folder = program.folder().strip_prefix("/").expect("an absolute path");
        Self(root.join(folder).join("disk/filler"))
    }

    /// Until there is no room.
    fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(&self.0).expect("it can be made");
        let chunk = vec![0; 4_096];
        let full = loop {
            if let Err(error) = file.write_all(&chunk) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }

    fn remove(&self) {
        fs::remove_file(&self.0).expect("it is there");
    }
}

async fn status_of(program: &Program, path: &str) -> (StatusCode, Value) {
    let url = format!("http://{}{path}", *program.address().borrow());
    let answer = in_time("an answer", reqwest::get(url)).await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn readiness_is(program: &Program, status: StatusCode) {
    becomes_so("its readiness to change", async || status_of(program, "/health/ready").await.0 == status)
        .await;
}

async fn is_refused(program: &Program) {
    let request = http_client().post(format!("http://{}/login", *program.address().borrow()));
    let refused = in_time("an answer", request.json(&json!({"pseudonym": "late"})).send()).await;
    let refused = refused.expect("an answer");
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    let problem: Value = refused.json().await.expect("JSON");
    assert_eq!((&problem["code"], &problem["retry_after"]), (&json!("unavailable"), &json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_disk_is_full_posts_are_refused_and_nothing_else_happens() {
    let program = Program::launch(on_a_small_disk()).await;
    let filler = Filler::new(&program);
    let crowd = Crowd::gather(&[program.address()], PEOPLE, &mut Random::new(1)).await;
    for _ in 0..2 {
        crowd.anybody(&mut Random::new(2)).next_acknowledgement().await;
        filler.fill();
        readiness_is(&program, StatusCode::SERVICE_UNAVAILABLE).await;
        let stays_red = timeout(A_WHILE, readiness_is(&program, StatusCode::OK)).await;
        assert!(stays_red.is_err(), "there is still no room");
        is_refused(&program).await;
        let (status, page) = status_of(&program, "/messages").await;
        assert!(status.is_success() && page["last_id"].as_u64() > Some(0), "{page}");
        assert_eq!(status_of(&program, "/users").await.0, StatusCode::OK);
        filler.remove();
        readiness_is(&program, StatusCode::OK).await;
    }
    let (log, records) = crowd.settle().await;
    assert_faultless(&log, &records, "");
    assert!(records.iter().all(|record| record.segments.len() == 1), "nobody was disconnected");
    assert!(
        records.iter().flat_map(|record| &record.posts).any(|post| post.sent > 1),
        "somebody was refused"
    );
    program.stop().await;
}
