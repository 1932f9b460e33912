//! Lets the senders send, when they are to.

use std::time::Duration;

use super::{Generator, Pace, Plan};
use crate::engine::Engine;
use crate::latency::Latencies;
use crate::listener::Listener;
use crate::number::{float, nanos, nanos_of, seconds};
use crate::process::{Cost, Process, Usage, usage_of};
use crate::progress::Progress;
use crate::stamp::Stamp;
use crate::target::Target;
use crate::template::Template;

const SECOND: u64 = 1_000_000_000;

/// How long deliveries may still come in after the last message, and how long nothing may come until none is expected.
const DRAIN: u64 = 30 * SECOND;
const SILENCE: u64 = 2 * SECOND;

/// What comes twice comes soon after the first.
const DOUBLES: u64 = SECOND / 10;

pub(super) struct Driver<'a> {
    plan: &'a Plan,
    run: u32,
    templates: Vec<Template>,
    /// The next sequence number of each sender.
    next: Vec<u32>,
    /// Messages that were due so far, of a rate.
    scheduled: u64,
    stopped: bool,
    pub(super) engine: Engine,
    pub(super) listener: Listener,
    pub(super) lag: Latencies,
    pub(super) sent: u64,
    pub(super) unsent: u64,
}

/// The moments between which is measured.
pub(super) struct Marks {
    start: Mark,
    end: Mark,
    pub(super) overloaded: bool,
}

struct Mark {
    /// Since the run began.
    time: u64,
    deliveries: u64,
    sent: u64,
    server: Option<Usage>,
    /// Seconds of those beside it.
    beside: Vec<Option<f64>>,
    own: Option<Usage>,
    waited: Option<f64>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(target: &Target, plan: &'a Plan, run: u32, engine: Engine, listener: Listener) -> Self {
        // Whoever has logged in is known.
        let name = |sender| (!target.logs_in).then(|| format!("load-{sender}"));
        let template = |sender| Template::new(target.protocol, name(sender).as_deref(), plan.size);
        Self {
            plan,
            run,
            templates: (0..plan.senders).map(template).collect(),
            next: vec![0; plan.senders],
            scheduled: 0,
            stopped: false,
            engine,
            listener,
            lag: Latencies::new(),
            sent: 0,
            unsent: 0,
        }
    }

    pub(super) fn run(&mut self, progress: &mut Progress) -> Marks {
        let warm = nanos(self.plan.warm_up);
        let end = warm + nanos(self.plan.duration);
        self.listener.began = self.engine.now();
        self.listener.window = warm..end;
        if let Pace::InFlight(each) = self.plan.pace {
            for _ in 0..each {
                self.listener.echoed.extend(0..self.plan.senders);
            }
        }
        self.until(warm, progress);
        let start = self.mark();
        self.until(end, progress);
        let end = self.mark();
        self.stopped = true;
        let overloaded = self.drain(progress);
        Marks { start, end, overloaded }
    }

    /// Since the run began.
    fn now(&self) -> u64 {
        self.engine.now() - self.listener.began
    }

    fn until(&mut self, end: u64, progress: &mut Progress) {
        loop {
            let now = self.now();
            self.pump(now);
            if now >= end {
                return;
            }
            let wake = self.due().map_or(end, |due| due.min(end));
            for number in 0..self.engine.wait(nap(wake.saturating_sub(now))) {
                self.engine.handle(number, &mut self.listener);
                self.pump(self.now());
            }
            progress.say(
                if self.stopped { "waiting for the rest" } else { "running" },
                milliseconds(now),
                milliseconds(end),
            );
        }
    }

    /// When the next message is due, of a rate.
    fn due(&self) -> Option<u64> {
        match self.plan.pace {
            Pace::Rate(rate) if !self.stopped => Some(nanos_of(float(self.scheduled) / rate)),
            _ => None,
        }
    }

