//! What the system says of the process, under the names that all of Prometheus' libraries have for it.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub(super) struct Process {
    pub(super) registry: Registry,
    cpu: Counter<f64, AtomicU64>,
    open: Gauge,
    most_open: Gauge,
    resident: Gauge,
    virtual_size: Gauge,
    threads: Gauge,
    started: Gauge,
}

impl Default for Process {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("process");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let process = Self {
            open: gauge("open_fds", "Open files and sockets"),
            most_open: gauge("max_fds", "Files and sockets that may be open"),
            resident: gauge("resident_memory_bytes", "Memory in use"),
            virtual_size: gauge("virtual_memory_bytes", "Memory that is addressed"),
            threads: gauge("threads", "Threads"),
            started: gauge("start_time_seconds", "When it started, in seconds since 1970"),
            cpu: Counter::default(),
            registry: Registry::default(),
        };
        registry.register(
            "cpu_seconds",
            "Processor time, the system's on its behalf included",
            process.cpu.clone(),
        );
        Self { registry, ..process }
    }
}

#[cfg(target_os = "linux")]
impl Process {
    /// What cannot be read stays as it was.
    pub(super) fn sample(&self) {
        if let Err(error) = self.try_sample() {
            tracing::debug!(%error, "the system does not say how the process is doing");
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "ticks of years are exact")]
    fn try_sample(&self) -> procfs::ProcResult<()> {
        use std::sync::atomic::Ordering;

        use procfs::process::LimitValue;

        let process = procfs::process::Process::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second();
        let seconds = (stat.utime + stat.stime) as f64 / ticks as f64;
        self.cpu.inner().store(seconds.to_bits(), Ordering::Relaxed);
        set(&self.resident, stat.rss * procfs::page_size());
        set(&self.virtual_size, stat.vsize);
        self.threads.set(stat.num_threads);
        set(&self.started, procfs::boot_time_secs()? + stat.starttime / ticks);
        set(&self.open, process.fd_count()? as u64);
        set(
            &self.most_open,
            match process.limits()?.max_open_files.soft_limit {
                LimitValue::Value(most) => most,
                LimitValue::Unlimited => u64::MAX,
            },
        );
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn set(gauge: &Gauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

#[cfg(not(target_os = "linux"))]
impl Process {
    /// Only Linux says it in a file.
    pub(super) fn sample(&self) {}
}
