//! A proxy that breaks connections when it is told to.

mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use wire::{Committing, Message};

/// How long a test waits for a commit at most.
const FIRES_WITHIN: Duration = Duration::from_secs(30);
/// How much of a large message is passed on at once.
const CHUNK_BYTES: usize = 8 * 1024;

/// When a commit is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The server is never asked to commit.
    Before,
    /// The server is asked, and commits; it has nobody to tell. It may do so after the cut.
    During,
    /// The server has committed and said so; the client is not told.
    After,
}

/// Stands between clients and a server, on the loopback interface. It speaks PostgreSQL's protocol, without TLS; or none, see
/// [`Proxy::of_anything`].
///
/// All passes, until it is told otherwise. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: Arc<Orders>,
    // Aborts what it holds when it is dropped.
    _accepting: JoinSet<()>,
}

/// What the test has ordered, for all connections to see.
#[derive(Debug)]
struct Orders {
    target: SocketAddr,
    speech: Speech,
    flow: watch::Sender<Flow>,
    trap: Mutex<Option<Trap>>,
}

#[derive(Debug, Clone, Copy)]
struct Flow {
    mode: Mode,
    /// How often all has been let through, and how often all has been cut, or lost: a connection looks for changes.
    releases: u64,
    cuts: u64,
    losses: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Refuse,
    Stall,
}

/// What goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speech {
    Postgres,
    /// Bytes, whatever they mean.
    Anything,
}

/// What happens to the next commit.
#[derive(Debug)]
struct Trap {
    action: Action,
    fired: oneshot::Sender<()>,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Cut(When),
    Stall,
}

/// Tells that a commit has met its fate.
#[derive(Debug)]
#[must_use = "whoever sets a trap wants to know when it has fired"]
pub struct Fired(oneshot::Receiver<()>);

impl Fired {
    /// Waits for it: the connections are cut, or the commit is held back.
    pub async fn wait(self) {
        let fired = timeout(FIRES_WITHIN, self.0).await.expect("somebody commits in time");
        fired.expect("the trap has not been replaced, nor the proxy dropped");
    }

    /// Whether it has happened.
    pub fn has_fired(&mut self) -> bool {
        self.0.try_recv().is_ok()
    }
}

impl Proxy {
    /// On a free port, in front of the PostgreSQL server at `target`.
    pub async fn start(target: SocketAddr) -> Self {
        Self::of(Speech::Postgres, target).await
    }

    /// In front of a server of any kind. It knows nothing of commits.
    pub async fn of_anything(target: SocketAddr) -> Self {
        Self::of(Speech::Anything, target).await
    }

    async fn of(speech: Speech, target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let flow = watch::Sender::new(Flow { mode: Mode::Pass, releases: 0, cuts: 0, losses: 0 });
        let orders = Arc::new(Orders { target, speech, flow, trap: Mutex::new(None) });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&orders)));
        Self { address, orders, _accepting: accepting }
    }

    /// Where clients go instead of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on all passes: what is held back goes on, and no commit is waited for.
    pub fn pass(&self) {
        self.orders.arm(None);
        self.orders.flow.send_modify(|flow| {
            flow.mode = Mode::Pass;
            flow.releases += 1;
        });
    }

    /// New connections are closed at once; those that are open stay.
    pub fn refuse(&self) {
        self.orders.flow.send_modify(|flow| flow.mode = Mode::Refuse);
    }

    /// Nothing passes either way, and nothing is closed, until [`pass`](Self::pass).
    pub fn stall(&self) {
        self.orders.flow.send_modify(|flow| flow.mode = Mode::Stall);
    }

    /// Cuts all connections that are open now.
    pub fn cut(&self) {
        self.orders.flow.send_modify(|flow| flow.cuts += 1);
    }

    /// Loses all connections that are open now, as a firewall does that forgets them: nothing passes on them any more, and
    /// nobody is told. New ones are as ever.
    pub fn lose(&self) {
        self.orders.flow.send_modify(|flow| flow.losses += 1);
    }

    /// Cuts, at the next commit, the connection that it comes on. That is a `COMMIT` by itself, sent with the
    /// simple query protocol, as drivers and psql do, or the lobby's statement that commits by itself.
    pub fn cut_at_commit(&self, when: When) -> Fired {
        self.trap(Action::Cut(when))
    }

    /// Holds the next commit back until [`pass`](Self::pass), as if its sender were frozen: the transaction, if there is
    /// one, stays open, with all its locks.
    pub fn stall_at_commit(&self) -> Fired {
        self.trap(Action::Stall)
    }

    fn trap(&self, action: Action) -> Fired {
        let (fired, receiver) = oneshot::channel();
        self.orders.arm(Some(Trap { action, fired }));
        Fired(receiver)
    }
}

impl Orders {
    fn arm(&self, trap: Option<Trap>) {
        *self.trap.lock().expect("nobody panics with the lock") = trap;
    }

    /// Waits as long as nothing may pass.
    async fn unless_stalled(&self) {
        let mut flow = self.flow.subscribe();
        flow.wait_for(|flow| flow.mode != Mode::Stall).await.expect("the sender is ours");
    }

    fn take_trap(&self) -> Option<Trap> {
        self.trap.lock().expect("nobody panics with the lock").take()
    }
}

