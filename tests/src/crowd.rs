//! Many people who talk while something happens to the lobby.

use std::ops::Range;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::checker::{Log, Post, Record, check};
use crate::harness::{Address, PATIENCE, Protocol, Random, Recorder, in_time};

/// How long somebody thinks before the next post, in milliseconds.
const THOUGHT: Range<u64> = 0..40;
/// How many faults are shown of all.
const SHOWN: usize = 20;

/// Everybody who is there.
pub struct Crowd {
    /// Those who talk, and the listener.
    recorders: Vec<Arc<Recorder>>,
    talks: Vec<JoinHandle<()>>,
    is_over: watch::Sender<bool>,
    /// The last id before anybody said anything.
    beginning: u64,
}

impl Crowd {
    /// So many people log in and talk, in turns at each of these nodes, over both protocols. One more listens, who is nobody in
    /// particular.
    pub async fn gather(nodes: &[Address], people: usize, random: &mut Random) -> Self {
        // The database may have been used before, by people whose sessions are not over.
        let prefix = random.within(0..1 << 32);
        let mut recorders = Vec::new();
        for n in 0..people {
            let protocol =
                if (n / nodes.len()).is_multiple_of(2) { Protocol::Plain } else { Protocol::SocketIo };
            let (node, name) = (&nodes[n % nodes.len()], format!("{prefix:x}-{n}"));
            recorders.push(Recorder::log_in(node, protocol, &name, random.fork()).await);
        }
        let node = &nodes[people % nodes.len()];
        recorders.push(Recorder::start(node, Protocol::Plain, "the listener", None, random.fork()));
        join_all(recorders.iter().map(|recorder| recorder.connected(1))).await;
        let beginning = recorders[people].progress().position;
        let recorders: Vec<_> = recorders.into_iter().map(Arc::new).collect();
        let (is_over, over) = watch::channel(false);
        let talks = recorders[..people].iter().map(|who| {
            tokio::spawn(talk(Arc::clone(who), others(&recorders, who), over.clone(), random.fork()))
        });
        Self { talks: talks.collect(), recorders, is_over, beginning }
    }

    /// Somebody who talks.
    pub fn anybody(&self, random: &mut Random) -> &Recorder {
        random.one_of::<Arc<_>>(&self.recorders[..self.talks.len()])
    }

    /// Those who talk at this node, of as many as there are.
    pub fn at(&self, node: usize, nodes: usize) -> impl Iterator<Item = &Recorder> {
        self.recorders[..self.talks.len()].iter().skip(node).step_by(nodes).map(Arc::as_ref)
    }

    /// Waits until all is said, acknowledged and seen; then reads everything.
    pub async fn settle(self) -> (Log, Vec<Record>) {
        self.is_over.send_replace(true);
        for talk in self.talks {
            in_time("the talk to end", talk).await.expect("nobody has failed");
        }
        join_all(self.recorders.iter().map(|recorder| recorder.settled())).await;
        // Nothing comes after it: who has seen it has seen all, and whatever comes twice has come by then.
        let last = &self.recorders[0];
        last.post(Post::repeatable("the end", "the end")).await;
        last.settled().await;
        let readings = join_all(self.recorders.iter().map(|recorder| recorder.history(self.beginning))).await;
        let log = Log::combined(self.beginning, readings);
        let end = log.last_id();
        // Who does not get there is a fault, which the checker tells best.
        let all = join_all(self.recorders.iter().map(|recorder| recorder.reached(end)));
        let _late = timeout(PATIENCE / 2, all).await;
        let recorders = self
            .recorders
            .into_iter()
            .map(|recorder| Arc::into_inner(recorder).expect("all talks have ended").stop());
        let records = join_all(recorders).await.into_iter();
        (log, records.map(|record| Record { until: Some(end), ..record }).collect())
    }
}

/// The sessions of everybody else who has one.
fn others(recorders: &[Arc<Recorder>], own: &Recorder) -> Vec<String> {
    let sessions = recorders.iter().filter_map(|recorder| recorder.session());
    sessions.filter(|session| own.session() != Some(*session)).map(str::to_owned).collect()
}

/// Says one thing after the other, some of it to one of `others` only, until it is over.
async fn talk(recorder: Arc<Recorder>, others: Vec<String>, over: watch::Receiver<bool>, mut random: Random) {
    for n in 0.. {
        if *over.borrow() {
            return;
        }
        let post = Post::repeatable(&format!("post-{n}"), &format!("number {n}"));
        let is_private = random.within(0..4) == 0;
        recorder.post(if is_private { post.to(random.one_of(&others).as_str()) } else { post }).await;
        sleep(random.milliseconds(THOUGHT)).await;
    }
}

/// Nothing is wrong; what is said of `run` tells how to have it again.
pub fn assert_faultless(log: &Log, records: &[Record], run: &str) {
    let faults = check(log, records);
    let shown: Vec<_> = faults.iter().take(SHOWN).map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{} faults {run}:\n{}", faults.len(), shown.join("\n"));
}
