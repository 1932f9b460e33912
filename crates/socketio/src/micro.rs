//! What micro-benchmarks measure of this crate, and nobody else is to use.

use std::rc::Rc;

use bytestring::ByteString;
use lobby_websocket::Outbox;

use crate::engine::packet::Packet as EnginePacket;
use crate::link::{Link, Way};
use crate::packet::MAIN;
use crate::packet::decode::{Body, Packet};
use crate::{Args, Event, Socket};

/// The event in a text message of a client, as the task of its connection gets it. `None` if there is none in it, or one with
/// attachments.
#[must_use]
pub fn event(text: &ByteString) -> Option<Event> {
    let Ok(EnginePacket::Message(message)) = EnginePacket::decode(text) else { return None };
    let message = text.slice_ref(message);
    match Packet::decode(&message, 0).ok()?.body {
        Body::Event { name, payload, .. } => {
            Some(Event { name, args: Args::of_event(&message, payload), ack: None })
        }
        Body::Connect { .. } | Body::Disconnect | Body::Ack { .. } => None,
    }
}

/// A socket in the main namespace, whose packets go into this outbox.
#[must_use]
pub fn socket(outbox: Outbox) -> Socket {
    Socket::new(MAIN.into(), Rc::new(Link::new(Way::WebSocket(outbox))), 0)
}
