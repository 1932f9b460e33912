//! What Linux says of a process, and of this one. Elsewhere there is nothing to say.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::number::float;

/// A process that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

/// How much it has taken so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Of all its threads, the ended ones too, in user and kernel mode.
    pub(crate) cpu_seconds: f64,
    /// What of its memory is in RAM.
    pub(crate) rss_kib: u64,
}

impl Process {
    pub(crate) fn new(id: u32) -> Self {
        Self(id)
    }

    pub(crate) fn own() -> Self {
        Self(std::process::id())
    }

    pub(crate) fn usage(self) -> Option<Usage> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let cpu_seconds = float(ticks(&stat)?) / float(rustix::param::clock_ticks_per_second());
        Some(Usage { cpu_seconds, rss_kib: resident(&status)? })
    }

    /// Seconds of CPU that it and its children have taken, in all threads that they have now, to the nanosecond: a server such as
    /// PostgreSQL has a process for each connection.
    pub(crate) fn family_seconds(self) -> Option<f64> {
        // One that has ended meanwhile is left out.
        let children: f64 = self
            .of_threads("children")?
            .iter()
            .flat_map(|children| {
                let children = children.split_ascii_whitespace().filter_map(|child| child.parse().ok());
                children.filter_map(|child| Self(child).run_seconds())
            })
            .sum();
        Some(self.run_seconds()? + children)
    }

    fn run_seconds(self) -> Option<f64> {
        self.scheduled(0)
    }

    /// How long its threads wanted to run and had to wait for a processor, in seconds.
    pub(crate) fn waited(self) -> Option<f64> {
        self.scheduled(1)
    }

    /// What the scheduler says of all threads, in seconds: a field of `schedstat`.
    fn scheduled(self, field: usize) -> Option<f64> {
        let threads = self.of_threads("schedstat")?;
        let times =
            threads.iter().filter_map(|text| text.split_ascii_whitespace().nth(field)?.parse::<u64>().ok());
        Some(float(times.sum()) / 1e9)
    }

    /// What a file says of each of its threads.
    fn of_threads(self, file: &str) -> Option<Vec<String>> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0)).ok()?;
        Some(threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join(file)).ok()).collect())
    }
}

/// What several have taken together; of none there is nothing to say.
pub(crate) fn usage_of(processes: &[Process]) -> Option<Usage> {
    let usages: Option<Vec<_>> = processes.iter().map(|process| process.usage()).collect();
    usages?.into_iter().reduce(|sum, one| Usage {
        cpu_seconds: sum.cpu_seconds + one.cpu_seconds,
        rss_kib: sum.rss_kib + one.rss_kib,
    })
}

/// User and kernel mode, from `/proc/PID/stat`: the 14th and 15th field, counted behind the name, which may have spaces.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map_while(|field| field.parse::<u64>().ok());
    Some(fields.next()? + fields.next()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// What a run of a load had the server take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) cpu_seconds: f64,
    /// Of one processor.
    pub(crate) cpu_share: f64,
}

impl Cost {
    pub(crate) fn between(before: Option<Usage>, after: Option<Usage>, seconds: f64) -> Option<Self> {
        Some(Self::of(after?.cpu_seconds - before?.cpu_seconds, seconds))
    }

    pub(crate) fn of(cpu_seconds: f64, seconds: f64) -> Self {
        Self { cpu_seconds, cpu_share: cpu_seconds / seconds }
    }
}

/// What each of so many connections added, in KiB.
pub(crate) fn kib_each(before: Option<Usage>, after: Option<Usage>, connections: usize) -> Option<f64> {
    let (before, after) = (float(before?.rss_kib), float(after?.rss_kib));
    Some((after - before) / crate::number::float_len(connections.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_is_skipped() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 300 20 0 0 20 0 1 0 99";
        assert_eq!(ticks(stat), Some(320));
        assert_eq!(resident("VmSize:\t 9 kB\nVmRSS:\t  1234 kB\n"), Some(1234));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_taken_something_and_one_that_is_not_there_says_nothing() {
        assert!(Process::own().usage().unwrap().rss_kib > 100);
        assert!(Process::own().waited().is_some());
        assert_eq!(Process::new(u32::MAX).usage(), None);
        assert_eq!(Process::new(u32::MAX).family_seconds(), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_several_have_taken_is_added_up_and_children_count_where_they_are_asked_for() {
        let own = Process::own();
        let both = usage_of(&[own, own]).unwrap();
        assert!(both.rss_kib > own.usage().unwrap().rss_kib * 3 / 2);
        assert_eq!((usage_of(&[]), usage_of(&[own, Process::new(u32::MAX)])), (None, None));
        // A shell that reckons, which is never done by itself.
        let mut child = std::process::Command::new("sh")
            .args(["-c", "ulimit -t 5; while :; do :; done"])
            .spawn()
            .unwrap();
        let alone = Process::new(child.id());
        while alone.run_seconds().unwrap() < 0.05 {
            std::thread::yield_now();
        }
        assert!(own.family_seconds().unwrap() >= own.run_seconds().unwrap() + 0.05);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
