//! The WebSocket that takes over a polling session: it stays on the worker that accepted it, the session on its own.
//! Between them runs a [`Pipe`], bounded in bytes both ways.

use std::ops::ControlFlow;

use lobby_websocket::{CloseCode, Frame, Outbox};

use super::{Incoming, WebSocket};
use crate::channel::{Receiver, Sender, Weigh, channel};
use crate::engine::packet::NOOP;
use crate::{Config, DisconnectReason};

/// What holding one item costs besides its bytes.
const ITEM_COST: usize = size_of::<Frame>();

/// The session's end. Dropped, it turns the WebSocket away.
pub(crate) struct Pipe {
    pub(crate) to_socket: Sender<Outgoing>,
    pub(crate) from_socket: Receiver<Incoming>,
}

/// What the session has for the WebSocket.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Frame(Frame),
    /// The last.
    Close(CloseCode, &'static str),
}

impl Weigh for Outgoing {
    fn weight(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.len() + ITEM_COST,
            Self::Close(..) => ITEM_COST,
        }
    }
}

impl Weigh for Incoming {
    fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + ITEM_COST,
            Self::Binary(data) => data.len() + ITEM_COST,
            Self::Polled | Self::Closed(_) => ITEM_COST,
        }
    }
}

/// Serves a WebSocket from the other end of the pipe: the future is to be spawned on the worker of the WebSocket. Of what
/// the client sends, at most two of the largest messages wait for the session.
pub(crate) fn pipe(socket: WebSocket, config: &Config) -> (Pipe, impl Future<Output = ()> + use<>) {
    let (to_socket, outgoing) = channel(config.outbox_bytes);
    let (incoming, from_socket) = channel(config.max_payload);
    (Pipe { to_socket, from_socket }, pump(socket, outgoing, incoming))
}

async fn pump(mut socket: WebSocket, mut outgoing: Receiver<Outgoing>, incoming: Sender<Incoming>) {
    let outbox = socket.outbox();
    let mut held = None;
    loop {
        tokio::select! {
            biased;
            item = next(&mut outgoing, &outbox) => {
                if let ControlFlow::Break(reason) = deliver(&outbox, item) {
                    incoming.force(Incoming::Closed(reason));
                    break;
                }
            }
            () = incoming.room(), if held.is_some() => held.take().into_iter().for_each(|item| incoming.force(item)),
            item = socket.next(), if held.is_none() => {
                if matches!(item, Incoming::Closed(_)) {
                    return incoming.force(item);
                }
                held = Some(item);
            }
        }
    }
    // Whoever holds the other end may send no more; what the peer still sends is read and dropped until it has closed.
    drop(outgoing);
    while !matches!(socket.next().await, Incoming::Closed(_)) {}
}

/// What the session has next, once the outbox has room: whoever waits for room in the pipe waits for both. The end of a
/// session waits for no client: what is left then goes at once, or the client is cut.
async fn next(outgoing: &mut Receiver<Outgoing>, outbox: &Outbox) -> Option<Outgoing> {
    tokio::select! {
        biased;
        () = outbox.room() => {}
        () = outgoing.ended() => {}
    }
    outgoing.next().await
}

/// Queues what the session had; breaks when it was the last.
fn deliver(outbox: &Outbox, item: Option<Outgoing>) -> ControlFlow<DisconnectReason> {
    match item {
        Some(Outgoing::Frame(frame)) if outbox.send(&frame).is_ok() => ControlFlow::Continue(()),
        Some(Outgoing::Frame(_)) => ControlFlow::Break(DisconnectReason::TransportError),
        Some(Outgoing::Close(code, reason)) => {
            outbox.close(code, reason);
            ControlFlow::Break(DisconnectReason::TransportClose)
        }
        None => {
            turn_away(outbox);
            ControlFlow::Break(DisconnectReason::TransportClose)
        }
    }
}

/// Closes a WebSocket that does not take over. Its client waits for the answer to its probe, and gets something else first: then every
/// client polls on. At a close frame in place of the answer python-engineio would end neither in a session nor without one, for good.
fn turn_away(outbox: &Outbox) {
    // Where it does not fit any more, the client is being cut.
    let _cut = outbox.send(&Frame::text(NOOP));
    outbox.close(CloseCode::NORMAL, "");
}

#[cfg(test)]
mod tests;
