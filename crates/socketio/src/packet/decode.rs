//! Reads the packets of clients over borrowed text: the header by hand, the payload in one pass that checks it and
//! takes the event's name, without a JSON tree.
//!
//! Source: Socket.IO protocol v5, "Packet encoding":
//! `<type>[<attachments>-][<namespace>,][<ack id>][<JSON payload>]`. Stricter than the reference, which accepts an
//! event without a payload, an acknowledgement without an id, ids that no double can hold, and an id on a CONNECT.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use super::{MAIN, is_reserved};

/// The largest integer that every JavaScript client can hold.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// No namespace that people write is longer, and a name is kept as long as its socket lives.
const MAX_NAMESPACE_BYTES: usize = 256;

/// One packet of a client, borrowed from its text.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) body: Body<'a>,
}

/// What a client may send. `payload` is the whole JSON array as text, an event's name included.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    Connect { auth: Option<&'a RawValue> },
    Disconnect,
    Event { id: Option<u64>, name: String, payload: &'a str, attachments: usize },
    Ack { id: u64, payload: &'a str, attachments: usize },
}

/// Why a text is no packet that a client may send.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum DecodeError {
    #[error("unknown packet type")]
    UnknownType,
    #[error("only servers refuse connections")]
    NotForServers,
    #[error("bad number of attachments")]
    Attachments,
    #[error("namespace too long")]
    Namespace,
    #[error("bad acknowledgement id")]
    AckId,
    #[error("bad payload")]
    Payload,
    #[error("reserved event name")]
    ReservedName,
}

impl<'a> Packet<'a> {
    /// Reads one packet, which may announce at most `max_attachments` binary attachments.
    pub(crate) fn decode(text: &'a str, max_attachments: usize) -> Result<Self, DecodeError> {
        let kind = *text.as_bytes().first().ok_or(DecodeError::UnknownType)?;
        // Every known type is one ASCII digit, so that the slice below is at a character's edge.
        if !(b'0'..=b'6').contains(&kind) {
            return Err(DecodeError::UnknownType);
        }
        let mut rest = &text[1..];
        let attachments =
            if matches!(kind, b'5' | b'6') { take_attachments(&mut rest, max_attachments)? } else { 0 };
        let namespace = take_namespace(&mut rest)?;
        let id = take_id(&mut rest)?;
        let body = match kind {
            b'0' => connect(id, rest),
            b'1' => disconnect(id, rest),
            b'2' | b'5' => event(id, rest, attachments),
            b'3' | b'6' => ack(id, rest, attachments),
            _ => Err(DecodeError::NotForServers),
        }?;
        Ok(Self { namespace, body })
    }
}

fn take_attachments(rest: &mut &str, max: usize) -> Result<usize, DecodeError> {
    let (count, after) = rest.split_once('-').ok_or(DecodeError::Attachments)?;
    let digits = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
    let count = count.parse().ok().filter(|count| digits && *count <= max).ok_or(DecodeError::Attachments)?;
    *rest = after;
    Ok(count)
}

fn take_namespace<'a>(rest: &mut &'a str) -> Result<&'a str, DecodeError> {
    if !rest.starts_with('/') {
        return Ok(MAIN);
    }
    let (namespace, after) = rest.split_once(',').unwrap_or((rest, ""));
    if namespace.len() > MAX_NAMESPACE_BYTES {
        return Err(DecodeError::Namespace);
    }
    *rest = after;
    Ok(namespace)
}

fn take_id(rest: &mut &str) -> Result<Option<u64>, DecodeError> {
    let end = rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    if digits.is_empty() {
        return Ok(None);
    }
    digits.parse().ok().filter(|id| *id <= MAX_SAFE_INTEGER).map(Some).ok_or(DecodeError::AckId)
}

fn connect(id: Option<u64>, payload: &str) -> Result<Body<'_>, DecodeError> {
    if id.is_some() {
        return Err(DecodeError::AckId);
    }
    if payload.is_empty() {
        return Ok(Body::Connect { auth: None });
    }
    let auth: &RawValue = serde_json::from_str(payload).map_err(|_| DecodeError::Payload)?;
    if auth.get().starts_with('{') {
        Ok(Body::Connect { auth: Some(auth) })
    } else {
        Err(DecodeError::Payload)
    }
}

fn disconnect(id: Option<u64>, payload: &str) -> Result<Body<'_>, DecodeError> {
    match (id, payload) {
        (None, "") => Ok(Body::Disconnect),
        (Some(_), _) => Err(DecodeError::AckId),
        (None, _) => Err(DecodeError::Payload),
    }
}

fn event(id: Option<u64>, payload: &str, attachments: usize) -> Result<Body<'_>, DecodeError> {
    let EventName(name) = serde_json::from_str(payload).map_err(|_| DecodeError::Payload)?;
    if is_reserved(&name) {
        return Err(DecodeError::ReservedName);
    }
    Ok(Body::Event { id, name, payload, attachments })
}

fn ack(id: Option<u64>, payload: &str, attachments: usize) -> Result<Body<'_>, DecodeError> {
    let id = id.ok_or(DecodeError::AckId)?;
    let _: Vec<IgnoredAny> = serde_json::from_str(payload).map_err(|_| DecodeError::Payload)?;
    Ok(Body::Ack { id, payload, attachments })
}

/// A non-empty JSON array whose first element is an event's name; the others are checked and passed over.
struct EventName(String);

impl<'de> Deserialize<'de> for EventName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = EventName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array that begins with an event's name")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<EventName, A::Error> {
                let Name(name) = array.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(EventName(name))
            }
        }
        deserializer.deserialize_seq(Array)
    }
}

/// A string, or an integer: the reference takes numbers, which some use as short names. `1` and `"1"` are the same
/// name, as they are to its clients; fractions, exponents and integers beyond 2^53 have no such one spelling.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an integer of at most 53 bits")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name(name.to_owned()))
            }

            fn visit_string<E: serde::de::Error>(self, name: String) -> Result<Name, E> {
                Ok(Name(name))
            }

            fn visit_u64<E: serde::de::Error>(self, name: u64) -> Result<Name, E> {
                if name <= MAX_SAFE_INTEGER { Ok(Name(name.to_string())) } else { Err(E::custom(Self)) }
            }

            fn visit_i64<E: serde::de::Error>(self, name: i64) -> Result<Name, E> {
                if name.unsigned_abs() <= MAX_SAFE_INTEGER {
                    Ok(Name(name.to_string()))
                } else {
                    Err(E::custom(Self))
                }
            }
        }
        impl fmt::Display for Scalar {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.expecting(f)
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

#[cfg(test)]
mod tests;
