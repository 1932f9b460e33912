//! The life of one Engine.IO session as a pure state machine: packets and the time in, verdicts out.
//!
//! Source: Engine.IO protocol v4, "Heartbeat" (the server pings, the client pongs) and "Handshake".

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::packet::{Packet, UnknownType};
use crate::{Config, DisconnectReason, Transport};

/// How late a timer is by nature. A ping that is later still (the machine slept) gives the client the whole time to answer.
const TIMER_SLACK: Duration = Duration::from_millis(10);

/// The data of the `open` packet.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'a [&'a str],
    ping_interval: u128,
    ping_timeout: u128,
    max_payload: usize,
}

/// The `open` packet of a session that begins on `transport`: from polling there is something to upgrade to.
pub(crate) fn open_packet(sid: &str, transport: Transport, config: &Config) -> String {
    let upgradable = transport == Transport::Polling && config.transports.contains(&Transport::WebSocket);
    let open = Open {
        sid,
        upgrades: if upgradable { &["websocket"] } else { &[] },
        ping_interval: config.ping_interval.as_millis(),
        ping_timeout: config.ping_timeout.as_millis(),
        max_payload: config.max_payload,
    };
    let data = serde_json::to_string(&open).expect("strings and numbers are always JSON");
    format!("0{data}")
}

/// What a received packet means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received<'a> {
    /// Something for the layer above.
    Message(&'a str),
    /// Nothing further to do.
    Nothing,
    /// The session is over.
    Closed(DisconnectReason),
}

/// What the time has brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// A ping is to be sent.
    Ping,
    /// The client did not answer in time: the session is over.
    Dead,
}

#[derive(Debug, Clone, Copy)]
enum Heartbeat {
    PingAt(Instant),
    PongBy(Instant),
}

impl Heartbeat {
    fn at(self) -> Instant {
        match self {
            Self::PingAt(at) | Self::PongBy(at) => at,
        }
    }
}

/// One session. It reads no clock: every call says what time it is.
#[derive(Debug)]
pub(crate) struct Session {
    ping_interval: Duration,
    ping_timeout: Duration,
    heartbeat: Heartbeat,
}

impl Session {
    /// A session that opens `now`.
    pub(crate) fn open(config: &Config, now: Instant) -> Self {
        Self {
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            heartbeat: Heartbeat::PingAt(now + config.ping_interval),
        }
    }

    /// When [`Session::advance`] is to be called next.
    pub(crate) fn deadline(&self) -> Instant {
        self.heartbeat.at()
    }