async fn accept(listener: TcpListener, orders: Arc<Orders>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                if orders.flow.borrow().mode != Mode::Refuse {
                    connections.spawn(serve(client, Arc::clone(&orders)));
                }
            }
            // Those that are over are not kept.
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, until it ends by itself or is cut.
async fn serve(client: TcpStream, orders: Arc<Orders>) {
    let mut flow = orders.flow.subscribe();
    let mut lost = flow.clone();
    let Flow { cuts, losses, .. } = *flow.borrow();
    let mut conversing = pin!(converse(client, &orders));
    let trap = tokio::select! {
        trap = &mut conversing => Some(trap),
        _ = flow.wait_for(|flow| flow.cuts != cuts) => return,
        _ = lost.wait_for(|flow| flow.losses != losses) => None,
    };
    let Some(trap) = trap else {
        // Both sides stay open as long as the proxy is there.
        return std::future::pending().await;
    };
    // Both sides are closed by now.
    if let Ok(fired) = trap {
        let _ = fired.send(());
    }
}

/// Ends well only by a trap.
async fn converse(mut client: TcpStream, orders: &Orders) -> io::Result<oneshot::Sender<()>> {
    orders.unless_stalled().await;
    let mut server = TcpStream::connect(orders.target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    if orders.speech == Speech::Anything {
        return tokio::select! {
            ended = pass_all(from_client, to_server, orders) => ended,
            ended = pass_all(from_server, to_client, orders) => ended,
        };
    }
    let mut from_client = BufReader::new(from_client);
    let log_in = wire::log_in(&mut from_client, &mut to_client).await?;
    forward(&log_in, &mut to_server, orders).await?;

    // The trap of a commit whose answer is waited for.
    let committing = Mutex::new(None);
    tokio::select! {
        ended = requests(from_client, to_server, orders, &committing) => ended,
        ended = answers(from_server, to_client, orders, &committing) => ended,
    }
}

async fn requests(
    mut client: BufReader<ReadHalf<'_>>,
    mut server: WriteHalf<'_>,
    orders: &Orders,
    committing: &Mutex<Option<oneshot::Sender<()>>>,
) -> io::Result<oneshot::Sender<()>> {
    let mut statements = Committing::default();
    loop {
        let message = wire::read(&mut client).await?;
        let trap = if statements.is_asked(&message) { orders.take_trap() } else { None };
        match trap {
            None => {}
            Some(Trap { action: Action::Cut(When::Before), fired }) => return Ok(fired),
            Some(Trap { action: Action::Cut(When::During), fired }) => {
                ask(message, &mut client, &mut server, orders).await?;
                return Ok(fired);
            }
            Some(Trap { action: Action::Cut(When::After), fired }) => {
                *committing.lock().expect("nobody panics with the lock") = Some(fired);
            }
            Some(Trap { action: Action::Stall, fired }) => held(orders, fired).await,
        }
        pass_on(&message, &mut client, &mut server, orders).await?;
    }
}

/// Passes on all that the server needs to commit.
async fn ask(
    mut message: Message,
    client: &mut BufReader<ReadHalf<'_>>,
    server: &mut WriteHalf<'_>,
    orders: &Orders,
) -> io::Result<()> {
    loop {
        pass_on(&message, client, server, orders).await?;
        if message.is_complete() {
            return Ok(());
        }
        message = wire::read(client).await?;
    }
}

async fn answers(
    server: ReadHalf<'_>,
    mut client: WriteHalf<'_>,
    orders: &Orders,
    committing: &Mutex<Option<oneshot::Sender<()>>>,
) -> io::Result<oneshot::Sender<()>> {
    let mut server = BufReader::new(server);
    loop {
        let message = wire::read(&mut server).await?;
        if message.is_committed()
            && let Some(fired) = committing.lock().expect("nobody panics with the lock").take()
        {
            return Ok(fired);
        }
        pass_on(&message, &mut server, &mut client, orders).await?;
    }
}

/// Until it is released after this.
async fn held(orders: &Orders, fired: oneshot::Sender<()>) {
    let mut flow = orders.flow.subscribe();
    let releases = flow.borrow().releases;
    let _ = fired.send(());
    flow.wait_for(|flow| flow.releases != releases).await.expect("the sender is that of the orders");
}

async fn pass_on(
    message: &Message,
    from: &mut BufReader<ReadHalf<'_>>,
    to: &mut WriteHalf<'_>,
    orders: &Orders,
) -> io::Result<()> {
    forward(&message.bytes, to, orders).await?;
    let mut chunk = [0; CHUNK_BYTES];
    let mut rest = from.take(message.rest);
    while rest.limit() > 0 {
        let length = rest.read(&mut chunk).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        forward(&chunk[..length], to, orders).await?;
    }
    Ok(())
}

/// Ends with the side that ends first.
async fn pass_all(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    orders: &Orders,
) -> io::Result<oneshot::Sender<()>> {
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        forward(&chunk[..length], &mut to, orders).await?;
    }
}

/// Everything goes through here.
async fn forward(bytes: &[u8], to: &mut WriteHalf<'_>, orders: &Orders) -> io::Result<()> {
    orders.unless_stalled().await;
    to.write_all(bytes).await
}
