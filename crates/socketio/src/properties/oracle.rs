//! Another decoder, socketioxide's, as a witness: [`Difference`] lists where we read a packet otherwise on purpose.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet as OraclePacket, PacketData};
use socketioxide_core::parser::{Parse as _, ParseConfig, ParseError, ParserState};
use socketioxide_parser_common::CommonParser;

use super::{MAX_ATTACHMENTS, MAX_SAFE_INTEGER};
use crate::packet::decode::{Body, DecodeError, Packet};
use crate::packet::is_reserved;

/// As JSON has it.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Where we differ from the oracle, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    /// Names with escapes, which python-socketio sends for all that is not ASCII, and integers, which the reference
    /// takes: the oracle can only borrow a name from the text.
    UnborrowedName,
    /// White space between id and payload: the oracle drops the id, the reference and we do not.
    SpaceAfterId,
    /// The oracle drops an id beyond 63 bits, and takes one that no JavaScript client can hold: answers would go astray.
    IdOutOfRange,
    /// An id on a CONNECT, which the oracle skips, as on a DISCONNECT: there is nothing that it could mean.
    MisplacedId,
    /// The oracle bounds no namespace; ours is kept as long as its socket lives.
    LongNamespace,
    /// The oracle leaves the payload to who deserialises it, so that the handler of an event meets what is no JSON, no
    /// array, or has no name, and takes anything for credentials.
    UncheckedPayload,
    /// The oracle hands reserved names to the application, which would mistake them for its own.
    ReservedName,
}

/// A packet as both decoders can tell it.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    /// The type without its binary twin.
    kind: u8,
    namespace: String,
    attachments: usize,
    id: Option<u64>,
    data: String,
    name: Option<String>,
}

/// Panics when the oracle understands something else, and not for a reason of the list.
pub(super) fn agrees(text: &str) {
    let (ours, theirs) = (ours(text), theirs(text));
    assert!(
        ours.as_ref().ok() == theirs.clone().map(trimmed).as_ref()
            || difference(text, &ours, theirs.as_ref()).is_some(),
        "{text:?} is to us {ours:?}, to the oracle {theirs:?}"
    );
}

fn ours(text: &str) -> Result<Reading, DecodeError> {
    let Packet { namespace, body } = Packet::decode(text, MAX_ATTACHMENTS)?;
    let (kind, attachments, id, data, name) = match body {
        Body::Connect { auth } => (b'0', 0, None, auth.map_or("", RawValue::get), None),
        Body::Disconnect => (b'1', 0, None, "", None),
        Body::Event { id, name, payload, attachments } => (b'2', attachments, id, payload, Some(name)),
        Body::Ack { id, payload, attachments } => (b'3', attachments, Some(id), payload, None),
    };
    Ok(Reading { kind, namespace: namespace.to_owned(), attachments, id, data: data.to_owned(), name })
}

fn theirs(text: &str) -> Option<Reading> {
    let config = ParseConfig { max_incoming_binaries: MAX_ATTACHMENTS, ..ParseConfig::default() };
    let state = ParserState::default();
    let packet = match CommonParser.decode_str(&config, &state, text.to_owned().into()) {
        Ok(packet) => packet,
        Err(ParseError::NeedsMoreBinaryData) => {
            let unfinished = state.partial_bin_packet.into_inner().expect("nobody else has the lock");
            unfinished.expect("it waits for more").packet
        }
        Err(_) => return None,
    };
    Some(reading(text, packet, state.incoming_binary_cnt.into_inner()))
}

fn reading(text: &str, packet: OraclePacket, attachments: usize) -> Reading {
    let (kind, data, id) = match packet.inner {
        PacketData::Connect(auth) => (b'0', auth, None),
        PacketData::Disconnect => {
            (b'1', Some(Value::Str(behind_namespace(text).to_owned().into(), None)), None)
        }
        PacketData::Event(data, id) | PacketData::BinaryEvent(data, id) => (b'2', Some(data), id),
        PacketData::EventAck(data, id) | PacketData::BinaryAck(data, id) => (b'3', Some(data), Some(id)),
        PacketData::ConnectError(_) => panic!("no client sends that, and the oracle reads none"),
    };
    let name = data.as_ref().filter(|_| kind == b'2').and_then(|data| CommonParser.read_event(data).ok());
    let name = name.map(ToOwned::to_owned);
    let data = data.as_ref().and_then(Value::as_str).map_or(String::new(), ToString::to_string);
    let id = id.map(|id| u64::try_from(id).expect("made of digits"));
    Reading { kind, namespace: packet.ns.to_string(), attachments, id, data, name }
}