    /// Takes the text of one packet of the client.
    pub(crate) fn receive<'a>(&mut self, text: &'a str, now: Instant) -> Received<'a> {
        match Packet::decode(text) {
            Ok(Packet::Message(data)) => Received::Message(data),
            Ok(Packet::Pong) => {
                self.pong(now);
                Received::Nothing
            }
            Ok(Packet::Noop) => Received::Nothing,
            Ok(Packet::Close) => Received::Closed(DisconnectReason::TransportClose),
            // Only servers ping: the reference calls this a transport error.
            Ok(Packet::Ping) => Received::Closed(DisconnectReason::TransportError),
            Ok(Packet::Open | Packet::Upgrade) | Err(UnknownType) => {
                Received::Closed(DisconnectReason::ParseError)
            }
        }
    }

    /// Says what is due at `now`. A client that nobody listens to (`listening` is false) may well have answered: it is
    /// pinged again instead, which also keeps it from giving the server up.
    pub(crate) fn advance(&mut self, now: Instant, listening: bool) -> Due {
        match self.heartbeat {
            heartbeat if now < heartbeat.at() => Due::Nothing,
            Heartbeat::PongBy(_) if listening => Due::Dead,
            Heartbeat::PingAt(_) | Heartbeat::PongBy(_) => {
                let due = self.heartbeat.at();
                let from = if now < due + TIMER_SLACK { due } else { now };
                self.heartbeat = Heartbeat::PongBy(from + self.ping_timeout);
                Due::Ping
            }
        }
    }

    /// A pong that nobody asked for changes nothing, so that no client can put the pings off.
    fn pong(&mut self, now: Instant) {
        if matches!(self.heartbeat, Heartbeat::PongBy(_)) {
            self.heartbeat = Heartbeat::PingAt(now + self.ping_interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> (Session, Instant) {
        let now = Instant::now();
        (Session::open(&Config::default(), now), now)
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_open_packet_tells_the_client_the_timing_in_milliseconds() {
        let rest = r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        for (transport, upgrades) in [(Transport::Polling, r#""websocket""#), (Transport::WebSocket, "")] {
            let expected = format!(r#"0{{"sid":"abc","upgrades":[{upgrades}],{rest}"#);
            assert_eq!(open_packet("abc", transport, &Config::default()), expected);
        }
        let config = Config { transports: vec![Transport::Polling], ..Config::default() };
        assert!(open_packet("abc", Transport::Polling, &config).contains(r#""upgrades":[]"#));
    }

    #[test]
    fn a_ping_is_due_every_interval_as_long_as_pongs_come() {
        let (mut session, start) = session();
        for round in 1..=3 {
            let at = start + seconds(25 * round);
            assert_eq!(session.advance(at - Duration::from_millis(1), true), Due::Nothing);
            assert_eq!(session.deadline(), at);
            assert_eq!(session.advance(at, true), Due::Ping);
            assert_eq!(session.receive("3", at), Received::Nothing);
        }
    }

    #[test]
    fn a_client_that_does_not_pong_in_time_is_dead() {
        let (mut session, start) = session();
        assert_eq!(session.advance(start + seconds(25), true), Due::Ping);
        assert_eq!(session.advance(start + seconds(44), true), Due::Nothing);
        assert_eq!(session.deadline(), start + seconds(45));
        assert_eq!(session.advance(start + seconds(45), true), Due::Dead);
    }

    #[test]
    fn the_time_to_answer_counts_from_when_the_ping_was_due_unless_that_was_long_ago() {
        for (late, counted) in [(3, 0), (10, 10), (60_000, 60_000)] {
            let (mut session, start) = session();
            session.advance(start + seconds(25) + Duration::from_millis(late), true);
            assert_eq!(session.deadline(), start + seconds(45) + Duration::from_millis(counted));
        }
    }

    #[test]
    fn a_client_that_nobody_listens_to_is_pinged_again_instead_of_given_up() {
        let (mut session, start) = session();
        assert_eq!(session.advance(start + seconds(25), true), Due::Ping);
        assert_eq!(session.advance(start + seconds(45), false), Due::Ping);
        assert_eq!(session.deadline(), start + seconds(65));
        assert_eq!(session.advance(start + seconds(65), true), Due::Dead);
    }

    #[test]
    fn pongs_that_nobody_asked_for_do_not_put_the_ping_off() {
        let (mut session, start) = session();
        assert_eq!(session.receive("3", start + seconds(20)), Received::Nothing);
        assert_eq!(session.advance(start + seconds(25), true), Due::Ping);
    }

    #[test]
    fn what_only_servers_may_send_and_what_is_no_packet_ends_the_session() {
        let table = [
            ("2", Received::Closed(DisconnectReason::TransportError)),
            ("2probe", Received::Closed(DisconnectReason::TransportError)),
            ("0{}", Received::Closed(DisconnectReason::ParseError)),
            ("5", Received::Closed(DisconnectReason::ParseError)),
            ("7", Received::Closed(DisconnectReason::ParseError)),
            ("", Received::Closed(DisconnectReason::ParseError)),
            ("1", Received::Closed(DisconnectReason::TransportClose)),
            ("6", Received::Nothing),
            ("4x", Received::Message("x")),
        ];
        for (text, expected) in table {
            let (mut session, now) = session();
            assert_eq!(session.receive(text, now), expected, "{text:?}");
        }
    }
}