    /// Sends what is due: what the schedule says, or one for each that came back.
    #[inline]
    fn pump(&mut self, now: u64) {
        if self.stopped || matches!(self.plan.pace, Pace::Rate(_)) {
            self.listener.echoed.clear();
        }
        while let Some(sender) = self.listener.echoed.pop() {
            let now = self.now();
            self.send(sender, now);
        }
        let end = self.listener.window.end;
        while let Some(due) = self.due().filter(|due| *due <= now && *due < end) {
            self.lag.record(now - due);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it is less than the senders, whose number has this type"
            )]
            let sender = (self.scheduled % self.plan.senders as u64) as usize;
            self.scheduled += 1;
            self.send(sender, due);
        }
    }

    #[inline]
    fn send(&mut self, sender: usize, time: u64) {
        let sequence = self.next[sender];
        #[expect(
            clippy::cast_possible_truncation,
            reason = "there are fewer senders than stamps can tell apart"
        )]
        let stamp = Stamp { run: self.run, sender: sender as u32, sequence, time };
        let text = self.templates[sender].with(&stamp);
        if self.engine.send(sender, text, &mut self.listener) {
            self.next[sender] += 1;
            self.sent += 1;
        } else {
            self.unsent += 1;
        }
    }

    fn mark(&self) -> Mark {
        Mark {
            deliveries: self.listener.checker.counts.deliveries,
            sent: self.sent,
            server: usage_of(&self.plan.servers),
            beside: self.plan.beside.iter().map(|one| one.process.family_seconds()).collect(),
            own: Process::own().usage(),
            waited: Process::own().waited(),
            time: self.now(),
        }
    }

    /// Waits for what is on its way. Says whether it still came when that had taken too long.
    fn drain(&mut self, progress: &mut Progress) -> bool {
        const STEP: u64 = SECOND / 50;

        let deadline = self.now() + DRAIN;
        let (mut before, mut heard_at) = (0, self.now());
        while !self.has_all() {
            let (now, heard) = (self.now(), self.listener.checker.counts.deliveries);
            if heard != before {
                (before, heard_at) = (heard, now);
            } else if now > heard_at + SILENCE {
                return false;
            }
            if now > deadline {
                return true;
            }
            self.until(now + STEP, progress);
        }
        self.until(self.now() + DOUBLES, progress);
        false
    }

    fn has_all(&self) -> bool {
        self.listener.checker.counts.lost(self.sent * self.plan.receivers as u64) == 0
    }
}

impl Marks {
    pub(super) fn seconds(&self) -> f64 {
        seconds(self.end.time - self.start.time)
    }

    pub(super) fn deliveries(&self) -> u64 {
        self.end.deliveries - self.start.deliveries
    }

    pub(super) fn sent(&self) -> u64 {
        self.end.sent - self.start.sent
    }

    pub(super) fn server_cost(&self) -> Option<Cost> {
        Cost::between(self.start.server, self.end.server, self.seconds())
    }

    /// What those beside the server have taken, in the order of the plan.
    pub(super) fn beside(&self) -> impl Iterator<Item = Option<Cost>> {
        let both = self.start.beside.iter().zip(&self.end.beside);
        both.map(|(start, end)| Some(Cost::of((*end)? - (*start)?, self.seconds())))
    }

    pub(super) fn generator(&self) -> Option<Generator> {
        let cpu_share = Cost::between(self.start.own, self.end.own, self.seconds())?.cpu_share;
        let waited = self.end.waited? - self.start.waited?;
        Some(Generator { cpu_share, waited_share: waited / self.seconds() })
    }
}

/// How long to sleep where there is something to do in so many nanoseconds: whole milliseconds, which is what the
/// system's timers are exact to. Less than one is waited for awake.
fn nap(nanos: u64) -> Duration {
    Duration::from_millis(nanos / 1_000_000)
}

/// For a progress bar.
fn milliseconds(nanos: u64) -> usize {
    usize::try_from(nanos / 1_000_000).unwrap_or(usize::MAX)
}
