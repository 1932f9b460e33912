use std::env;
use std::time::Instant;

use futures_util::future::join_all;

use super::{Backends, Node, stop};
use crate::checker::{Log, Post, Record};
use crate::crowd::assert_faultless;
use crate::harness::{Protocol, Random, Recorder, in_time};

/// How much is said in an ordinary run: about 2,000 messages. `make order` has more said.
const SENDERS: usize = 4;
const MESSAGES: usize = 170;
const NODES: usize = 3;

fn from_environment(name: &str, usual: usize) -> usize {
    env::var(name).map_or(usual, |count| count.parse().expect("a number"))
}

/// One at each node over each protocol, who is nobody in particular.
fn listeners(nodes: &[Node; NODES], random: &mut Random) -> Vec<Recorder> {
    let mut listeners = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        for protocol in [Protocol::Plain, Protocol::SocketIo] {
            let name = format!("listener at {n} over {protocol:?}");
            listeners.push(Recorder::start(&node.program.address(), protocol, &name, None, random.fork()));
        }
    }
    listeners
}

async fn senders(nodes: &[Node; NODES], each: usize, random: &mut Random) -> Vec<Recorder> {
    let mut senders = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        for sender in 0..each {
            let protocol = [Protocol::Plain, Protocol::SocketIo][sender % 2];
            let name = format!("sender-{n}-{sender}");
            senders.push(Recorder::log_in(&node.program.address(), protocol, &name, random.fork()).await);
        }
    }
    senders
}

async fn say_all(sender: &Recorder, messages: usize) {
    for n in 0..messages {
        sender.post(Post::repeatable(&format!("post-{n}"), &format!("number {n}"))).await;
    }
    sender.settled().await;
}

async fn records(recorders: Vec<Recorder>, end: u64) -> Vec<Record> {
    in_time("all to have seen all", join_all(recorders.iter().map(|recorder| recorder.reached(end)))).await;
    let records = join_all(recorders.into_iter().map(Recorder::stop)).await.into_iter();
    records.map(|record| Record { until: Some(end), ..record }).collect()
}

#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a long run says how long it was")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_everywhere_sees_one_sequence() {
    let each = from_environment("LOBBY_ORDER_SENDERS", SENDERS);
    let messages = from_environment("LOBBY_ORDER_MESSAGES", MESSAGES);
    let backends = Backends::start().await;
    let nodes = backends.nodes::<NODES>().await;
    let mut random = Random::new(Random::any_seed());
    let listeners = listeners(&nodes, &mut random);
    let senders = senders(&nodes, each, &mut random).await;
    join_all(listeners.iter().chain(&senders).map(|recorder| recorder.connected(1))).await;

    let began = Instant::now();
    join_all(senders.iter().map(|sender| say_all(sender, messages))).await;
    let took = began.elapsed();
    let log = Log::new(0, listeners[0].history(0).await);
    assert_eq!(log.len(), NODES * each * messages);
    let end = log.last_id();
    let listened = records(listeners, end).await;
    let said = records(senders, end).await;
    for record in &listened {
        // One connection, and all of it: so all of them have seen the same.
        assert_eq!(record.segments.len(), 1, "{}", record.name);
        assert!(record.segments[0].seen.iter().map(|message| message.id).eq(1..=end), "{}", record.name);
    }
    let all: Vec<_> = listened.into_iter().chain(said).collect();
    assert_faultless(&log, &all, "");
    for node in &nodes {
        println!("{}", node.bus().await);
    }
    println!("{} messages in {took:?}, seen by {}", log.len(), all.len());
    stop(nodes).await;
}
