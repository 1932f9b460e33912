//! The settings of sockets, as the layers below want them.

use std::sync::Arc;
use std::time::Duration;

use actix_socketio::{Admit, Elsewhere};
use lobby_domain::presence::NodeId;
use lobby_infra::cluster::{self, Marks, Nodes, Relay, RelayLimits};
use lobby_infra::http::origin::OriginPolicy;
use lobby_infra::realtime::plain::PlainSettings;
use lobby_websocket::Heartbeat;

use crate::settings::{self, Settings};

/// A node that answers nothing is given up after its clients have given it up.
const MARGIN: Duration = Duration::from_secs(5);

pub(crate) fn relay(nodes: Nodes, marks: Marks, settings: &Settings) -> Relay {
    let (socketio, websocket) = (&settings.socketio, &settings.websocket);
    let limits = RelayLimits {
        at_once: settings.cluster.forwards,
        answer_within: socketio.ping_interval + socketio.ping_timeout + MARGIN,
        // One packet that is larger than an answer should be is an answer by itself.
        answer_bytes: socketio.max_payload.max(websocket.outbox) * 2,
        write_timeout: websocket.write_timeout,
    };
    Relay::new(nodes, marks, limits)
}

pub(crate) fn socketio_config(
    settings: &Settings,
    origins: &OriginPolicy,
    admit: Admit,
    node: NodeId,
    relay: Option<&Relay>,
) -> actix_socketio::Config {
    let origins = origins.clone();
    actix_socketio::Config {
        ping_interval: settings.socketio.ping_interval,
        ping_timeout: settings.socketio.ping_timeout,
        connect_timeout: settings.socketio.connect_timeout,
        upgrade_timeout: settings.socketio.upgrade_timeout,
        transports: settings.socketio.transports.iter().copied().map(transport).collect(),
        max_payload: settings.socketio.max_payload,
        outbox_bytes: settings.websocket.outbox,
        // The lobby has one namespace; a client that asks for others gets its refusals, but not without end.
        max_namespaces: 4,
        payload_timeout: settings.limits.body_timeout,
        admit: Some(admit),
        allow_request: Some(Arc::new(move |head| origins.allows(head))),
        node: relay.map(|_| cluster::name_of(node)),
        elsewhere: relay.map(|relay| Arc::new(relay.clone()) as Arc<dyn Elsewhere>),
        ..actix_socketio::Config::default()
    }
}

pub(crate) fn plain_settings(settings: &Settings) -> PlainSettings {
    let websocket = &settings.websocket;
    PlainSettings {
        limits: lobby_websocket::Limits {
            max_message: websocket.max_message,
            outbox_bytes: websocket.outbox,
            heartbeat: Some(Heartbeat { interval: websocket.ping_interval, timeout: websocket.ping_timeout }),
            ..lobby_websocket::Limits::default()
        },
        connect_timeout: websocket.connect_timeout,
    }
}

fn transport(setting: settings::Transport) -> actix_socketio::Transport {
    match setting {
        settings::Transport::Polling => actix_socketio::Transport::Polling,
        settings::Transport::WebSocket => actix_socketio::Transport::WebSocket,
    }
}
