//! Wires the adapters, runs, and stops in order.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_socketio::SocketIo;
use actix_web::dev::Server;
use actix_web::{App, middleware, web};
use lobby_domain::auth::AuthMode;
use lobby_domain::ports::{Clock, MessageLog, Presence, Sessions, Tokens};
use lobby_domain::presence::{Limits, NodeId};
use lobby_domain::pseudonym::NamePolicy;
use lobby_domain::use_cases::{Authenticate, ListOnline, LogIn, LogOut, PostMessages, ReadHistory};
use lobby_infra::clock::{RandomSessionIds, SystemClock, random_node_id};
use lobby_infra::cluster::{self, Marks, Nodes, Relay};
use lobby_infra::doorman::Doorman;
use lobby_infra::http::client::{self, TrustedProxies};
use lobby_infra::http::origin::{self, OriginPolicy};
use lobby_infra::http::{self, Accounts, BodyTimeout, Messages, Readiness, requests};
use lobby_infra::identify::{Identify, Touched};
use lobby_infra::metrics::{Metrics, Sources, TimedLog};
use lobby_infra::persistence::Store;
use lobby_infra::presence::{Attendants, Keeper};
use lobby_infra::realtime::follow::follow;
use lobby_infra::realtime::gateway::Gateway;
use lobby_infra::realtime::hub::Hub;
use lobby_infra::realtime::listen::listen;
use lobby_infra::realtime::plain;
use lobby_infra::realtime::recovery::Pids;
use lobby_infra::realtime::shard::Shard;
use lobby_infra::realtime::socketio::{LobbyHandler, admit};
use lobby_infra::signature::SecretKeys;
use lobby_infra::sweeper::{self, Keep, Sweeper};
use lobby_infra::token::SignedTokens;
use lobby_infra::writer::{Changes, Writer};
use lobby_websocket::Serving;
use tokio::task::{JoinHandle, JoinSet};

use crate::backends::{bus, limits};
use crate::front::Front;
use crate::goodbye::{Goodbye, Schedule};
use crate::limits::{doorman, gate, trusted_proxies};
use crate::settings::{self, Settings};
use crate::sockets::{plain_settings, relay, socketio_config};

/// A lobby that listens, and serves once it is run.
pub struct Application {
    address: SocketAddr,
    scheme: &'static str,
    listener: TcpListener,
    server: Server,
    store: Store,
    /// The same for the writer, and for the keeper, with connections of their own.
    own: [Store; 2],
    hub: Arc<Hub>,
    socketio: SocketIo,
    relay: Option<Relay>,
    readiness: Readiness,
    writer: JoinHandle<()>,
    keeper: Arc<Keeper>,
    /// What goes on beside requests and changes.
    background: JoinSet<()>,
    shutdown_timeout: Duration,
}

type Failure = Box<dyn std::error::Error>;

impl Application {
    /// Binds the address and starts the writer.
    pub async fn build(settings: Settings, store: Store, secrets: &SecretKeys) -> Result<Self, Failure> {
        Self::build_on(Front::open(&settings)?, settings, store, secrets, &Metrics::default()).await
    }

