//! One Engine.IO session on its own worker: what carries it, its heartbeat, and the sending half.

use std::rc::Rc;

use bytes::Bytes;
use bytestring::ByteString;
use lobby_websocket::{Connection, Frame};
use tokio::time::Instant;

use crate::engine::packet::PING;
use crate::engine::session::{self, Due, Session, open_packet};
use crate::link::{Link, Way};
use crate::registry::{Living, Registration};
use crate::transport::{Carrier, Incoming, Polling, WebSocket};
use crate::{Config, DisconnectReason, Transport};

/// What comes out of a session.
pub(crate) enum Received {
    /// A text message, without its Engine.IO type.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
    /// The end, and why.
    Closed(DisconnectReason),
}

pub(crate) struct Wire {
    carrier: Carrier,
    session: Session,
    link: Rc<Link>,
    _living: Living,
}

impl Wire {
    /// A session on a WebSocket of this worker; its `open` packet is queued.
    pub(crate) fn websocket(connection: Connection, sid: &str, config: &Config, living: Living) -> Self {
        let socket = WebSocket::new(connection);
        let link = Rc::new(Link::new(Way::WebSocket(socket.outbox())));
        // If the link takes nothing any more, the transport says why at its first word.
        let _gone = link.send_frame(&Frame::text(&open_packet(sid, Transport::WebSocket, config)));
        Self::new(Carrier::WebSocket(socket), link, config, living)
    }

    /// A session that begins by polling; its `open` packet is the answer to the handshake.
    pub(crate) fn polling(registration: Registration, config: &Config, living: Living) -> Self {
        let polling = Polling::new(registration, config);
        let link = Rc::clone(polling.link());
        Self::new(Carrier::Polling(Box::new(polling)), link, config, living)
    }

    fn new(carrier: Carrier, link: Rc<Link>, config: &Config, living: Living) -> Self {
        Self { carrier, session: Session::open(config, Instant::now()), link, _living: living }
    }

    pub(crate) fn link(&self) -> &Rc<Link> {
        &self.link
    }

    /// Waits for the next message or the end; `None` is neither. May be dropped while waiting. While it is not `listening`, nothing is read.
    pub(crate) async fn next(&mut self, listening: bool) -> Option<Received> {
        match self.carrier.next(listening).await {
            Incoming::Text(text) => self.receive(&text),
            Incoming::Binary(data) => Some(Received::Binary(data)),
            // It may be too late by less than what a timer is.
            Incoming::Polled => self.advance(Instant::now(), listening).map(Received::Closed),
            Incoming::Closed(reason) => Some(Received::Closed(reason)),
        }
    }

    fn receive(&mut self, text: &ByteString) -> Option<Received> {
        match self.session.receive(text, Instant::now()) {
            session::Received::Message(message) => Some(Received::Text(text.slice_ref(message))),
            session::Received::Nothing => None,
            session::Received::Closed(reason) => Some(Received::Closed(reason)),
        }
    }

    /// When [`Wire::advance`] is to be called next.
    pub(crate) fn deadline(&self) -> Instant {
        self.session.deadline()
    }

    /// Keeps the heartbeat; says why the session is over, if it is.
    pub(crate) fn advance(&mut self, now: Instant, listening: bool) -> Option<DisconnectReason> {
        match self.session.advance(now, listening) {
            Due::Nothing => None,
            Due::Dead => Some(DisconnectReason::PingTimeout),
            // Whoever reads learns of the end, and why, from the transport.
            Due::Ping => {
                let sent = self.link.send_frame(&Frame::text(PING));
                (sent.is_err() && !listening).then_some(DisconnectReason::TransportLost)
            }
        }
    }

    /// Ends the session for its client, and waits for what that takes, within bounds.
    pub(crate) async fn finish(mut self, reason: DisconnectReason) {
        self.carrier.finish(reason).await;
    }
}
