//! Everybody is cut off at once, and comes back as fast as they can.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lobby_domain::ports::{Clock, NewSession, SessionIds, Sessions, Tokens};
use lobby_domain::testing::name;
use lobby_infra::clock::{RandomSessionIds, SystemClock};
use lobby_infra::persistence::Durability;
use lobby_infra::token::SignedTokens;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::client::{Client, Protocol, Refused, Shown, number_behind};
use crate::common::backend::{Backend, open};
use crate::common::measure::{Times, now};
use crate::common::page::Page;
use crate::common::program::{Program, SECRET};
use crate::common::variable;
use crate::cpu;

/// Clients that connect at the same time before the storm.
const AT_ONCE: usize = 64;
/// How long it is quiet before the storm: what the lobby remembers of their last requests is forgotten by then.
const REST: Duration = Duration::from_secs(16);
/// Messages that are posted while everybody is away.
const MESSAGES: usize = 10;
/// Between two of them.
const POST_EVERY: Duration = Duration::from_millis(100);
/// `presence.grace`, within which the storm is to be over.
const GRACE: Duration = Duration::from_secs(10);
/// How long it is waited for everybody, and after that for somebody who leaves late.
const PATIENCE: Duration = Duration::from_mins(1);
/// The shortest wait of a client that was refused; it doubles, and half of it is random.
const RETRY: Duration = Duration::from_millis(200);

/// What came of one storm.
pub(crate) struct Storm {
    name: String,
    back: Times,
    missing: usize,
    cpu: Duration,
    left: usize,
    refused: BTreeMap<Refused, usize>,
    wrong: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    Before,
    Storm(Instant),
    Over,
}

/// What all clients share.
struct Shared {
    address: SocketAddr,
    protocol: Protocol,
    phase: watch::Receiver<Phase>,
    turns: Semaphore,
    told: mpsc::UnboundedSender<Told>,
    /// Clients that got the messages otherwise than each once, in order.
    wrong: AtomicUsize,
}

enum Told {
    Entered,
    Refused(Refused),
    Back(Times),
}

pub(crate) async fn storm(backend: &Backend, protocol: Protocol, clients: usize) -> Storm {
    let database = format!("storm{}", protocol as u8);
    let url = backend.new_database(&database).await;
    let mut tokens = log_in(&url, clients + 1).await;
    let lobby = Program::start(&url);
    let (phase, phases) = watch::channel(Phase::Before);
    let (told, mut tells) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        address: lobby.address,
        protocol,
        phase: phases.clone(),
        turns: Semaphore::new(AT_ONCE),
        told,
        wrong: AtomicUsize::new(0),
    });
    let poster = tokens.pop().expect("one more was logged in");
    post(&lobby, &poster, "before the storm");
    let mut people: JoinSet<()> = tokens.into_iter().map(|token| live(shared.clone(), token)).collect();
    let entered = entered(&mut tells, clients).await;
    assert_eq!(entered, clients, "everybody gets in while it is quiet");
    let observer = observe(lobby.address, phases).await;
    sleep(variable("BENCH_REST").map_or(REST, Duration::from_secs)).await;

    let before = cpu::of(lobby.id());
    let start = now();
    phase.send_replace(Phase::Storm(start));
    let posting = async {
        for _ in 0..MESSAGES {
            sleep(POST_EVERY).await;
            tokio::task::block_in_place(|| post(&lobby, &poster, "while you were away"));
        }
    };
    let (mut back, mut refused) = (Times::default(), BTreeMap::new());
    let returning = async {
        while back.count() < clients {
            match tells.recv().await.expect("they live") {
                Told::Back(times) => back.add(times),
                Told::Refused(why) => *refused.entry(why).or_default() += 1,
                Told::Entered => {}
            }
        }
    };
    let (_late, ()) = tokio::join!(timeout(PATIENCE, returning), posting);
    let cpu = cpu::of(lobby.id()).saturating_sub(before);
    // Somebody who was not back would leave by now.
    sleep(GRACE + Duration::from_secs(3)).await;
    phase.send_replace(Phase::Over);
    let left = observer.await.expect("no panic");
    while people.join_next().await.is_some() {}
    Storm {
        name: format!("{backend}, {protocol}"),
        missing: clients - back.count(),
        back,
        cpu,
        left,
        refused,
        wrong: shared.wrong.load(Ordering::Relaxed),
    }
}

/// Tokens of claimed sessions with names of their own, in a database that is not open.
async fn log_in(url: &str, count: usize) -> Vec<String> {
    let store = open(url, Durability::Normal).await;
    let tokens = SignedTokens::new(&SECRET.into());
    let mut issued = Vec::with_capacity(count);
    for number in 0..count {
        let pseudonym = name(&format!("person-{number:05}"));
        let (id, now) = (RandomSessionIds.next(), SystemClock.now());
        let new = NewSession { id, pseudonym, claimed: true, now };
        Sessions::open(&store, new).await.expect("the name is free");
        issued.push(tokens.issue(id).expose().to_owned());
    }
    store.close().await.expect("it closes");
    issued
}