    /// The same where clients can come in already; what happens is counted in these metrics.
    pub async fn build_on(
        front: Front,
        settings: Settings,
        store: Store,
        secrets: &SecretKeys,
        metrics: &Metrics,
    ) -> Result<Self, Failure> {
        let (online, head) = (store.online().await?, store.head().await?);
        let shared = Arc::new(store.clone());
        let mut background = JoinSet::new();
        let bus = bus(&settings, secrets, &mut background)?;
        let hub = Hub::new(online, head, settings.presence.snapshot, shared.clone(), shared);
        let hub = Arc::new(hub.on_bus(bus.clone()).counted_in(metrics.clone()));
        let doorman = doorman(&settings);
        let services = Services::new(&settings, &store, &hub, secrets, &doorman);
        // However many read, the writer does not wait behind them.
        let own = [store.with_own_reader().await?, store.with_own_writer().await?];
        let mut for_writer = Services::new(&settings, &own[0], &hub, secrets, &doorman);
        for_writer.log = Arc::new(TimedLog::new(for_writer.log, metrics.clone()));
        let (commands, health, writer) = Writer::spawn(for_writer.changes(), settings.messages.queue);
        background.spawn(follow(hub.clone()));
        background.spawn(listen(hub.clone()));
        background.spawn(sweeper::sweep(services.sweeper(), keep(&settings)));
        background.spawn(store.clone().keep_checkpointed());
        let node = random_node_id();
        let keeper = Arc::new(keeper(node, &services, Arc::new(own[1].clone()), limits(&settings)));
        background.spawn(keeper.clone().run());
        let readiness = Readiness::new(services.log.clone(), health, keeper.attendants.clone(), bus.clone());
        let marks = Marks::new(secrets, keeper.attendants.clone());
        let nodes = settings.cluster.address.as_ref().map(|_| Nodes::new(store.clone()));
        let relay = nodes.as_ref().map(|nodes| relay(nodes.clone(), marks.clone(), &settings));
        if let Some(nodes) = nodes {
            background.spawn(nodes.follow());
        }

        let address = front.listener.local_addr()?;
        let listener = front.listener.try_clone()?;
        let scheme = if front.tls.is_some() { "https" } else { "http" };
        let origins = OriginPolicy::new(&settings.server.allowed_origins);
        let admit = admit(doorman.clone(), metrics.clone());
        let socketio = socketio_config(&settings, &origins, admit, node, relay.as_ref());
        let socketio = SocketIo::new(socketio);
        metrics.watch(Sources {
            hub: hub.clone(),
            readiness: readiness.clone(),
            bus,
            queue: commands.queue(),
            socketio: socketio.clone(),
        });
        let doors = Doors {
            metrics: metrics.clone(),
            services,
            writer: commands,
            attendants: keeper.attendants.clone(),
            touched: Touched::new(&keeper.limits),
            readiness: readiness.clone(),
            proxies: trusted_proxies(&settings),
            marks,
            origins,
            socketio: socketio.clone(),
            pids: Pids::new(secrets),
        };
        let server = serve(front, &settings, doors)?;
        Ok(Self {
            address,
            scheme,
            listener,
            server,
            store,
            own,
            hub,
            socketio,
            relay,
            readiness,
            writer,
            keeper,
            background,
            shutdown_timeout: settings.server.shutdown_timeout,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is spoken there.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Serves until `stop`, then says goodbye to everybody, commits what is queued, and closes the database; all that
    /// within `server.shutdown_timeout`, or it fails.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        tracing::info!(address = %self.address, "serving");
        let handle = self.server.handle();
        let mut serving = tokio::spawn(self.server);
        tokio::select! {
            () = stop => {}
            ended = &mut serving => return Ok(ended??),
            // They go on for ever; without them messages would stay unheard of.
            Some(ended) = self.background.join_next() => {
                return Err(format!("a background task has ended: {ended:?}").into());
            }
        }
        tracing::info!("stopping");
        self.readiness.drain();
        self.keeper.stop_reaping();
        let goodbye = Goodbye {
            server: handle,
            listener: self.listener,
            hub: &self.hub,
            socketio: &self.socketio,
            relay: self.relay.as_ref(),
            schedule: Schedule::of(self.shutdown_timeout),
        };
        let stopping = async {
            goodbye.say().await;
            serving.await??;
            // The workers are gone, and with them the last handles of the writer: it does what is queued, and ends.
            self.writer.await?;
            // They end where they wait; a change of the database that is under way is taken back.
            self.background.shutdown().await;
            self.keeper.leave().await;
            self.store.close_with(self.own).await?;
            Ok::<_, Failure>(())
        };
        let stopped = tokio::time::timeout(self.shutdown_timeout, stopping).await;
        stopped.map_err(|_| "not everything was done within server.shutdown_timeout")??;
        tracing::info!("stopped");
        Ok(())
    }
}

fn keeper(node: NodeId, services: &Services, presence: Arc<dyn Presence>, limits: Limits) -> Keeper {
    Keeper {
        node,
        attendants: Attendants::new(&limits),
        presence,
        clock: services.clock.clone(),
        announcer: services.hub.clone(),
        limits,
    }
}

fn keep(settings: &Settings) -> Keep {
    let messages = &settings.messages;
    Keep {
        messages_for: messages.keep_for,
        messages_at_most: messages.keep_at_most,
        client_ids_for: messages.idempotency,
        sessions_for: settings.auth.token_ttl,
    }
}

/// The adapters, as the use cases want them.
#[derive(Clone)]
struct Services {
    mode: AuthMode,
    names: NamePolicy,
    sessions: Arc<dyn Sessions>,
    presence: Arc<dyn Presence>,
    log: Arc<dyn MessageLog>,
    tokens: Arc<dyn Tokens>,
    clock: Arc<dyn Clock>,
    hub: Arc<Hub>,
    doorman: Doorman,
}

impl Services {
    fn new(
        settings: &Settings,
        store: &Store,
        hub: &Arc<Hub>,
        secrets: &SecretKeys,
        doorman: &Doorman,
    ) -> Self {
        let names = &settings.names;
        Self {
            mode: match settings.auth.mode {
                settings::AuthMode::Open => AuthMode::Open,
                settings::AuthMode::Token => AuthMode::Token,
            },
            names: NamePolicy::new(names.min_length, names.max_length, &names.reserved),
            sessions: Arc::new(store.clone()),
            presence: Arc::new(store.clone()),
            log: Arc::new(store.clone()),
            tokens: Arc::new(SignedTokens::new(secrets)),
            clock: Arc::new(SystemClock),
            hub: hub.clone(),
            doorman: doorman.clone(),
        }
    }

    fn authenticate(&self) -> Authenticate {
        Authenticate {
            sessions: self.sessions.clone(),
            presence: self.presence.clone(),
            tokens: self.tokens.clone(),
            clock: self.clock.clone(),
            announcer: self.hub.clone(),
        }
    }

    fn sweeper(&self) -> Sweeper {
        Sweeper { log: self.log.clone(), presence: self.presence.clone(), clock: self.clock.clone() }
    }

    fn changes(&self) -> Changes {
        Changes {
            log_in: LogIn {
                names: self.names.clone(),
                authenticate: self.authenticate(),
                sessions: self.sessions.clone(),
                tokens: self.tokens.clone(),
                ids: Arc::new(RandomSessionIds),
                clock: self.clock.clone(),
                announcer: self.hub.clone(),
            },
            log_out: LogOut {
                mode: self.mode,
                sessions: self.sessions.clone(),
                authenticate: self.authenticate(),
                clock: self.clock.clone(),
                announcer: self.hub.clone(),
            },
            authenticate: self.authenticate(),
            post: PostMessages {
                mode: self.mode,
                sessions: self.sessions.clone(),
                log: self.log.clone(),
                clock: self.clock.clone(),
                reach: self.hub.clone(),
                announcer: self.hub.clone(),
                allowance: Arc::new(self.doorman.clone()),
            },
        }
    }
}

/// What the doors, REST and sockets, need of what is behind them.
#[derive(Clone)]
struct Doors {
    metrics: Metrics,
    services: Services,
    writer: Writer,
    attendants: Attendants,
    touched: Touched,
    readiness: Readiness,
    proxies: TrustedProxies,
    marks: Marks,
    origins: OriginPolicy,
    socketio: SocketIo,
    pids: Pids,
}

impl Doors {
    fn identify(&self) -> Identify {
        Identify {
            mode: self.services.mode,
            authenticate: self.services.authenticate(),
            writer: self.writer.clone(),
            touched: self.touched.clone(),
            doorman: self.services.doorman.clone(),
        }
    }

    fn accounts(&self, secure_cookie: bool) -> Accounts {
        Accounts {
            identify: self.identify(),
            list: ListOnline::new(self.services.sessions.clone()),
            writer: self.writer.clone(),
            secure_cookie,
        }
    }

    fn messages(&self) -> Messages {
        Messages { identify: self.identify(), history: ReadHistory::new(self.services.log.clone()) }
    }

    /// The gateway of the worker that calls this.
    fn gateway(&self) -> Rc<Gateway> {
        Rc::new(Gateway {
            identify: self.identify(),
            attendants: self.attendants.clone(),
            metrics: self.metrics.clone(),
            shard: Shard::attach(&self.services.hub),
        })
    }
}

fn serve(front: Front, settings: &Settings, doors: Doors) -> std::io::Result<Server> {
    let plain = plain_settings(settings);
    let accounts = web::Data::new(doors.accounts(settings.auth.secure_cookie || front.tls.is_some()));
    let messages = web::Data::new(doors.messages());
    let body_timeout = BodyTimeout(settings.limits.body_timeout);
    let gate = gate(doors.services.doorman.clone(), doors.proxies.clone());

    let factory = move || {
        let gateway = doors.gateway();
        App::new()
            .wrap(origin::cors(&doors.origins))
            .wrap(middleware::from_fn(origin::guard))
            .wrap(middleware::from_fn(client::guard))
            .wrap(middleware::from_fn(cluster::guard))
            .wrap(middleware::from_fn(requests::observe))
            .app_data(web::Data::new(doors.metrics.clone()))
            .app_data(web::Data::new(doors.proxies.clone()))
            .app_data(web::Data::new(body_timeout))
            .app_data(web::Data::new(doors.origins.clone()))
            .app_data(web::Data::new(doors.readiness.clone()))
            .app_data(web::Data::new(doors.marks.clone()))
            .app_data(accounts.clone())
            .app_data(messages.clone())
            .service(plain::service(gateway.clone(), plain.clone()))
            .service(doors.socketio.service(LobbyHandler::new(gateway, doors.pids.clone())))
            .configure(http::configure)
    };
    let serving = Serving {
        workers: Some(settings.server.workers).filter(|workers| *workers > 0),
        write_timeout: settings.websocket.write_timeout,
        head_timeout: settings.limits.head_timeout,
        keep_alive: settings.limits.keep_alive,
        tls: front.tls,
        gate: Some(gate),
        shutdown_timeout: Schedule::of(settings.server.shutdown_timeout).leaving,
    };
    lobby_websocket::serve(front.listener, &serving, factory)
}
