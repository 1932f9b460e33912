//! The settings of limits, as the layers below want them.

use std::sync::Arc;

use actix_socketio::{Admit, Permit, TooMany};
use lobby_domain::limits::{Quotas, Room};
use lobby_infra::doorman::{Doorman, Limits, place_of};
use lobby_infra::http::client::{ForwardedHeader, TrustedProxies};
use lobby_infra::metrics::{Door, Metrics};

use crate::settings::{Proxies, Settings};

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
    })
}

pub(crate) fn trusted_proxies(settings: &Settings) -> TrustedProxies {
    let header = match settings.limits.forwarded_header {
        Proxies::XForwardedFor => ForwardedHeader::XForwardedFor,
        Proxies::Forwarded => ForwardedHeader::Forwarded,
    };
    TrustedProxies::new(&settings.limits.trusted_proxies, header)
}

/// Whether there is room for a Socket.IO session. It is told at the handshake: from a refusal there all clients come back by
/// themselves.
pub(crate) fn admit(doorman: Doorman, metrics: Metrics) -> Admit {
    Arc::new(move |request| match doorman.connection(place_of(request.peer_addr())) {
        Ok(seat) => Ok(Box::new(seat) as Permit),
        Err(refusal) => {
            metrics.refused(Door::Http, refusal.code);
            Err(TooMany {
                status: refusal.code.status(),
                message: refusal.detail,
                retry_after: refusal.retry_after.unwrap_or(1),
            })
        }
    })
}