/// White space around credentials is part of them only to the oracle, which makes no difference.
fn trimmed(mut theirs: Reading) -> Reading {
    if theirs.kind == b'0' {
        theirs.data = theirs.data.trim_matches(WHITE_SPACE).to_owned();
    }
    theirs
}

/// What stands behind the namespace of a DISCONNECT, which the oracle does not tell.
fn behind_namespace(text: &str) -> &str {
    let rest = &text[1..];
    if rest.starts_with('/') { rest.split_once(',').map_or("", |(_, rest)| rest) } else { rest }
}

fn difference(
    text: &str,
    ours: &Result<Reading, DecodeError>,
    theirs: Option<&Reading>,
) -> Option<Difference> {
    match (ours, theirs) {
        (Ok(ours), theirs) => wider(ours, theirs),
        (Err(error), Some(theirs)) => stricter(text, error, theirs),
        (Err(_), None) => None,
    }
}

/// We read what the oracle does not, or not as well.
fn wider(ours: &Reading, theirs: Option<&Reading>) -> Option<Difference> {
    if ours.id.is_some() && ours.data.starts_with(WHITE_SPACE) {
        let without = |theirs: &Reading| theirs.id.is_none() && theirs.data == ours.data;
        return theirs.is_none_or(without).then_some(Difference::SpaceAfterId);
    }
    let same_but_name = Reading { name: None, ..ours.clone() } == *theirs?;
    let first = elements(&ours.data)?[0];
    let unborrowed = !first.starts_with('"') || first.contains('\\');
    (same_but_name && unborrowed).then_some(Difference::UnborrowedName)
}

/// We refuse what the oracle reads.
fn stricter(text: &str, error: &DecodeError, theirs: &Reading) -> Option<Difference> {
    let holds = |holds: bool, difference| holds.then_some(difference);
    match error {
        DecodeError::Namespace => holds(theirs.namespace.len() > 256, Difference::LongNamespace),
        DecodeError::AckId if theirs.kind < b'2' => {
            holds(digits(text, theirs).is_some(), Difference::MisplacedId)
        }
        DecodeError::AckId => holds(
            digits(text, theirs)?.parse().map_or(true, |id: u64| id > MAX_SAFE_INTEGER),
            Difference::IdOutOfRange,
        ),
        DecodeError::Payload => holds(!is_well_formed(theirs), Difference::UncheckedPayload),
        DecodeError::ReservedName => {
            holds(name(&theirs.data).is_some_and(|name| is_reserved(&name)), Difference::ReservedName)
        }
        DecodeError::UnknownType | DecodeError::NotForServers | DecodeError::Attachments => None,
    }
}

/// The digits where an id stands.
fn digits<'a>(text: &'a str, theirs: &'a Reading) -> Option<&'a str> {
    let other = |c: char| !c.is_ascii_digit();
    let digits = match theirs.kind {
        b'1' => theirs.data.split(other).next(),
        _ => text[1..text.len() - theirs.data.len()].rsplit(other).next(),
    };
    digits.filter(|digits| !digits.is_empty())
}

fn is_well_formed(theirs: &Reading) -> bool {
    let data = theirs.data.as_str();
    match theirs.kind {
        b'0' => data.is_empty() || (data.trim_start_matches(WHITE_SPACE).starts_with('{') && is_json(data)),
        b'1' => data.is_empty(),
        b'2' => name(data).is_some(),
        _ => elements(data).is_some(),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn elements(data: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(data).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// The first element, if it may name an event.
fn name(data: &str) -> Option<String> {
    let first = *elements(data)?.first()?;
    let number = || serde_json::from_str(first).ok().filter(|n: &i64| n.unsigned_abs() <= MAX_SAFE_INTEGER);
    serde_json::from_str(first).ok().or_else(|| Some(number()?.to_string()))
}

#[cfg(test)]
mod tests;