fn post(lobby: &Program, token: &str, content: &str) {
    let line =
        format!("POST /messages\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let answer = lobby.ask(&line, &format!(r#"{{"content":"{content}"}}"#)).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

async fn entered(tells: &mut mpsc::UnboundedReceiver<Told>, clients: usize) -> usize {
    let mut entered = 0;
    while entered < clients
        && let Ok(Some(told)) = timeout(PATIENCE, tells.recv()).await
    {
        entered += usize::from(matches!(told, Told::Entered));
    }
    entered
}

/// Connects, is cut off, and comes back.
async fn live(shared: Arc<Shared>, token: String) {
    let turn = shared.turns.acquire().await.expect("it stays open");
    let mut visit = Visit { shared: &shared, token: &token, last_id: None, seen: 0 };
    let client = visit.enter().await;
    drop(turn);
    let _gone = shared.told.send(Told::Entered);
    let Some(client) = visit.listen(client, |phase| phase != Phase::Before).await else { return };
    client.cut();
    let client = visit.enter().await;
    let _gone = shared.told.send(Told::Back(since_the_cut(&shared)));
    visit.seen = 0;
    let is_whole =
        visit.listen(client, |phase| phase == Phase::Over).await.is_some() && visit.seen == MESSAGES;
    shared.wrong.fetch_add(usize::from(!is_whole), Ordering::Relaxed);
}

fn since_the_cut(shared: &Shared) -> Times {
    let mut times = Times::default();
    if let Phase::Storm(start) = *shared.phase.borrow() {
        times.note(start);
    }
    times
}

struct Visit<'a> {
    shared: &'a Shared,
    token: &'a str,
    /// The last message that it knows of.
    last_id: Option<u64>,
    seen: usize,
}

impl Visit<'_> {
    async fn enter(&mut self) -> Client {
        let shown = Shown { token: Some(self.token), after: self.last_id };
        let mut wait = RETRY;
        loop {
            match Client::enter(self.shared.address, self.shared.protocol, &shown).await {
                Ok((client, last_id)) => {
                    self.last_id.get_or_insert(last_id);
                    return client;
                }
                Err(why) => _ = self.shared.told.send(Told::Refused(why)),
            }
            sleep(jittered(wait)).await;
            wait *= 2;
        }
    }

    /// Until such a phase; `None` if the connection ends before, or a message is missed.
    async fn listen(&mut self, mut client: Client, until: impl Fn(Phase) -> bool) -> Option<Client> {
        let mut phases = self.shared.phase.clone();
        loop {
            let text = tokio::select! {
                _ = phases.wait_for(|phase| until(*phase)) => return Some(client),
                text = client.text() => text.ok()?,
            };
            if self.hear(&text).is_break() {
                return None;
            }
        }
    }

    fn hear(&mut self, text: &str) -> ControlFlow<()> {
        if !text.contains(r#""new_message""#) {
            return ControlFlow::Continue(());
        }
        let id = number_behind(text, r#""id":"#);
        if id != self.last_id.map(|last_id| last_id + 1) {
            return ControlFlow::Break(());
        }
        (self.last_id, self.seen) = (id, self.seen + 1);
        ControlFlow::Continue(())
    }
}

/// Between a half and the whole.
fn jittered(wait: Duration) -> Duration {
    let half = wait / 2;
    let random = RandomSessionIds.next().0.as_u128() % half.as_nanos();
    half + Duration::from_nanos(u64::try_from(random).expect("a wait is short"))
}

/// Somebody who is not cut off: answers with how many have left.
async fn observe(address: SocketAddr, mut phases: watch::Receiver<Phase>) -> JoinHandle<usize> {
    let nobody = Shown { token: None, after: None };
    let (mut client, _) = Client::enter(address, Protocol::Plain, &nobody).await.expect("it gets in");
    tokio::spawn(async move {
        let mut left = 0;
        loop {
            let text = tokio::select! {
                _ = phases.wait_for(|phase| *phase == Phase::Over) => return left,
                text = client.text() => text.expect("nobody cuts it off"),
            };
            left += text.matches(r#""reason""#).count();
        }
    })
}

impl Storm {
    fn line(&mut self) -> String {
        let refused: Vec<_> = self.refused.iter().map(|(why, count)| format!("{count} × {why}")).collect();
        let [middle, high, last] = [0.5, 0.99, 1.0].map(|share| self.back.quantile(share) / 1e3);
        format!(
            "| {} | {middle:.2} | {high:.2} | {last:.2} | {:.2} | {} | {} | {} |",
            self.name,
            self.cpu.as_secs_f64(),
            if refused.is_empty() { "none".to_owned() } else { refused.join(", ") },
            self.left,
            self.wrong,
        )
    }

    fn missed(&mut self) -> Vec<String> {
        let wrong = self.refused.keys().filter(|why| !why.is_for_now()).count();
        let last = self.back.quantile(1.0) / 1e3;
        let faults = [
            (self.missing > 0, format!("{} were not back", self.missing)),
            (last > GRACE.as_secs_f64(), format!("the last came after {last:.2} s")),
            (self.left > 0, format!("{} left", self.left)),
            (wrong > 0, "refused otherwise than for now".to_owned()),
            (self.wrong > 0, format!("{} missed messages", self.wrong)),
        ];
        let faults = faults.into_iter().filter(|(is_so, _)| *is_so);
        faults.map(|(_, fault)| format!("{}: {fault}", self.name)).collect()
    }
}

pub(crate) fn tell(page: &mut Page, clients: usize, storms: &mut [Storm]) {
    page.say(&format!("### A storm of {clients} clients\n"));
    page.say("| | back p50, s | p99 | last | CPU of the lobby, s | refused | left | missed messages |");
    page.say("| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |");
    for storm in storms.iter_mut() {
        page.say(&storm.line());
    }
    page.missed(storms.iter_mut().flat_map(Storm::missed));
}
