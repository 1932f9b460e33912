//! The time that processes take.

use std::path::Path;
use std::time::Duration;

use lobby_testbed::Postgres;
use rustix::time::{ClockId, clock_gettime};

/// What this process has taken so far.
pub(crate) fn own() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("it is not negative")
}

/// What the threads of a process have taken that it has now.
pub(crate) fn of(process: u32) -> Duration {
    let tasks = format!("/proc/{process}/task");
    let Ok(tasks) = std::fs::read_dir(tasks) else { return Duration::ZERO };
    tasks.filter_map(|task| run_time(&task.ok()?.path())).sum()
}

fn run_time(task: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(task.join("schedstat")).ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

/// The processes of a PostgreSQL server.
pub(crate) struct Server {
    postmaster: u32,
}

impl Server {
    pub(crate) async fn of(postgres: &Postgres) -> Self {
        let data = postgres.psql("postgres", "SHOW data_directory").await;
        let file = Path::new(&data).join("postmaster.pid");
        let text = std::fs::read_to_string(file).expect("it runs");
        let postmaster = text.lines().next().and_then(|line| line.parse().ok()).expect("a process id");
        Self { postmaster }
    }

    /// What those have taken that it has now.
    pub(crate) fn taken(&self) -> Duration {
        let children = format!("/proc/{0}/task/{0}/children", self.postmaster);
        let children = std::fs::read_to_string(children).expect("Linux tells");
        children.split_whitespace().filter_map(|child| child.parse().ok()).map(of).sum()
    }
}
