//! The bus over Redis 7 or Valkey: pub/sub on one channel, one connection for both ways (RESP3).
//!
//! While the server is away hints are dropped, not kept: by the time it is back, everybody has found out by themselves.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use lobby_domain::ports::{Bus, Hint, Link, Standing};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    ProtocolVersion, PushInfo, PushKind, RedisError, RedisResult, Value,
};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::backoff::Backoff;
use super::counts::Counts;
use super::envelope::{Envelopes, MAX_BYTES, Opened};
use super::queue::Queue;
use crate::clock::random_origin;
use crate::signature::SecretKeys;

/// Bytes that may wait to be sent: what a busy node has to say in about a second.
const OUTBOX: usize = 4 << 20;

/// Bytes that may wait to be heard. Who is further behind reads the log in large pages instead, which is cheaper.
const INBOX: usize = 16 << 20;

/// Bytes that are sent in one go, each envelope as a command of its own.
const AT_ONCE: usize = 1 << 20;

/// How long a connection, or the answer to a command, may take. Whoever takes longer is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks whether a silent server is still there.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Where a bus is, with all that it takes to get in there.
#[derive(Clone)]
pub struct Address(ConnectionInfo);

/// This is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no URL such as 'redis://localhost:6379', 'redis://:PASSWORD@host:6379/0' or, with TLS, 'rediss://host:6379'"
)]
pub struct BadAddress;

/// One node's end of a bus.
pub struct Redis {
    client: Client,
    address: Address,
    channel: String,
    envelopes: Envelopes,
    outbox: Queue<Vec<u8>>,
    inbox: Arc<Inbox>,
    is_connected: AtomicBool,
    /// What the operator has been told of it last.
    told: Mutex<Told>,
}

struct Inbox {
    envelopes: Queue<Vec<u8>>,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Connected,
    /// And what is to be done about it, where that can be told.
    Away(Option<&'static str>),
}

/// A connection that is subscribed.
struct Subscribed {
    connection: MultiplexedConnection,
    lost: Arc<Notify>,
}

impl Address {
    /// Of a URL, whose password is part of it: neither is said anywhere.
    pub fn parse(url: &str) -> Result<Self, BadAddress> {
        let info = url.into_connection_info().map_err(|_| BadAddress)?;
        if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
            return Err(BadAddress);
        }
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok(Self(info.set_redis_settings(settings)))
    }

    fn is_over_tls(&self) -> bool {
        matches!(self.0.addr(), ConnectionAddr::TcpTls { .. })
    }
}

