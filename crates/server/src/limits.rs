//! The settings of limits, as the layers below want them.

use std::rc::Rc;
use std::time::Duration;

use lobby_domain::limits::{Place, Quotas, Room, Scope};
use lobby_infra::doorman::{Doorman, Limits};
use lobby_infra::http::client::{ForwardedHeader, TrustedProxies};
use lobby_infra::seldom::Seldom;
use lobby_websocket::Gate;

use crate::open_files;
use crate::settings::{Proxies, Settings};

/// Open files that are left for the database, the log, other nodes, and whoever is being turned away.
const OTHER_FILES: usize = 256;

/// How often it is told at most that TCP connections are turned away.
const TOLD_EVERY: Duration = Duration::from_mins(1);

pub(crate) fn doorman(settings: &Settings) -> Doorman {
    let limits = &settings.limits;
    if !limits.enabled {
        return Doorman::away();
    }
    let quotas = |per_place, per_holder, in_all| Quotas { per_place, per_holder, in_all };
    Doorman::new(&Limits {
        log_ins: quotas(limits.log_ins_per_address, limits.log_ins_per_session, limits.log_ins),
        connections: quotas(limits.connects_per_address, limits.connects_per_session, limits.connects),
        messages: quotas(limits.messages_per_address, limits.messages_per_session, limits.messages),
        events: quotas(limits.events_per_address, limits.events_per_session, limits.events),
        room: Room {
            per_place: limits.connections_per_address,
            per_holder: limits.connections_per_session,
            in_all: limits.connections,
        },
        sockets: Room {
            per_place: limits.tcp_connections_per_address,
            per_holder: None,
            in_all: limits
                .tcp_connections
                .map(|most| most.min(open_files::most().saturating_sub(OTHER_FILES))),
        },
    })
}

pub(crate) fn trusted_proxies(settings: &Settings) -> TrustedProxies {
    let header = match settings.limits.forwarded_header {
        Proxies::XForwardedFor => ForwardedHeader::XForwardedFor,
        Proxies::Forwarded => ForwardedHeader::Forwarded,
    };
    TrustedProxies::new(&settings.limits.trusted_proxies, header)
}

/// Hangs up on whoever has as many TCP connections as may be, before anything is read: they cost an open file each, however silent they are.
pub(crate) fn gate(doorman: Doorman, proxies: TrustedProxies) -> Gate {
    let refusals = Seldom::new(TOLD_EVERY);
    Gate::new(move |peer| {
        let place = (!proxies.trusts(peer.ip())).then(|| Place::of(peer.ip()));
        match doorman.socket(place) {
            Ok(socket) => Some(Rc::new(socket)),
            Err(scope) => {
                if let Some(times) = refusals.happens() {
                    let limit = match scope {
                        Scope::Place | Scope::Holder => "limits.tcp_connections_per_address",
                        Scope::All => "limits.tcp_connections",
                    };
                    tracing::warn!(%peer, limit, times, "TCP connections are hung up on: there are as many as may be");
                }
                None
            }
        }
    })
}
