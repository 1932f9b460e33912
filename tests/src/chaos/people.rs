//! Many people, with clients of all kinds, who talk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::site::{HEARTBEAT, Site};
use super::view::View;
use crate::checker::{Fault, Log, Message, Post, Record, Segment, check};
use crate::harness::{Kind, Participant, Protocol, Random, Recorder};

/// Programs with unmodified libraries, and how these travel; some as they do by default.
const PROGRAMS: [(&str, Kind, Option<&str>); 4] = [
    ("polling", Kind::Node, Some("polling")),
    ("websocket", Kind::Node, Some("websocket")),
    (DEFAULT, Kind::Node, None),
    (PYTHON, Kind::Python, None),
];

/// Those who travel as their packages do by default, and so are to be on a WebSocket in the end.
pub(super) const BY_DEFAULT: [&str; 2] = [DEFAULT, PYTHON];
const DEFAULT: &str = "default";
const PYTHON: &str = "python";

/// After how long a silence a plain client takes its connection for gone: a heartbeat and the time for its answer.
const SILENCE: Duration = HEARTBEAT.saturating_mul(2);

/// How often it is looked whether somebody can say the next thing.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct People {
    programs: Vec<Participant>,
    /// Without Socket.IO. They also talk to each other in private.
    plain: Vec<Arc<Recorder>>,
    talks: Vec<JoinHandle<()>>,
    over: watch::Sender<bool>,
}

impl People {
    /// So many log in, connect and talk: together they say something every `pace`. Their programs end after `limit`, whatever
    /// happens.
    pub(super) async fn gather(
        site: &Site,
        count: usize,
        pace: Duration,
        limit: Duration,
        random: &mut Random,
    ) -> Self {
        let each = count / (PROGRAMS.len() + 1);
        let pace = pace * u32::try_from(count).expect("not that many");
        let url = site.url();
        let gathering = PROGRAMS.map(|program| crowd(&url, program, each, pace, limit));
        let programs = join_all(gathering).await;
        let address = watch::channel(site.address()).1;
        let mut plain = Vec::new();
        for n in 0..count - PROGRAMS.len() * each {
            let (name, own) = (format!("plain-{n}"), random.fork());
            let joining = Recorder::log_in_with(&address, Protocol::Plain, &name, own, Some(SILENCE));
            plain.push(Arc::new(joining.await));
        }
        join_all(plain.iter().map(|who| who.connected(1))).await;
        let (over, is_over) = watch::channel(false);
        let sessions: Vec<_> = plain.iter().filter_map(|who| who.session().map(str::to_owned)).collect();
        let talks = plain.iter().map(|who| {
            tokio::spawn(talk(Arc::clone(who), sessions.clone(), pace, is_over.clone(), random.fork()))
        });
        Self { programs, talks: talks.collect(), plain, over }
    }

    /// How everybody is, if those are online.
    pub(super) async fn look(&mut self, online: &BTreeSet<String>) -> Vec<View> {
        let look = json!({"do": "look", "online": online});
        let answers = join_all(self.programs.iter_mut().map(|program| program.tell(&look))).await;
        let talkers = answers.iter().flat_map(|answer| answer["talkers"].as_array().expect("an array"));
        let silent = self.talks.iter().all(JoinHandle::is_finished);
        let plain = self.plain.iter().map(|who| View::of_recorder(who, silent, online));
        talkers.map(View::of).chain(plain).collect()
    }

    /// Nobody says anything new from now on.
    pub(super) async fn hush(&mut self) {
        self.over.send_replace(true);
        join_all(self.programs.iter_mut().map(async |program| program.tell(&json!({"do": "hush"})).await))
            .await;
    }

    /// Says the very last thing, behind which nothing comes.
    pub(super) async fn say_the_end(&self) {
        self.plain[0].post(Post::repeatable("the end", "the end")).await;
        self.plain[0].settled().await;
    }