/// Host and port, and nothing else.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.addr().fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl Redis {
    /// A node on the bus of all who use this channel there and have the same secrets. It is away until [`run`](Self::run) has found it.
    pub fn new(address: &Address, channel: &str, secrets: &SecretKeys) -> Result<Self, BadAddress> {
        Ok(Self {
            client: Client::open(address.0.clone()).map_err(|_| BadAddress)?,
            address: address.clone(),
            channel: channel.to_owned(),
            envelopes: Envelopes::of(random_origin(), secrets),
            outbox: Queue::new(OUTBOX),
            inbox: Arc::new(Inbox { envelopes: Queue::new(INBOX), counts: Counts::default() }),
            is_connected: AtomicBool::new(false),
            told: Mutex::new(Told::Nothing),
        })
    }

    /// Keeps it connected and subscribed, for as long as this is not dropped.
    pub async fn run(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.subscribe().await {
                Ok(subscribed) => {
                    backoff.reset();
                    self.connected();
                    self.serve(subscribed).await
                }
                Err(error) => error,
            };
            self.away(&error);
            sleep(backoff.next()).await;
        }
    }

    async fn subscribe(&self) -> RedisResult<Subscribed> {
        let lost = Arc::new(Notify::new());
        let (losing, inbox, channel) = (lost.clone(), self.inbox.clone(), self.channel.clone());
        let take = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                losing.notify_one();
            } else if push.kind == PushKind::Message {
                inbox.take(&channel, push.data);
            }
            Ok::<_, RedisError>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_push_sender(take);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        connection.subscribe(&self.channel).await?;
        Ok(Subscribed { connection, lost })
    }

    /// Sends what there is to be sent until that fails, and says why.
    async fn serve(&self, subscribed: Subscribed) -> RedisError {
        let Subscribed { mut connection, lost } = subscribed;
        loop {
            let done = tokio::select! {
                batch = self.outbox.batch(AT_ONCE) => self.send(&mut connection, batch).await,
                () = sleep(PING_EVERY) => redis::cmd("PING").exec_async(&mut connection).await,
                () = lost.notified() => Err(closed()),
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    async fn send(&self, connection: &mut MultiplexedConnection, batch: Vec<Vec<u8>>) -> RedisResult<()> {
        let mut commands = redis::Pipeline::with_capacity(batch.len());
        for envelope in &batch {
            commands.cmd("PUBLISH").arg(&self.channel).arg(envelope).ignore();
        }
        let sent = commands.exec_async(connection).await;
        let counts = &self.inbox.counts;
        if sent.is_ok() { &counts.published } else { &counts.dropped }.add(batch.len());
        sent
    }

    fn connected(&self) {
        self.is_connected.store(true, Ordering::Relaxed);
        match self.tell(Told::Connected) {
            Told::Connected => {}
            Told::Nothing => tracing::info!(address = %self.address, channel = self.channel, "on the bus"),
            Told::Away(_) => tracing::info!(address = %self.address, "the bus is back"),
        }
    }

    fn away(&self, error: &RedisError) {
        self.is_connected.store(false, Ordering::Relaxed);
        self.inbox.counts.dropped.add(self.outbox.clear());
        let mut told = self.told.lock().expect("nothing panics while it takes note");
        let advice = refusal(error);
        // Once, and once more where only now it can be told what is wrong.
        if let Told::Away(before) = *told
            && (advice.is_none() || advice == before)
        {
            return;
        }
        let guess =
            || if *told == Told::Nothing { mismatch(error, self.address.is_over_tls()) } else { None };
        let advice = advice.or_else(guess);
        *told = Told::Away(advice);
        tracing::warn!(
            address = %self.address, %error, advice,
            "the bus is away: until it is back, nodes look into the database for what they have missed"
        );
    }

    /// Takes note of what the operator is told now, and says what that was before.
    fn tell(&self, told: Told) -> Told {
        let mut last = self.told.lock().expect("nothing panics while it takes note");
        std::mem::replace(&mut *last, told)
    }
}

impl Inbox {
    /// A message of the channel: its name, and what was published.
    fn take(&self, channel: &str, data: Vec<Value>) {
        let Ok([Value::BulkString(name), Value::BulkString(envelope)]) = <[_; 2]>::try_from(data) else {
            return self.counts.skipped.add(1);
        };
        let size = envelope.len();
        if name != channel.as_bytes() || size > MAX_BYTES {
            self.counts.skipped.add(1);
        } else if !self.envelopes.push(envelope, size) {
            self.counts.dropped.add(1);
        }
    }
}

/// What is to be done where the server, or this node, refuses the other: nothing of it passes by itself.
fn refusal(error: &RedisError) -> Option<&'static str> {
    match error.code() {
        Some("WRONGPASS") => Some("it refuses the name or password in bus.url"),
        Some("NOAUTH") => Some("it asks for a password, and bus.url has none"),
        Some("NOPERM") => Some("whoever bus.url names may not publish or subscribe on this channel"),
        _ if matches!(tls_error(error), Some(rustls::Error::InvalidCertificate(_))) => Some(
            "its certificate has to be for the host in bus.url, and of an authority that the system or the file in SSL_CERT_FILE knows",
        ),
        _ => None,
    }
}

/// What TLS has to say about it: in an error of the connection, which is in the client's.
fn tls_error(error: &RedisError) -> Option<&rustls::Error> {
    let broken = error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    broken.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

/// The same where it was never reached, and who speaks TLS and who does not talk past each other.
fn mismatch(error: &RedisError, over_tls: bool) -> Option<&'static str> {
    if over_tls && error.is_timeout() {
        Some("if it speaks no TLS at this port, bus.url has to begin with redis://")
    } else if !over_tls && error.is_connection_dropped() {
        Some("if it speaks TLS at this port, bus.url has to begin with rediss://")
    } else {
        None
    }
}

fn closed() -> RedisError {
    (ErrorKind::Io, "the connection was closed").into()
}

#[async_trait]
impl Bus for Redis {
    fn publish(&self, hint: &Hint) {
        if !self.is_connected.load(Ordering::Relaxed) {
            return self.inbox.counts.dropped.add(1);
        }
        for envelope in self.envelopes.seal(hint) {
            let size = envelope.len();
            if !self.outbox.push(envelope, size) {
                self.inbox.counts.dropped.add(1);
            }
        }
    }

    async fn hear(&self) -> Hint {
        loop {
            let envelope = self.inbox.envelopes.next().await;
            match self.envelopes.open(&envelope) {
                Opened::Hint(hint) => {
                    self.inbox.counts.heard.add(1);
                    return hint;
                }
                Opened::Own => {}
                Opened::Unknown => self.inbox.counts.skipped.add(1),
            }
        }
    }

    fn standing(&self) -> Standing {
        let is_connected = self.is_connected.load(Ordering::Relaxed);
        self.inbox.counts.standing(if is_connected { Link::Connected } else { Link::Away })
    }
}
