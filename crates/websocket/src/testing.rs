//! What a client would put on the wire.

pub(crate) mod lanes;

use actix_web::web;
use bytes::Bytes;
use futures_util::stream;
use proptest::prelude::*;
use tokio::sync::mpsc;

use crate::properties;
pub(crate) use crate::properties::request;

pub(crate) const FIN_TEXT: u8 = 0x81;
pub(crate) const FIN_BINARY: u8 = 0x82;
pub(crate) const FIN_CLOSE: u8 = 0x88;
pub(crate) const FIN_PING: u8 = 0x89;
pub(crate) const FIN_CONTINUATION: u8 = 0x80;
pub(crate) const FIRST_TEXT: u8 = 0x01;
pub(crate) const CONTINUATION: u8 = 0x00;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The header of a masked frame that declares `length`.
pub(crate) fn header(first: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first];
    match length {
        0..126 => header.push(0x80 | u8::try_from(length).unwrap()),
        126..65536 => {
            header.push(0x80 + 126);
            header.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            header.push(0x80 + 127);
            header.extend(length.to_be_bytes());
        }
    }
    header.extend(MASK);
    header
}

/// A masked frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A masked close frame.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN_CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// Bytes cut into pieces at any places.
pub(crate) fn pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

pub(crate) fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..20)
}

/// Frames that are mostly right, and what follows when they are not.
pub(crate) fn suspicious_bytes() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A]),
        1 => any::<u8>(),
    ];
    let good =
        (first, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(first, data)| frame(first, &data));
    let huge = (any::<u8>(), any::<u64>()).prop_map(|(first, length)| header(first, length));
    let noise = prop::collection::vec(any::<u8>(), 0..12);
    let part = prop_oneof![12 => good, 1 => huge, 1 => noise];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Sends the pieces of a request's body.
pub(crate) struct Sender(mpsc::Sender<Vec<u8>>);

impl Sender {
    pub(crate) fn send(&self, piece: Vec<u8>) {
        self.0.try_send(piece).expect("somebody reads, and no test sends more pieces than that");
    }

    /// Whether anybody reads it.
    pub(crate) fn is_heard(&self, piece: Vec<u8>) -> bool {
        self.0.try_send(piece).is_ok()
    }
}

/// More than any test sends before it reads.
const PIECES: usize = 4_096;

/// A request's body, and the sender of its pieces; dropping that ends it.
pub(crate) fn body() -> (Sender, web::Payload) {
    let (sender, receiver) = mpsc::channel(PIECES);
    let pieces = stream::unfold(receiver, |mut receiver: mpsc::Receiver<Vec<u8>>| async {
        receiver.recv().await.map(|piece| (Ok(Bytes::from(piece)), receiver))
    });
    (Sender(sender), properties::body(pieces))
}