    /// Everybody goes without a word. Answers with what is wrong with what they saw, up to this id.
    pub(super) async fn leave(mut self, end: u64) -> (Log, Vec<Fault>, Summary) {
        let readings = join_all(self.plain.iter().map(|who| who.history(0))).await;
        let log = Log::combined(0, readings);
        let (mut faults, mut summary) = (Vec::new(), Summary::default());
        let mut look = |records: Vec<Record>| {
            let records: Vec<_> =
                records.into_iter().map(|record| Record { until: Some(end), ..record }).collect();
            summary.add(&records);
            faults.extend(check(&log, &records));
        };
        for mut program in self.programs.drain(..) {
            let told = program.tell(&json!({"do": "records"})).await;
            program.quit().await;
            look(records(&told));
        }
        let plain =
            self.plain.drain(..).map(|who| Arc::into_inner(who).expect("nobody talks any more").stop());
        look(join_all(plain).await);
        (log, faults, summary)
    }
}

/// What happened to all of them.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) people: usize,
    pub(super) posts: usize,
    /// Of these, how many more than once, because they got no answer.
    pub(super) sent_again: usize,
    pub(super) connections: usize,
    /// Of these, how many went on where one before had ended.
    pub(super) resumed: usize,
    pub(super) deliveries: usize,
}

impl Summary {
    fn add(&mut self, records: &[Record]) {
        let posts = || records.iter().flat_map(|record| &record.posts);
        let segments = || records.iter().flat_map(|record| &record.segments);
        self.people += records.len();
        self.posts += posts().count();
        self.sent_again += posts().filter(|post| post.sent > 1).count();
        self.connections += segments().count();
        self.resumed += segments().filter(|segment| segment.after == Some(segment.from)).count();
        self.deliveries += segments().map(|segment| segment.seen.len()).sum::<usize>();
    }
}

async fn crowd(
    url: &str,
    (name, kind, transports): (&str, Kind, Option<&str>),
    count: usize,
    pace: Duration,
    limit: Duration,
) -> Participant {
    let limit = limit.as_secs().to_string();
    let travel = transports.map(|transports| ("LOBBY_TRANSPORTS", transports));
    let variables: Vec<_> = travel.into_iter().chain([("LOBBY_TIME_LIMIT", &*limit)]).collect();
    let mut program = Participant::run(url, kind, "talkers", &variables);
    let names: Vec<_> = (0..count).map(|n| format!("{name}-{n}")).collect();
    let pace = u64::try_from(pace.as_millis()).expect("not that long");
    program.tell(&json!({"do": "gather", "names": names, "pace": pace})).await;
    program
}

/// Says one thing after the other, some of it to one of `sessions` only.
async fn talk(
    who: Arc<Recorder>,
    sessions: Vec<String>,
    pace: Duration,
    mut over: watch::Receiver<bool>,
    mut random: Random,
) {
    let pace = u64::try_from(pace.as_millis()).expect("not that long");
    for n in 0.. {
        let thought = random.milliseconds(0..2 * pace);
        tokio::select! {
            () = sleep(thought) => {}
            _ = over.wait_for(|over| *over) => return,
        }
        let post = Post::repeatable(&format!("post-{n}"), &format!("number {n}"));
        let is_private = random.within(0..4) == 0;
        who.post(if is_private { post.to(random.one_of(&sessions).as_str()) } else { post }).await;
        // However long that takes: nodes stand still for longer than others wait.
        while !who.is_settled() {
            sleep(LOOK_EVERY).await;
        }
    }
}

/// What the program of a crowd has written down.
fn records(told: &Value) -> Vec<Record> {
    let messages = array(&told["messages"]).map(Message::from);
    let messages: BTreeMap<_, _> = messages.map(|message| (message.id, message)).collect();
    let segment = |segment: &Value| Segment {
        after: segment["after"].as_u64(),
        from: segment["from"].as_u64().expect("a number"),
        seen: array(&segment["seen"]).map(|id| messages[&id.as_u64().expect("a number")].clone()).collect(),
    };
    let record = |record: &Value| Record {
        name: text(&record["name"]),
        session: Some(text(&record["session"])),
        posts: array(&record["posts"]).map(post).collect(),
        segments: array(&record["segments"]).map(segment).collect(),
        until: None,
    };
    array(&told["records"]).map(record).collect()
}

fn post(post: &Value) -> Post {
    Post {
        sent: usize::try_from(post["sent"].as_u64().expect("a number")).expect("not that often"),
        acknowledged: array(&post["acknowledged"]).map(|id| id.as_u64().expect("a number")).collect(),
        ..Post::repeatable(&text(&post["client_id"]), &text(&post["content"]))
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("an array").iter()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
