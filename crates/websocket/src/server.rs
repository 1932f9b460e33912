use std::{
    any::Any,
    fmt,
    future::poll_fn,
    io,
    net::{Shutdown, SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_http::{HttpService, Protocol, Request, Response, error::DispatchError};
use actix_server::ServerBuilder;
use actix_service::{IntoServiceFactory, ServiceExt as _, ServiceFactory, fn_factory, fn_service};
use actix_web::{
    Error,
    body::MessageBody,
    dev::{AppConfig, Server, Service},
    rt::net::TcpStream,
};
use socket2::SockRef;
use tokio::sync::OnceCell;

use crate::{
    stream::Stream,
    timed::{Timed, Watched},
    upgrade::{self, Handover, LINGER, Upgraded},
};

/// How many connections may wait to be accepted, where the system allows as many: a crowd that was cut off comes back at once, and who finds no
/// place tries again only after a second. `TcpListener::bind` has set 128.
const BACKLOG: i32 = 4096;

/// How [`serve`] serves.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Threads that serve; each connection stays with one of them. `None`: as many as there are processors.
    pub workers: Option<usize>,
    /// A peer that takes nothing of what was written for this long is cut, whether it is dead or merely never reads. actix has
    /// no such limit, so without it such a peer holds its socket for as long as it likes. It is `TCP_USER_TIMEOUT` (RFC
    /// 5482), where the system has it. Nor does a peer get longer than that for the last of what a WebSocket was to send, however much it
    /// takes of it.
    pub write_timeout: Duration,
    /// How long the head of a request may take: the first one from when the connection is there, later ones from their first byte
    /// on. Whoever takes longer is cut.
    pub head_timeout: Duration,
    /// How long a connection is kept, after an answer, on which no other request comes.
    pub keep_alive: Duration,
    /// How long the workers may take to end when the server is stopped, in whole seconds.
    pub shutdown_timeout: Duration,
    /// `None`: connections are not encrypted.
    pub tls: Option<Tls>,
    /// `None`: all that come are served.
    pub gate: Option<Gate>,
}

/// Decides which connections stay, before anything is read from them.
#[derive(Clone)]
pub struct Gate(Arc<dyn Fn(SocketAddr) -> Option<Held> + Send + Sync>);

/// What a connection holds until its socket is closed. It is among the connection's data (`HttpRequest::conn_data`).
pub type Held = Rc<dyn Any>;

impl Gate {
    /// `pass` is asked on the thread that would serve the connection. One that gets nothing is closed.
    pub fn new(pass: impl Fn(SocketAddr) -> Option<Held> + Send + Sync + 'static) -> Self {
        Self(Arc::new(pass))
    }

    fn pass(&self, peer: SocketAddr) -> io::Result<Held> {
        (self.0)(peer).ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// How connections are encrypted.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate, and what is agreed on. It should offer no protocol but `http/1.1`, which is what is spoken.
    pub config: Arc<rustls::ServerConfig>,
    /// How long a peer may take until both sides can encrypt.
    pub handshake_timeout: Duration,
}

/// Has clients refused, where the system can do that to a listener that somebody else listens to: from here on nobody waits in vain to be
/// accepted, neither those who come nor those who wait already. For after `ServerHandle::pause`, which lets them wait.
pub fn refuse(listener: TcpListener) {
    // Elsewhere than on Linux it may fail; then they are refused when the server has stopped.
    let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
    drop(listener);
}

/// An HTTP/1.1 server as actix-web's `HttpServer`, for connections that [`accept`](crate::accept) can make the most of: once it is accepted
/// a WebSocket is no longer the server's business, whose task, buffers and wake-ups for each connection together cost more than
/// reading and writing itself.
///
/// It ignores signals: when to stop is said by `ServerHandle::stop`. Nothing waits for the delayed acknowledgements of the other
/// side (`TCP_NODELAY`), and a peer that has closed its sending side is gone.
///
/// # Errors
///
/// If the listener cannot be listened to.
pub fn serve<F, I, S, B>(listener: TcpListener, serving: &Serving, app: F) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let mut builder = ServerBuilder::new()
        .disable_signals()
        .shutdown_timeout(serving.shutdown_timeout.as_secs())
        // How many there may be is the gate's business, which tells whoever is one too many.
        .max_concurrent_connections(usize::MAX);
    if let Some(workers) = serving.workers {
        builder = builder.workers(workers);
    }
    let stopping = builder.graceful_shutdown_signal();
    SockRef::from(&listener).listen(BACKLOG)?;
    let address = listener.local_addr()?;
    let serving = serving.clone();
    let server = builder.listen("lobby", listener, move || {
        let app = Rc::new(Once::new(app().into_factory()));
        let requests = {
            let app = Rc::clone(&app);
            move || {
                let refused = |error: S::Error| error.into().error_response();
                Rc::clone(&app).service(move |app| Watched::new(app.map_err(refused)))
            }
        };
        let upgrades = move || {
            Rc::clone(&app).service(move |app| {
                fn_service(move |(request, framed)| upgrade::serve(Rc::clone(&app), request, framed))
            })
        };
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .local_addr(address)
            .client_request_timeout(serving.head_timeout)
            .keep_alive(serving.keep_alive)
            .on_connect_ext(|io: &Timed, data| {
                data.insert(io.watch());
                if let Some(held) = io.stream.held() {
                    data.insert(held);
                }
            })
            .h1_allow_half_closed(false)
            .client_disconnect_timeout(LINGER)
            .upgrade(fn_factory(upgrades))
            .finish(fn_factory(requests));
        let (http, serving) = (Rc::new(http), Rc::new(serving.clone()));
        fn_factory(move || {
            let (http, serving) = (Rc::clone(&http), Rc::clone(&serving));
            async move {
                let http = Rc::new(http.new_service(()).await?);
                Ok::<_, ()>(fn_service(move |stream| {
                    serve_connection(Rc::clone(&http), stream, Rc::clone(&serving))
                }))
            }
        })
    })?;
    Ok(server.run())
}

/// What the dispatcher takes: a connection, what is spoken on it, and who is at its other end.
type Dispatched = (Timed, Protocol, Option<SocketAddr>);

/// Serves a connection to its end. All that requests need is gone as soon as the connection is a WebSocket: those are many, and stay.
async fn serve_connection<H>(
    http: Rc<H>,
    stream: TcpStream,
    serving: Rc<Serving>,
) -> Result<(), DispatchError>
where
    H: Service<Dispatched, Response = (), Error = DispatchError>,
{
    let write_timeout = serving.write_timeout;
    let upgraded = Box::pin(serve_requests(http, stream, serving)).await?;
    if let Some(upgraded) = upgraded {
        upgraded.end(write_timeout).await;
    }
    Ok(())
}

async fn serve_requests<H>(
    http: Rc<H>,
    stream: TcpStream,
    serving: Rc<Serving>,
) -> Result<Option<Upgraded>, DispatchError>
where
    H: Service<Dispatched, Response = (), Error = DispatchError>,
{
    let (stream, peer) = open(stream, &serving).await.map_err(DispatchError::Io)?;
    let handover = Handover::default();
    let timed = Timed::new(stream, Rc::clone(&handover), serving.head_timeout, serving.keep_alive);
    poll_fn(|cx| http.poll_ready(cx)).await?;
    http.call((timed, Protocol::Http1, Some(peer))).await?;
    Ok(handover.take())
}

async fn open(stream: TcpStream, serving: &Serving) -> io::Result<(Stream, SocketAddr)> {
    let peer = stream.peer_addr()?;
    let held = serving.gate.as_ref().map(|gate| gate.pass(peer)).transpose()?;
    Ok((Stream::open(stream, serving.write_timeout, serving.tls.as_ref(), held).await?, peer))
}

/// One instance of an application for a worker: for requests, and for those that want the connection.
struct Once<F, S> {
    factory: F,
    service: OnceCell<Rc<S>>,
}

impl<F, S> Once<F, S> {
    fn new(factory: F) -> Self {
        Self { factory, service: OnceCell::new() }
    }

    async fn service<T, E>(self: Rc<Self>, used: impl FnOnce(Rc<S>) -> T) -> Result<T, E>
    where
        F: ServiceFactory<Request, Config = AppConfig, Service = S, InitError = E>,
        S: Service<Request>,
    {
        let made = || async { self.factory.new_service(AppConfig::default()).await.map(Rc::new) };
        self.service.get_or_try_init(made).await.map(|service| used(Rc::clone(service)))
    }
}
